//! Several series in one figure.

use super::{
    Evaluation,
    alarms::{Counts, FIGURES, harmonic_mean},
};

/// What several series amount to. Series without a segment say nothing here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Number of series with a segment.
    pub series_with_segments: usize,
    /// Mean area under the ROC curve.
    pub auroc: Option<f64>,
    /// Mean average precision.
    pub average_precision: Option<f64>,
    /// Mean volume under the precision-recall surface.
    pub vus_pr: Option<f64>,
    /// For each operating point that all series have, the means of [`FIGURES`].
    pub macro_points: Vec<(&'static str, [Option<f64>; FIGURES.len()])>,
    /// For each operating point that all series have, the figures of the summed counts.
    pub micro_points: Vec<MicroPoint>,
}

/// Counts summed over series, each with its own threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MicroPoint {
    /// Of the operating point.
    pub name: &'static str,
    /// The sums.
    pub counts: Counts,
}

/// Means (macro) and pooled counts (micro) over the series.
#[must_use]
pub fn summary<'a>(series: impl IntoIterator<Item = &'a Evaluation>) -> Summary {
    let series: Vec<&Evaluation> = series.into_iter().filter(|one| one.segments > 0).collect();
    let Some(first) = series.first() else { return Summary::default() };
    let mut summary = Summary {
        series_with_segments: series.len(),
        auroc: mean(series.iter().map(|one| one.auroc)),
        average_precision: mean(series.iter().map(|one| one.average_precision)),
        vus_pr: mean(series.iter().map(|one| one.vus_pr)),
        ..Summary::default()
    };
    for (name, _) in &first.points {
        let point = |one: &&Evaluation| Some(one.points.iter().find(|(own, _)| own == name)?.1);
        let Some(points) = series.iter().map(point).collect::<Option<Vec<_>>>() else { continue };
        let figure = |figure: usize| mean(points.iter().map(|point| point.figures()[figure]));
        summary.macro_points.push((name, std::array::from_fn(figure)));
        let mut counts = Counts::default();
        points.iter().for_each(|point| counts += point.counts);
        summary.micro_points.push(MicroPoint { name, counts });
    }
    summary
}

// === impl MicroPoint ===

impl MicroPoint {
    /// The figures that summed counts give, with their names in the JSON.
    #[must_use]
    pub fn figures(&self) -> [(&'static str, f64); 7] {
        let counts = &self.counts;
        let (precision, recall) = (counts.precision(), counts.recall());
        let (event_precision, event_recall) = (counts.event_precision(), counts.event_recall());
        [
            ("P", precision),
            ("R", recall),
            ("F1", harmonic_mean(precision, recall)),
            ("event_recall", event_recall),
            ("event_prec", event_precision),
            ("event_f1", harmonic_mean(event_precision, event_recall)),
            ("fc1", harmonic_mean(precision, event_recall)),
        ]
    }
}

/// The mean of those that are known.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) = values.flatten().fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}
