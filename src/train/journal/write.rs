//! Writing: what changed, as records.

use super::{
    About, Header,
    frame::{FRAME_BYTES, FULL_RECORD_BYTES, HEADER_BYTES, write_frame, write_header},
    message::{write_entity, write_state, write_times},
    proto::{self, record::Change},
};
use crate::{
    series::{LabelSet, TimestampMs},
    train::{Columns, EntityChanges, GatherUpdate},
};
use prost::Message as _;
use std::collections::BTreeMap;

/// Most bytes of a time in a record.
const TIME_BYTES: usize = 10;

/// Writes one journal, change after change: who goes on with a journal that was read gets it from there.
#[derive(Clone, Debug)]
pub struct Writer {
    header: Header,
    /// The numbers of the entities that the journal knows.
    numbers: BTreeMap<LabelSet, u32>,
    /// What they take, with their records.
    entity_bytes: usize,
}

/// Records under way, each handed on once it is full.
struct Records<'a, E> {
    sink: &'a mut dyn FnMut(&[u8]) -> Result<(), E>,
    entities: proto::Entities,
    rows: proto::Rows,
    gone: proto::Gone,
    /// At least what these will take.
    bytes: usize,
}

// === impl Writer ===

impl Writer {
    /// For a journal that does not exist yet.
    #[must_use]
    pub fn new(header: Header) -> Self {
        Self { header, numbers: BTreeMap::new(), entity_bytes: 0 }
    }

    pub(super) fn going_on(header: Header, entities: &[LabelSet]) -> Self {
        let numbers = entities.iter().cloned().zip(0..).collect();
        let entity_bytes = entities.iter().map(bytes_of_entity).sum();
        Self { header, numbers, entity_bytes }
    }

    /// Bytes that a journal of `n_rows` rows of `n_entities` entities has when all of it is written anew, as an estimate.
    #[must_use]
    pub fn live_bytes(&self, n_rows: usize, n_entities: usize) -> usize {
        let share = n_entities.min(self.numbers.len()) as f64 / self.numbers.len().max(1) as f64;
        let entities = (self.entity_bytes as f64 * share) as usize;
        n_rows.saturating_mul(self.header.bytes_a_row()).saturating_add(HEADER_BYTES + entities)
    }

    /// The header of a new journal: its first bytes.
    #[must_use]
    pub fn header(&self) -> Vec<u8> {
        write_header(self.header).to_vec()
    }

    /// The record that may follow the header: what the journal is about, in words.
    #[must_use]
    pub fn about(&self, about: &About) -> Vec<u8> {
        let About { detector, features, schema } = about.clone();
        framed(Change::About(proto::About { detector, features, schema }))
    }

    /// Hands what is to be appended for `update` to `sink`, piece by piece; all of it or nothing is read back. After an error of
    /// `sink` the writer is of no use any more.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn append<E>(
        &mut self,
        update: &GatherUpdate,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut records = Records {
            sink: &mut sink,
            entities: proto::Entities::default(),
            rows: proto::Rows::default(),
            gone: proto::Gone::default(),
            bytes: 0,
        };
        let row_bytes = self.header.bytes_a_row() + TIME_BYTES;
        for EntityChanges { entity, rows, gone } in &update.changes.entities {
            // Whoever has no number has no row to lose.
            if rows.is_empty() && !self.numbers.contains_key(entity) {
                continue;
            }
            let number = self.number_of(entity, &mut records)?;
            for some in rows.chunks((FULL_RECORD_BYTES / row_bytes).max(1)) {
                records.add_rows(number, some, row_bytes)?;
            }
            for some in gone.chunks(FULL_RECORD_BYTES / TIME_BYTES) {
                records.add_gone(number, some)?;
            }
        }
        records.finish(write_state(&update.state))
    }

    fn number_of<E>(&mut self, entity: &LabelSet, records: &mut Records<'_, E>) -> Result<u32, E> {
        if let Some(number) = self.numbers.get(entity) {
            return Ok(*number);
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        self.numbers.insert(entity.clone(), number);
        let bytes = bytes_of_entity(entity);
        self.entity_bytes += bytes;
        records.entities.entities.push(write_entity(entity));
        records.took(bytes)?;
        Ok(number)
    }
}

/// At least what the labels of an entity take in a record.
fn bytes_of_entity(entity: &LabelSet) -> usize {
    // Of each label: its tag and length, and those of its two parts.
    entity.canonical_text().len() + entity.len() * 12 + 6
}

// === impl Records ===

impl<E> Records<'_, E> {
    fn add_rows(&mut self, entity: u32, rows: &[(TimestampMs, Columns)], row_bytes: usize) -> Result<(), E> {
        let at_ms = write_times(rows.iter().map(|(at, _)| *at));
        let values = rows.iter().flat_map(|(_, columns)| columns.iter().copied()).collect();
        self.rows.entities.push(proto::EntityRows { entity, at_ms, values });
        self.took(rows.len() * row_bytes)
    }

    fn add_gone(&mut self, entity: u32, times: &[TimestampMs]) -> Result<(), E> {
        let at_ms = write_times(times.iter().copied());
        self.gone.entities.push(proto::EntityTimes { entity, at_ms });
        self.took(times.len() * TIME_BYTES)
    }

    fn took(&mut self, bytes: usize) -> Result<(), E> {
        self.bytes += bytes;
        if self.bytes >= FULL_RECORD_BYTES { self.hand_on() } else { Ok(()) }
    }

    /// Entities before those who refer to them.
    fn hand_on(&mut self) -> Result<(), E> {
        self.bytes = 0;
        let [entities, rows, gone] = [
            Change::Entities(std::mem::take(&mut self.entities)),
            Change::Rows(std::mem::take(&mut self.rows)),
            Change::Gone(std::mem::take(&mut self.gone)),
        ];
        for change in [entities, rows, gone] {
            let is_empty = match &change {
                Change::Entities(entities) => entities.entities.is_empty(),
                Change::Rows(rows) => rows.entities.is_empty(),
                Change::Gone(gone) => gone.entities.is_empty(),
                Change::State(_) | Change::About(_) => false,
            };
            if !is_empty {
                self.write(change)?;
            }
        }
        Ok(())
    }

    fn finish(mut self, state: proto::State) -> Result<(), E> {
        self.hand_on()?;
        self.write(Change::State(state))
    }

    fn write(&mut self, change: Change) -> Result<(), E> {
        (self.sink)(&framed(change))
    }
}

/// The bytes of a record with what stands before it.
fn framed(change: Change) -> Vec<u8> {
    let record = proto::Record { change: Some(change) }.encode_to_vec();
    let mut bytes = Vec::with_capacity(FRAME_BYTES + record.len());
    bytes.extend_from_slice(&write_frame(&record));
    bytes.extend_from_slice(&record);
    bytes
}
