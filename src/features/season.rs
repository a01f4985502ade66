//! What is usual for a feature at this hour of such a day, learned in the stream.
//!
//! Days are of two kinds: working days, and Saturdays, Sundays and holidays. For each entity, feature, kind of day and
//! hour of the day the range of the last days is kept: five working days, four days of rest. What is usual at an
//! hour is the range of those days without the furthest one, so that one bad night changes nothing and two are
//! a habit.
//!
//! - [`Calendar`]: from an instant to the hour, and the neighbour hour where a job may slip over its edge;
//! - `history`: the hours of the last days of one entity;
//! - [`Usual`]: what they say about this hour.
//!
//! Promised: a step is judged by hours that were over before it, so nothing is compared with itself; memory is 864 bytes
//! an entity and feature, and 20 more for the hour under way, however long it runs; what is learned belongs to the stream
//! and not to a model, so that a new model changes nothing. Not done here: how rare a deviation is (`pipeline`).

mod calendar;

mod history;

mod usual;

pub use calendar::{Calendar, DayKind, Hour};
pub use usual::Usual;

use super::{Holidays, InputLayout, Inputs, Statistic};
use crate::series::{LabelSet, TimestampMs, values_of};
use history::History;
use ndarray::{Array2, ArrayView2};
use std::collections::BTreeMap;

/// An entity that was away for so long is a new one: a week, and a day to come back.
const FORGET_AFTER_MS: i64 = 8 * 86_400_000;

/// How the hours of the days are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeasonSettings {
    /// Days that count as Sundays.
    pub holidays: Holidays,
    /// Whether what is ordinary in itself and not at its hour raises a score. Without it, hours only explain: what comes
    /// at the same hour on most days is no news.
    pub unusual_hours: bool,
}

impl Default for SeasonSettings {
    /// No holidays, both directions.
    fn default() -> Self {
        Self { holidays: Holidays::default(), unusual_hours: true }
    }
}

/// What is usual at each hour for the values of the entities.
#[derive(Clone, Debug)]
pub struct SeasonalBaselines {
    calendar: Calendar,
    step_ms: i64,
    n_values: usize,
    entities: BTreeMap<LabelSet, History>,
}

/// What is usual now for the values of the entities of a step, and how far they are from it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeasonalInputs {
    /// The step.
    pub at: TimestampMs,
    /// Entity x feature: what is usual at this hour of such a day; none until three such days are known.
    pub usual: Array2<Option<Usual>>,
    /// Entity x feature: how far the value is outside of what is usual, in units of its ordinary variation, negative
    /// below; 0 within, NaN where nothing is known or the value is missing.
    pub deviation: Array2<f64>,
    /// As `deviation`, of the hour that is just over: how far its highest value stayed below what such an hour
    /// reaches (negative), or its lowest above it (positive). 0 in the first quarter of an hour, because a job may be late.
    pub missed: Array2<f64>,
    /// Entity x feature: whether the value is one that the feature usually takes at some hour.
    pub ordinary: Array2<bool>,
}

// === impl SeasonalBaselines ===

impl SeasonalBaselines {
    /// Baselines of entities with `n_values` values each, seen every `step_ms`, of which nothing is known.
    #[must_use]
    pub fn new(calendar: Calendar, n_values: usize, step_ms: i64) -> Self {
        Self { calendar, step_ms: step_ms.max(1), n_values, entities: BTreeMap::new() }
    }

    /// Says what is usual for the values (entity x value) of the step `at`, then learns them.
    ///
    /// Steps come in ascending order, and so do entities, each once. Values beyond `n_values` are left out.
    pub fn push(
        &mut self,
        at: TimestampMs,
        entities: &[LabelSet],
        values: ArrayView2<'_, f64>,
    ) -> SeasonalInputs {
        let (hours, shape) = (self.calendar.hours(at), values.dim());
        let mut inputs = SeasonalInputs {
            at,
            usual: Array2::from_elem(shape, None),
            deviation: Array2::from_elem(shape, f64::NAN),
            missed: Array2::from_elem(shape, f64::NAN),
            ordinary: Array2::from_elem(shape, false),
        };
        let steps_an_hour = (3_600_000 / self.step_ms).max(1);
        let n_values = self.n_values;
        let histories = values_of(&mut self.entities, entities, || History::new(n_values));
        for (row, (history, values)) in histories.zip(values.rows()).enumerate() {
            history.begin(at, hours.now, steps_an_hour);
            for (value, seen) in values.iter().enumerate().take(n_values) {
                let place = [row, value];
                inputs.usual[place] = history.usual(value, &hours);
                if let Some(usual) = inputs.usual[place] {
                    inputs.deviation[place] = usual.deviation(*seen);
                    inputs.missed[place] = history.missed(value, &hours).unwrap_or(f64::NAN);
                }
                inputs.ordinary[place] = history.is_ordinary(value, *seen);
                history.learn(value, *seen);
            }
        }
        inputs
    }

    /// As [`Self::push`], of the features' values at a step.
    pub fn push_inputs(&mut self, inputs: &Inputs) -> SeasonalInputs {
        let layout = InputLayout { n_features: self.n_values };
        let values = Array2::from_shape_fn((inputs.entities.len(), self.n_values), |(row, feature)| {
            let column = layout.column(feature, Statistic::Value);
            inputs.values.get([row, column]).copied().unwrap_or(f64::NAN)
        });
        self.push(inputs.at, &inputs.entities, values.view())
    }

    /// On how many of the last days an entity reached `level` at this hour, and how many days are known: of days such as
    /// this or of all days, where the share is greater; (0, 0) where fewer than three are known.
    #[must_use]
    pub fn days_reaching(&self, entity: &LabelSet, value: usize, at: TimestampMs, level: f64) -> (u32, u32) {
        let hours = self.calendar.hours(at);
        self.entities.get(entity).map_or((0, 0), |history| history.days_reaching(value, &hours, level))
    }

    /// Drops the entities that have been away for longer than a week.
    pub fn forget_silent(&mut self, at: TimestampMs) {
        self.entities.retain(|_, history| at.since_ms(history.last()) <= FORGET_AFTER_MS);
    }

    /// Drops one entity.
    pub fn forget(&mut self, entity: &LabelSet) {
        self.entities.remove(entity);
    }

    /// Whether anything is remembered of an entity.
    #[must_use]
    pub fn holds(&self, entity: &LabelSet) -> bool {
        self.entities.contains_key(entity)
    }

    /// Number of entities held.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.entities.len()
    }

    /// Bytes that the history of one entity with so many values takes.
    #[must_use]
    pub fn bytes_an_entity(n_values: usize) -> usize {
        History::bytes(n_values)
    }
}
