//! The rolling window of every entity and feature.

use super::{
    CALENDAR_COLUMNS, FeatureMatrix, FeatureSchema, InputLayout, Inputs, Statistic, Zone, inputs::calendar,
};
use crate::series::{LabelSet, TimestampMs, values_of};
use ndarray::{Array2, ArrayView1};
use std::collections::BTreeMap;

/// Steps in the short mean of [`Statistic::Deviation`] and [`Statistic::Short`].
pub const SHORT_STEPS: usize = 3;

/// A matrix lies before one that was already pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("step {at} lies before step {last}, which was already taken")]
pub struct StepBackwards {
    /// The refused step.
    pub at: TimestampMs,
    /// The last step taken.
    pub last: TimestampMs,
}

/// The last `window_steps + 3` steps of all entities.
#[derive(Clone, Debug)]
pub struct FeatureWindows {
    layout: InputLayout,
    window_steps: usize,
    window_ms: i64,
    step_ms: i64,
    zone: Zone,
    last: Option<TimestampMs>,
    entities: BTreeMap<LabelSet, EntityWindow>,
}

/// One entity: a ring of steps for each feature, all with the same slot for the same step.
#[derive(Clone, Debug)]
struct EntityWindow {
    /// Feature after feature, each `depth` slots; the slot of step `s` is `s mod depth`. NaN = missing.
    values: Vec<f64>,
    newest_step: i64,
    newest_at: TimestampMs,
}

// === impl FeatureWindows ===

impl FeatureWindows {
    /// Empty windows for `schema`.
    #[must_use]
    pub fn new(schema: &FeatureSchema) -> Self {
        Self {
            layout: InputLayout { n_features: schema.features().len() },
            window_steps: schema.window_steps(),
            window_ms: schema.window_ms(),
            step_ms: schema.step_ms(),
            zone: schema.zone().clone(),
            last: None,
            entities: BTreeMap::new(),
        }
    }

    /// Whether a step can be taken in.
    ///
    /// # Errors
    /// When it lies before the last one.
    pub fn accepts(&self, at: TimestampMs) -> Result<(), StepBackwards> {
        match self.last {
            Some(last) if at < last => Err(StepBackwards { at, last }),
            _ => Ok(()),
        }
    }

    /// Takes one step in and gives the inputs of its entities.
    ///
    /// Steps between the last one and this count as missing. The same step again replaces its values.
    ///
    /// # Errors
    /// When the step lies before the last one; nothing is changed then.
    pub fn push(&mut self, matrix: &FeatureMatrix) -> Result<Inputs, StepBackwards> {
        let at = matrix.at;
        self.accepts(at)?;
        self.last = Some(at);
        let step = at.0.div_euclid(self.step_ms);
        let (layout, depth) = (self.layout, self.depth());
        let rows = matrix.entities.len();
        let mut inputs = Inputs {
            at,
            entities: matrix.entities.clone(),
            values: Array2::from_elem((rows, layout.n_columns()), f64::NAN),
            present: Array2::zeros((rows, layout.n_features)),
            filled_steps: vec![0; rows],
            warm: vec![false; rows],
        };
        let mut calendar_columns = [0.0; CALENDAR_COLUMNS];
        calendar(at, &self.zone, &mut calendar_columns);
        let mut series = Vec::with_capacity(depth);
        let (window_steps, steps_to_warm) = (self.window_steps, self.steps_to_warm());
        let fresh = || EntityWindow {
            values: vec![f64::NAN; layout.n_features * depth],
            newest_step: step,
            newest_at: at,
        };
        let windows = values_of(&mut self.entities, &matrix.entities, fresh);
        for (row, window) in windows.enumerate() {
            window.advance(step, at, depth);
            window.store(matrix.values.row(row), depth);
            for feature in 0..layout.n_features {
                window.read(feature, depth, &mut series);
                let statistics = Statistics::of(&series, window_steps);
                for statistic in Statistic::ALL {
                    inputs.values[[row, layout.column(feature, statistic)]] = statistics.get(statistic);
                }
                inputs.present[[row, feature]] = statistics.present;
            }
            for (offset, value) in calendar_columns.iter().enumerate() {
                inputs.values[[row, layout.calendar() + offset]] = *value;
            }
            let filled = window.filled_steps(depth, window_steps);
            inputs.filled_steps[row] = filled;
            inputs.warm[row] = filled >= steps_to_warm;
        }
        Ok(inputs)
    }

    /// How many steps of the window must hold a value before an entity is warm: half of it.
    #[must_use]
    pub fn steps_to_warm(&self) -> usize {
        self.window_steps.div_ceil(2)
    }

    /// Drops the entities that have been silent for longer than a window.
    pub fn forget_silent(&mut self) {
        let Some(last) = self.last else { return };
        let oldest = last.plus_ms(-self.window_ms);
        self.entities.retain(|_, window| window.newest_at >= oldest);
    }

    /// Drops one entity.
    pub fn forget(&mut self, entity: &LabelSet) {
        self.entities.remove(entity);
    }

    /// The last `window_steps` steps of one feature, oldest first, NaN where one is missing. Empty for an entity or a
    /// feature that is not there.
    #[must_use]
    pub fn recent(&self, entity: &LabelSet, feature: usize) -> Vec<f64> {
        let mut steps = Vec::new();
        if let Some(window) = self.entities.get(entity)
            && feature < self.layout.n_features
        {
            window.read(feature, self.depth(), &mut steps);
            steps.drain(..SHORT_STEPS);
        }
        steps
    }

