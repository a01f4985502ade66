//! What recorded features are worth before anything is trained on them.
//!
//! [`Inspector`] takes rows one after the other, in the order in which they stand, and keeps figures alone: its memory is
//! bounded by entities, features and days, not by rows. [`Inspector::report`] says what was found, and which of it a
//! training should worry about ([`Finding`]). Nothing is mended here.
//!
//! What is a row too many, too early or missing is defined in [`Times`], what is odd about a column in [`Column`].

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod column;

mod days;

mod figures;

mod finding;

mod times;

#[cfg(test)]
mod tests;

pub use column::Column;
pub use days::{Day, MAX_DAYS};
pub use figures::Figures;
pub use finding::{Concern, Finding};
pub use times::{Gap, Times};

use crate::series::TimestampMs;
use column::Previous;
use days::Days;
use std::collections::BTreeMap;

/// Looks at rows as they come.
#[derive(Clone, Debug)]
pub struct Inspector {
    columns: Vec<Column>,
    times: Times,
    days: Days,
    entities: BTreeMap<String, Entity>,
    rows: u64,
}

/// What was found, and what of it matters.
#[derive(Clone, Debug)]
pub struct Report {
    /// Rows that were taken.
    pub rows: u64,
    /// Names of the entities, ascending; one empty name where the table tells none apart.
    pub entities: Vec<String>,
    /// When rows stand.
    pub times: Times,
    /// The features, in their order.
    pub columns: Vec<Column>,
    /// Day by day, feature by feature; at most [`MAX_DAYS`].
    pub days: Vec<Day>,
    /// What to worry about, the worst first.
    pub findings: Vec<Finding>,
}

/// The last row of an entity.
#[derive(Clone, Debug)]
struct Entity {
    at: TimestampMs,
    values: Vec<Previous>,
}

// === impl Inspector ===

impl Inspector {
    /// Has seen nothing of these features.
    #[must_use]
    pub fn new(features: impl IntoIterator<Item = String>) -> Self {
        let columns: Vec<Column> = features.into_iter().map(Column::new).collect();
        let days = Days::new(columns.len());
        Self { columns, times: Times::default(), days, entities: BTreeMap::new(), rows: 0 }
    }

    /// Takes a row: a value a feature, NaN where it is missing.
    ///
    /// Repeated and backward rows are counted and their values are not looked at: which of two is true is not known.
    pub fn take(&mut self, entity: &str, at: TimestampMs, values: &[f64]) {
        self.rows += 1;
        let Some(known) = self.entities.get_mut(entity) else {
            self.times.first_of_entity(at);
            let previous = vec![Previous::default(); self.columns.len()];
            let mut first = Entity { at, values: previous };
            Self::look(&mut self.columns, &mut self.days, &mut first, at, values);
            self.entities.insert(entity.to_owned(), first);
            return;
        };
        if self.times.follows(entity, known.at, at) {
            known.at = at;
            Self::look(&mut self.columns, &mut self.days, known, at, values);
        }
    }

    /// Counts a row that could not be read.
    pub fn unreadable_row(&mut self) {
        self.times.unreadable += 1;
    }

    /// Counts a cell of the feature in this place that is no number; its row is taken with a missing value.
    pub fn unreadable_cell(&mut self, feature: usize) {
        if let Some(column) = self.columns.get_mut(feature) {
            column.unreadable += 1;
        }
    }

    /// What was found.
    #[must_use]
    pub fn report(self) -> Report {
        let Self { columns, mut times, days, entities, rows } = self;
        times.finish();
        let (days, beyond_days) = days.finish();
        let findings = finding::find(rows, entities.len(), &times, beyond_days, &columns);
        let entities = entities.into_keys().collect();
        Report { rows, entities, times, columns, days, findings }
    }

    fn look(columns: &mut [Column], days: &mut Days, entity: &mut Entity, at: TimestampMs, values: &[f64]) {
        for ((column, previous), value) in columns.iter_mut().zip(&mut entity.values).zip(values) {
            column.take(*value, previous);
        }
        days.take(at, values);
    }
}
