//! What changes among the rows of a reservoir, so that they can be kept elsewhere too.

use super::reservoir::{KeptRow, Present, Reservoir};
use crate::series::{LabelSet, TimestampMs};
use std::sync::Arc;

/// The columns of a row, in the order of [`Inputs`](crate::features::Inputs). Shared: handing rows out copies pointers.
pub type Columns = Arc<[f64]>;

/// Notes beyond this many for every row that is kept, or for none, are given up for a copy of all rows, which is no larger.
const MOST_NOTES_A_ROW: usize = 2;
const FREE_NOTES: usize = 4096;

/// What changed among the rows of a reservoir since somebody last asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowChanges {
    /// Whether these are all rows that there are: what was known before is gone.
    pub is_complete: bool,
    /// By entity, ascending.
    pub entities: Vec<EntityChanges>,
}

/// What changed among the rows of one entity.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityChanges {
    /// Its labels.
    pub entity: LabelSet,
    /// Rows that are new, or took the place of one of the same time; ascending.
    pub rows: Vec<(TimestampMs, Columns)>,
    /// Times of rows that are not there any more, ascending. Nobody may have been told that they were.
    pub gone: Vec<TimestampMs>,
}

/// Where the training of a detector stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatherState {
    /// From when on there are rows.
    pub first: Option<TimestampMs>,
    /// When the last model was asked for of which it is known what became.
    pub last_job: Option<TimestampMs>,
    /// No model is asked for before, if it says so.
    pub not_before: Option<TimestampMs>,
    /// How many entities there are.
    pub present: Present,
}

/// What is to be kept of a detector since it was last asked.
#[derive(Clone, Debug, PartialEq)]
pub struct GatherUpdate {
    /// Its rows.
    pub changes: RowChanges,
    /// Where its training stands.
    pub state: GatherState,
    /// How many rows it has now.
    pub n_rows: usize,
    /// Of how many entities.
    pub n_entities: usize,
}

/// What was kept of a detector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gathered {
    /// Its rows: for each entity, which ascend, at least one, ascending by time.
    pub rows: Vec<(LabelSet, Vec<(TimestampMs, Columns)>)>,
    /// Where its training stood.
    pub state: GatherState,
}

/// Which rows may have changed. Every row that comes or goes is noted, and looked up when somebody asks.
#[derive(Clone, Debug)]
pub(super) struct ChangeNotes {
    noted: Vec<(LabelSet, TimestampMs)>,
    /// Whether everything is to be told, so that nothing needs to be noted.
    everything: bool,
}

// === impl Gathered ===

impl Gathered {
    /// Number of rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.rows.iter().map(|(_, own)| own.len()).sum()
    }
}

// === impl ChangeNotes ===

impl ChangeNotes {
    fn new(everything: bool) -> Self {
        Self { noted: Vec::new(), everything }
    }

    pub(super) fn note(&mut self, entity: &LabelSet, at: TimestampMs) {
        if !self.everything {
            self.noted.push((entity.clone(), at));
        }
    }

    /// So much has changed that everything is told.
    pub(super) fn note_all(&mut self) {
        *self = Self::new(true);
    }

    /// Forgets the notes where they grow beyond the `n_rows` that there are: whoever should ask does not.
    pub(super) fn bound(&mut self, n_rows: usize) {
        if self.noted.len() > n_rows.saturating_mul(MOST_NOTES_A_ROW).max(FREE_NOTES) {
            self.note_all();
        }
    }
}

// === impl Reservoir ===

impl Reservoir {
    /// Takes the rows that were kept elsewhere, in place of its own.
    pub fn restore(&mut self, gathered: Gathered) {
        let kept = |(at, columns)| KeptRow { at, columns };
        self.len = gathered.n_rows();
        self.present = gathered.state.present;
        let rows = gathered.rows.into_iter();
        self.entities = rows.map(|(entity, own)| (entity, own.into_iter().map(kept).collect())).collect();
    }

    /// From now on it notes what changes, beginning with what there is; [`Self::take_changes`] tells. It is to be asked now and then,
    /// but nothing grows without bound where nobody does.
    pub fn note_changes(&mut self) {
        self.changes = Some(ChangeNotes::new(false));
    }

    /// What changed since this was last asked, or since [`Self::note_changes`]; with `everything`, or where too much has changed, all
    /// rows. None where nothing is noted.
    pub fn take_changes(&mut self, everything: bool) -> Option<RowChanges> {
        let mut notes = self.changes.replace(ChangeNotes::new(false))?;
        if everything || notes.everything {
            return Some(self.all_rows());
        }
        // Stable, because it makes use of the ascending runs in which they were noted.
        notes.noted.sort();
        notes.noted.dedup();
        let entities = notes.noted.chunk_by(|a, b| a.0 == b.0).map(|own| self.changes_of(own)).collect();
        Some(RowChanges { is_complete: false, entities })
    }

    /// How many entities there are, as far as it bears on what is kept.
    #[must_use]
    pub fn present(&self) -> Present {
        self.present
    }

    fn all_rows(&self) -> RowChanges {
        let entity = |(entity, own): (&LabelSet, &Vec<KeptRow>)| EntityChanges {
            entity: entity.clone(),
            rows: own.iter().map(|kept| (kept.at, Arc::clone(&kept.columns))).collect(),
            gone: Vec::new(),
        };
        RowChanges { is_complete: true, entities: self.entities.iter().map(entity).collect() }
    }

    /// What became of the rows of one entity that were `noted`, of which there is at least one.
    fn changes_of(&self, noted: &[(LabelSet, TimestampMs)]) -> EntityChanges {
        let entity = &noted[0].0;
        let own = self.entities.get(entity).map_or(&[][..], Vec::as_slice);
        let mut changes = EntityChanges { entity: entity.clone(), rows: Vec::new(), gone: Vec::new() };
        for (_, at) in noted {
            match own.binary_search_by_key(at, |kept| kept.at) {
                Ok(place) => changes.rows.push((*at, Arc::clone(&own[place].columns))),
                Err(_) => changes.gone.push(*at),
            }
        }
        changes
    }
}

/// Every row that goes passes here; gives how many.
pub(super) fn note_gone(
    changes: &mut Option<ChangeNotes>,
    entity: &LabelSet,
    gone: impl IntoIterator<Item = KeptRow>,
) -> usize {
    let note = |kept: KeptRow| {
        if let Some(changes) = changes {
            changes.note(entity, kept.at);
        }
    };
    gone.into_iter().map(note).count()
}

#[cfg(test)]
pub(super) mod tests;