    /// How far before a step its inputs look: a window, and the steps of the shortest one before that.
    #[must_use]
    pub fn reach_ms(&self) -> i64 {
        self.window_ms + self.step_ms * SHORT_STEPS as i64
    }

    /// Distance of two steps.
    #[must_use]
    pub fn step_ms(&self) -> i64 {
        self.step_ms
    }

    /// Number of entities held.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.entities.len()
    }

    /// Bytes that the window of one entity takes.
    #[must_use]
    pub fn bytes_an_entity(schema: &FeatureSchema) -> usize {
        let depth = schema.window_steps().saturating_add(SHORT_STEPS);
        let values = schema.features().len().saturating_mul(depth).saturating_mul(size_of::<f64>());
        values.saturating_add(size_of::<EntityWindow>())
    }

    /// Steps kept: the window, and the short mean of the deviation in front of it.
    fn depth(&self) -> usize {
        self.window_steps + SHORT_STEPS
    }
}

// === impl EntityWindow ===

impl EntityWindow {
    /// Makes `step` the newest; the steps between are missing.
    fn advance(&mut self, step: i64, at: TimestampMs, depth: usize) {
        let missed = step.saturating_sub(self.newest_step).clamp(0, depth as i64);
        for skipped in (step - missed + 1)..=step {
            let slot = slot(skipped, depth);
            self.values.iter_mut().skip(slot).step_by(depth).for_each(|value| *value = f64::NAN);
        }
        self.newest_step = step;
        self.newest_at = at;
    }

    fn store(&mut self, values: ArrayView1<'_, f64>, depth: usize) {
        let slots = self.values.iter_mut().skip(slot(self.newest_step, depth)).step_by(depth);
        for (slot, value) in slots.zip(values) {
            *slot = if value.is_finite() { *value } else { f64::NAN };
        }
    }

    /// One feature's steps, oldest first.
    fn read(&self, feature: usize, depth: usize, into: &mut Vec<f64>) {
        let ring = &self.values[feature * depth..(feature + 1) * depth];
        let (newer, older) = ring.split_at((slot(self.newest_step, depth) + 1) % depth);
        into.clear();
        into.extend_from_slice(older);
        into.extend_from_slice(newer);
    }

    /// Steps of the window in which any feature has a value.
    fn filled_steps(&self, depth: usize, window_steps: usize) -> usize {
        (0..window_steps as i64)
            .map(|back| slot(self.newest_step - back, depth))
            .filter(|slot| self.values.iter().skip(*slot).step_by(depth).any(|value| !value.is_nan()))
            .count()
    }
}

fn slot(step: i64, depth: usize) -> usize {
    step.rem_euclid(depth as i64) as usize
}

// === statistics ===

/// The statistics of one feature, see [`Statistic`].
#[derive(Clone, Copy, Debug, PartialEq)]
struct Statistics {
    values: [f64; Statistic::ALL.len()],
    present: u32,
}

impl Statistics {
    /// `series` oldest first, `window_steps + 3` values, NaN = missing.
    fn of(series: &[f64], window_steps: usize) -> Self {
        let (before, window) = series.split_at(series.len() - window_steps);
        debug_assert_eq!(before.len(), SHORT_STEPS);
        let (baseline, short) = series.split_at(series.len() - SHORT_STEPS);
        let (mean, count) = mean(window);
        let max = window.iter().copied().fold(f64::NAN, f64::max);
        let value = window.last().copied().unwrap_or(f64::NAN);
        let before = &series[SHORT_STEPS - 1..series.len() - 1];
        let short = self::mean(short).0;
        let values = [
            value,
            mean,
            max,
            spread(window, mean, count),
            trend(window, mean),
            short - self::mean(baseline).0,
            short,
            value - self::mean(before).0,
        ];
        Self { values, present: count }
    }

    fn get(&self, statistic: Statistic) -> f64 {
        self.values[statistic as usize]
    }
}

/// Mean and number of the present values, summed oldest first; NaN when there is none.
fn mean(values: &[f64]) -> (f64, u32) {
    let (sum, count) = present(values).fold((0.0, 0), |(sum, count), (_, value)| (sum + value, count + 1));
    (sum / f64::from(count), count)
}

/// Population standard deviation about `mean`; NaN below two values, because one says nothing.
fn spread(values: &[f64], mean: f64, count: u32) -> f64 {
    if count < 2 {
        return f64::NAN;
    }
    let squares: f64 = present(values).map(|(_, value)| (value - mean).powi(2)).sum();
    (squares / f64::from(count)).sqrt()
}

/// Least-squares slope against the step, times the number of steps; NaN below two values.
fn trend(values: &[f64], mean: f64) -> f64 {
    let (steps, count) =
        present(values).fold((0.0, 0_u32), |(sum, count), (step, _)| (sum + step as f64, count + 1));
    if count < 2 {
        return f64::NAN;
    }
    let middle = steps / f64::from(count);
    let (mut product, mut square) = (0.0, 0.0);
    for (step, value) in present(values) {
        let distance = step as f64 - middle;
        product += distance * (value - mean);
        square += distance * distance;
    }
    product / square * values.len() as f64
}

fn present(values: &[f64]) -> impl Iterator<Item = (usize, f64)> + '_ {
    values.iter().copied().enumerate().filter(|(_, value)| !value.is_nan())
}

#[cfg(test)]
mod tests;
