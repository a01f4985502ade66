//! Reading back: what stood at the end of the last whole write.

use super::{
    About, Header, Writer,
    frame::{self, FRAME_BYTES, HEADER_BYTES, InvalidHeader, read_frame},
    message::{read_entity, read_state, read_times},
    proto::{self, record::Change},
};
use crate::{
    series::{LabelSet, TimestampMs},
    train::{Columns, GatherState, Gathered},
};
use prost::Message as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
};

/// A journal that was read.
#[derive(Clone, Debug)]
pub struct Journal {
    /// Whose rows they are, as far as it says so.
    pub about: About,
    /// What it held at the end of the last whole write.
    pub gathered: Gathered,
    /// Where that end is, in bytes from the begin of the file.
    pub whole_bytes: u64,
    /// What is behind it.
    pub end: End,
    /// Goes on there.
    pub writer: Writer,
}

/// What is behind the last whole write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing.
    Whole,
    /// A write that was broken off: so many bytes that belong to nothing.
    Torn {
        /// How many.
        bytes: u64,
    },
    /// Something that no write leaves behind.
    Damaged(Damage),
}

/// What is wrong with a journal, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The head is none.
    #[error("it is no journal of rows: {0}")]
    Header(#[from] InvalidHeader),
    /// The bytes are not those that were written.
    #[error("the record at byte {at} was altered")]
    Altered {
        /// Where it begins.
        at: u64,
    },
    /// They are, and make no sense.
    #[error("the record at byte {at} cannot be: {problem}")]
    Invalid {
        /// Where it begins.
        at: u64,
        /// Why not.
        problem: &'static str,
    },
}

/// Rows under way.
#[derive(Default)]
struct Rows {
    /// By their numbers.
    entities: Vec<LabelSet>,
    /// The same, for repeats.
    known: BTreeSet<LabelSet>,
    /// By the number of the entity; of the first so many entities.
    rows: Vec<BTreeMap<TimestampMs, Columns>>,
    state: GatherState,
    about: About,
    /// What came since the last whole write: whose row, when, and its columns, or none where it is gone.
    pending: Vec<(usize, TimestampMs, Option<Columns>)>,
}

/// A record, or what is there in its place.
enum Next {
    Record(Vec<u8>),
    End,
    /// So many bytes of a write that was broken off.
    Torn(u64),
    Altered,
}

/// Reads the header of a journal, which says whose rows follow.
///
/// # Errors
/// Those of `source`. In the result: why it is none.
pub fn read_header(source: impl Read) -> io::Result<Result<Header, Damage>> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    source.take(HEADER_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(frame::read_header(&bytes).map_err(Damage::Header))
}

/// Reads what stands behind the `header`, to the end of `source`. Never panics, whatever the bytes, and holds little more than the
/// rows.
///
/// # Errors
/// Those of `source`. What is wrong with the bytes is no error but in [`Journal::end`].
pub fn read(header: Header, mut source: impl Read) -> io::Result<Journal> {
    let mut rows = Rows::default();
    let mut whole_bytes = HEADER_BYTES as u64;
    let mut at = whole_bytes;
    let end = loop {
        let record = match next(&mut source)? {
            Next::Record(record) => record,
            Next::End if at == whole_bytes => break End::Whole,
            Next::End => break End::Torn { bytes: at - whole_bytes },
            Next::Torn(bytes) => break End::Torn { bytes: at - whole_bytes + bytes },
            Next::Altered => break End::Damaged(Damage::Altered { at }),
        };
        let begin = at;
        at += (FRAME_BYTES + record.len()) as u64;
        let problem = match proto::Record::decode(record.as_slice()) {
            Ok(proto::Record { change: Some(change) }) => rows.take(header, &change).map(|is_last| {
                if is_last {
                    whole_bytes = at;
                }
            }),
            _ => Err("it is no message of a known kind"),
        };
        if let Err(problem) = problem {
            break End::Damaged(Damage::Invalid { at: begin, problem });
        }
    };
    // Entities of a write that is not whole have no number.
    rows.entities.truncate(rows.rows.len());
    let writer = Writer::going_on(header, &rows.entities);
    let about = std::mem::take(&mut rows.about);
    Ok(Journal { about, gathered: rows.gathered(), whole_bytes, end, writer })
}

