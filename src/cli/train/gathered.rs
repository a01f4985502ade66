//! The rows that are worth training on.

use super::{
    Fitted,
    labels::{Labels, Margins, Met},
    of_config,
    rows::{Past, Rows},
};
use crate::{
    cli::instant,
    config::{Config, Detector},
    model::Model,
    pipeline::{DetectorSettings, VectorJudge},
    series::TimestampMs,
    train::Reservoir,
};
use anyhow::{Context as _, bail};
use std::ops::RangeInclusive;

/// A sample of the rows of a detector, and what they are for.
pub(super) struct Gathered<'a> {
    /// Without incidents and their margins.
    pub(super) kept: Reservoir,
    /// How a detector with a model judges them.
    pub(super) judged: DetectorSettings,
    pub(super) margins: Margins,
    /// The entities that have labels and no rows.
    pub(super) unknown: Vec<String>,
    /// What there is to say of the reading, a line each.
    pub(super) said: Vec<String>,
    /// First and last step with a row.
    steps: RangeInclusive<TimestampMs>,
    all_rows: usize,
    warm_rows: usize,
    in_incidents: usize,
    detector: &'a Detector,
}

/// Where the rows are parted. Between the parts lies a window: a row is made of the values of its window, and none of those that a validated
/// row is made of has been trained on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    /// Rows from here on are not trained on. From here on they are judged, so that the windows are full when it counts.
    pub(super) trained_before: TimestampMs,
    /// First and last step that are validated.
    pub(super) first: TimestampMs,
    pub(super) last: TimestampMs,
}

/// Goes through the rows once and keeps a sample of those that are warm and in no incident.
pub(super) fn gather<'a>(
    rows: &Rows<'_>,
    config: &Config,
    detector: &'a Detector,
    labels: &Labels,
) -> anyhow::Result<Gathered<'a>> {
    // Its rules hold for what is trained on as for what is judged: values that cannot be, gaps that are filled.
    let judged = DetectorSettings { training: None, ..config.detector_settings(detector) };
    let margins = Margins::of(config.alerts.as_ref());
    let (mut judge, mut kept) =
        (VectorJudge::new(judged.clone()), Reservoir::new(of_config::reservoir(config)));
    let (mut all_rows, mut warm_rows, mut in_incidents, mut steps) = (0, 0, 0, None);
    let mut met = Met::new(rows, labels);
    let said = rows.each(None, |matrix| {
        let inputs = judge.take(matrix)?;
        if inputs.entities.is_empty() {
            return Ok(());
        }
        let (first, _) = steps.unwrap_or((inputs.at, inputs.at));
        steps = Some((first, inputs.at));
        all_rows += inputs.entities.len();
        warm_rows += kept.offer(&inputs, |row| {
            let near = met.times_of(&inputs.entities[row]).hold_near(inputs.at, margins);
            in_incidents += usize::from(near);
            !near
        });
        Ok(())
    })?;
    let Some((first, last)) = steps else { bail!("{}", nothing(rows, detector)) };
    let unknown = if labels.source.is_some() { labels.unknown(&met.names())? } else { Vec::new() };
    let steps = first..=last;
    Ok(Gathered { kept, judged, margins, unknown, said, steps, all_rows, warm_rows, in_incidents, detector })
}

fn nothing(rows: &Rows<'_>, detector: &Detector) -> String {
    let name = detector.schema.detector();
    match rows {
        Rows::Past(Past { source, .. }) => {
            let (range, place) = (source.range(), source.place());
            let (from, until) = (instant(*range.start()), instant(*range.end()));
            format!("there is nothing of detector {name:?} in the {place} from {from} to {until}")
        }
        Rows::Table(..) => format!("the table has no value of detector {name:?}"),
    }
}

// === impl Gathered ===

impl Gathered<'_> {
    /// Parts the time of the rows: the last `share` of it, of at least a step, is for validation.
    ///
    /// # Errors
    /// When the rest is no longer than a window.
    pub(super) fn split(&self, share: f64) -> anyhow::Result<Split> {
        let schema = &self.detector.schema;
        let (first, last) = (*self.steps.start(), *self.steps.end());
        let steps = (last.since_ms(first) / schema.step_ms()) as f64;
        let validated = (steps * share).floor() as i64;
        let from = last.plus_ms(-validated * schema.step_ms());
        let trained_before = from.plus_ms(-schema.window_ms());
        if trained_before <= first {
            let hint = "train on more of the past, or validate a smaller share";
            return Err(anyhow::anyhow!(
                "{} to {} leave nothing to train on: {hint}",
                instant(first),
                instant(last)
            ))
            .with_context(|| format!("--validate {share}"));
        }
        Ok(Split { trained_before, first: from, last })
    }

    /// The model that came of it; `kept_rows` were kept before some were set aside.
    pub(super) fn fitted(self, model: Model, kept_rows: usize) -> Fitted {
        Fitted {
            model,
            all_rows: self.all_rows,
            warm_rows: self.warm_rows,
            in_incidents: self.in_incidents,
            kept_rows,
        }
    }
}