fn next(source: &mut impl Read) -> io::Result<Next> {
    let mut head = Vec::with_capacity(FRAME_BYTES);
    source.by_ref().take(FRAME_BYTES as u64).read_to_end(&mut head)?;
    if head.is_empty() {
        return Ok(Next::End);
    }
    let Ok(frame) = <&[u8; FRAME_BYTES]>::try_from(head.as_slice()) else {
        return Ok(Next::Torn(head.len() as u64));
    };
    let Some((length, checksum)) = read_frame(frame) else {
        // Some file systems leave zeros where bytes were to be written when the power went.
        let (rest, all_zero) = drain(source)?;
        let is_hole = all_zero && head.iter().all(|byte| *byte == 0);
        return Ok(if is_hole { Next::Torn(FRAME_BYTES as u64 + rest) } else { Next::Altered });
    };
    let mut record = Vec::new();
    source.by_ref().take(length as u64).read_to_end(&mut record)?;
    if record.len() == length && crc32c::crc32c(&record) == checksum {
        return Ok(Next::Record(record));
    }
    // A write that was broken off has nothing behind it.
    let (rest, _) = drain(source)?;
    Ok(if rest == 0 { Next::Torn((FRAME_BYTES + record.len()) as u64) } else { Next::Altered })
}

/// How many bytes there are still, and whether all of them are zero.
fn drain(source: &mut impl Read) -> io::Result<(u64, bool)> {
    let (mut count, mut all_zero) = (0, true);
    let mut buffer = [0; 8192];
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok((count, all_zero)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        count += read as u64;
        all_zero &= buffer[..read].iter().all(|byte| *byte == 0);
    }
}

// === impl Rows ===

impl Rows {
    /// Takes a change, and gives whether it is the end of a write; else it waits for that.
    fn take(&mut self, header: Header, change: &Change) -> Result<bool, &'static str> {
        match change {
            Change::Entities(entities) => entities.entities.iter().try_for_each(|entity| self.add(entity))?,
            Change::Rows(changed) => {
                changed.entities.iter().try_for_each(|own| self.change(header, own))?;
            }
            Change::Gone(gone) => {
                for own in &gone.entities {
                    let (entity, times) = self.keys(own.entity, &own.at_ms)?;
                    self.pending.extend(times.into_iter().map(|at| (entity, at, None)));
                }
            }
            Change::About(proto::About { detector, features, schema }) => {
                self.about =
                    About { detector: detector.clone(), features: features.clone(), schema: schema.clone() };
            }
            Change::State(state) => {
                self.state = read_state(state).ok_or("it has more entities than can be")?;
                self.settle();
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn add(&mut self, entity: &proto::Entity) -> Result<(), &'static str> {
        let entity = read_entity(entity).ok_or("its labels are no label set")?;
        if !self.known.insert(entity.clone()) {
            return Err("an entity is there twice");
        }
        self.entities.push(entity);
        Ok(())
    }

    fn change(&mut self, header: Header, own: &proto::EntityRows) -> Result<(), &'static str> {
        let (entity, times) = self.keys(own.entity, &own.at_ms)?;
        if times.len().checked_mul(header.n_columns) != Some(own.values.len()) {
            return Err("it has more or fewer columns than the header says");
        }
        let mut columns = own.values.chunks_exact(header.n_columns.max(1));
        self.pending.extend(
            times.into_iter().map(|at| (entity, at, Some(columns.next().unwrap_or_default().into()))),
        );
        Ok(())
    }

    fn keys(&self, entity: u32, at_ms: &[i64]) -> Result<(usize, Vec<TimestampMs>), &'static str> {
        let entity = entity as usize;
        if entity >= self.entities.len() {
            return Err("it names an entity that is not known");
        }
        Ok((entity, read_times(at_ms).ok_or("its times do not ascend")?))
    }

    /// The write is whole.
    fn settle(&mut self) {
        self.rows.resize_with(self.entities.len(), BTreeMap::new);
        for (entity, at, columns) in self.pending.drain(..) {
            match columns {
                Some(columns) => _ = self.rows[entity].insert(at, columns),
                None => _ = self.rows[entity].remove(&at),
            }
        }
    }

    fn gathered(self) -> Gathered {
        let rows = self.entities.into_iter().zip(self.rows);
        let mut rows: Vec<_> = rows
            .filter(|(_, own)| !own.is_empty())
            .map(|(entity, own)| (entity, own.into_iter().collect::<Vec<_>>()))
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        Gathered { rows, state: self.state }
    }
}
