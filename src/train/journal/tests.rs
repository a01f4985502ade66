use super::*;
use crate::{
    series::{LabelSet, TimestampMs},
    train::{EntityChanges, GatherState, GatherUpdate, Gathered, Present, Reservoir, RowChanges},
};
use frame::{FRAME_BYTES, HEADER_BYTES, InvalidHeader};
use proptest::prelude::*;
use std::{convert::Infallible, sync::Arc};

const HEADER: Header = Header { fingerprint: 0x0123_4567_89AB_CDEF, n_columns: 2 };

fn named(name: &str) -> LabelSet {
    LabelSet::from_pairs([("instance", name)]).unwrap()
}

fn changes(name: &str, rows: &[(i64, [f64; 2])], gone: &[i64]) -> EntityChanges {
    EntityChanges {
        entity: named(name),
        rows: rows.iter().map(|(at, columns)| (TimestampMs(*at), Arc::from(&columns[..]))).collect(),
        gone: gone.iter().copied().map(TimestampMs).collect(),
    }
}

fn update(entities: Vec<EntityChanges>, first: i64) -> GatherUpdate {
    let state = GatherState { first: Some(TimestampMs(first)), ..GatherState::default() };
    GatherUpdate { changes: RowChanges { is_complete: false, entities }, state, n_rows: 0, n_entities: 0 }
}

fn appended(writer: &mut Writer, update: &GatherUpdate) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(()) = writer.append(update, |piece| {
        bytes.extend_from_slice(piece);
        Ok::<_, Infallible>(())
    });
    bytes
}

/// A journal of these updates.
fn journal(updates: &[GatherUpdate]) -> Vec<u8> {
    let mut writer = Writer::new(HEADER);
    let mut bytes = writer.header();
    updates.iter().for_each(|update| bytes.extend(appended(&mut writer, update)));
    bytes
}

fn read_all(bytes: &[u8]) -> Journal {
    assert_eq!(read_header(bytes).unwrap(), Ok(HEADER));
    read(HEADER, &bytes[HEADER_BYTES..]).unwrap()
}

fn two_writes() -> [GatherUpdate; 2] {
    let first = vec![
        changes("b", &[(1_000, [1.0, f64::NAN]), (2_000, [-0.0, 2.0])], &[]),
        changes("a", &[(1_000, [3.0, 4.0])], &[]),
    ];
    let second = vec![changes("a", &[(5_000, [5.0, 6.0])], &[1_000]), changes("c", &[], &[7])];
    [update(first, 1), update(second, 2)]
}

/// Worked out by hand from the description of the format and the Protocol Buffers encoding; the checksums by a second
/// implementation.
#[test]
fn the_bytes_are_those_of_the_description() {
    let bytes = journal(&[update(vec![changes("a", &[(1_000, [1.0, 2.0])], &[])], 7)]);
    let mut expected = b"EMBRROWS\x01\0\0\0\xEF\xCD\xAB\x89\x67\x45\x23\x01\x02\0\0\0".to_vec();
    let checksum = |bytes: &[u8]| by_bits(bytes).to_le_bytes();
    expected.extend(checksum(&expected));
    for record in [
        // Record { entities = 1 { entities = 1 { labels = 1 { name = 1 "instance", value = 2 "a" } } } }
        b"\x0A\x11\x0A\x0F\x0A\x0D\x0A\x08instance\x12\x01a".to_vec(),
        // Record { rows = 2 { entities = 1 { at_ms = 2 packed [zigzag 1000], values = 3 packed [1.0, 2.0] } } }
        b"\x12\x18\x0A\x16\x12\x02\xD0\x0F\x1A\x10\0\0\0\0\0\0\xF0\x3F\0\0\0\0\0\0\0\x40".to_vec(),
        // Record { state = 4 { first_ms = 1: zigzag 7 } }
        b"\x22\x02\x08\x0E".to_vec(),
    ] {
        let length = (record.len() as u32).to_le_bytes();
        expected.extend(length);
        expected.extend(checksum(&length));
        expected.extend(checksum(&record));
        expected.extend(record);
    }
    assert_eq!(bytes, expected);
}

/// CRC-32C bit by bit: polynomial 0x1EDC6F41, reflected.
fn by_bits(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}

/// The check value of the catalogue of CRC algorithms.
#[test]
fn the_second_implementation_of_the_checksum_is_right() {
    assert_eq!(by_bits(b"123456789"), 0xE306_9283);
}

#[test]
fn what_was_written_is_read_back() {
    let read = read_all(&journal(&two_writes()));
    assert_eq!(read.end, End::Whole);
    let names: Vec<&LabelSet> = read.gathered.rows.iter().map(|(entity, _)| entity).collect();
    assert_eq!(names, [&named("a"), &named("b")]);
    assert_eq!(read.gathered.rows[0].1, [(TimestampMs(5_000), Arc::from([5.0, 6.0]))]);
    let b = &read.gathered.rows[1].1;
    assert!(b[0].1[1].is_nan() && b[1].1[0].is_sign_negative(), "every bit");
    assert_eq!(read.gathered.state.first, Some(TimestampMs(2)));
}

#[test]
fn all_of_the_state_is_kept() {
    let state = GatherState {
        first: None,
        last_job: Some(TimestampMs(-5)),
        not_before: Some(TimestampMs(i64::MAX)),
        present: Present { day: 20_000, today: 17, day_before: 3 },
    };
    let read = read_all(&journal(&[GatherUpdate { state, ..update(Vec::new(), 0) }]));
    assert_eq!(read.gathered, Gathered { rows: Vec::new(), state });
}

/// At every byte at which a process can be killed: what is read is what stood after the last whole write.
#[test]
fn a_write_that_was_broken_off_is_as_if_it_had_not_been() {
    let [first, second] = two_writes();
    let whole = journal(std::slice::from_ref(&first));
    let both = journal(&[first, second]);
    let before = read_all(&whole).gathered;
    for length in whole.len() + 1..both.len() {
        let read = read_all(&both[..length]);
        assert_eq!(read.end, End::Torn { bytes: (length - whole.len()) as u64 });
        assert_eq!(
            (read.whole_bytes, format!("{:?}", read.gathered)),
            (whole.len() as u64, format!("{before:?}"))
        );
    }
}

/// A file system that lost the end of a write may leave zeros there.
#[test]
fn zeros_behind_the_last_write_are_torn() {
    for zeros in [1, FRAME_BYTES, 100_000] {
        let mut bytes = journal(&two_writes());
        let length = bytes.len() as u64;
        bytes.resize(bytes.len() + zeros, 0);
        let read = read_all(&bytes);
        assert_eq!((read.end, read.whole_bytes), (End::Torn { bytes: zeros as u64 }, length));
    }
}

/// For every bit of the first write that is turned over, what is read is what was before it, and that is said.
#[test]
fn an_altered_record_ends_what_is_read() {
    let [first, second] = two_writes();
    let (begin, end) = (HEADER_BYTES, journal(std::slice::from_ref(&first)).len());
    let bytes = journal(&[first, second]);
    for bit in begin * 8..end * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let read = read_all(&altered);
        assert!(matches!(read.end, End::Damaged(Damage::Altered { .. })), "bit {bit}: {:?}", read.end);
        assert_eq!((read.whole_bytes, read.gathered), (begin as u64, Gathered::default()));
    }
}

#[test]
fn a_header_that_is_none_says_why() {
    let bytes = journal(&[]);
    let refused = |bytes: &[u8]| match read_header(bytes).unwrap() {
        Err(Damage::Header(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&bytes[..20]), InvalidHeader::Truncated { have: 20 });
    assert_eq!(refused(b"timestamp,instance"), InvalidHeader::WrongMagic { found: "timestam".to_owned() });
    let mut newer = bytes.clone();
    newer[8] = 2;
    assert_eq!(refused(&newer), InvalidHeader::FormatVersion { found: 2 });
    let mut altered = bytes;
    altered[12] ^= 1;
    assert!(matches!(refused(&altered), InvalidHeader::Altered { .. }));
}

/// Checksums are right and what they stand for is not: nothing of such a write counts.
#[test]
fn what_makes_no_sense_is_said() {
    let invalid = |change: proto::record::Change| {
        let mut bytes = journal(&two_writes());
        let record = prost::Message::encode_to_vec(&proto::Record { change: Some(change) });
        bytes.extend(frame::write_frame(&record));
        bytes.extend(record);
        match read_all(&bytes) {
            Journal { end: End::Damaged(Damage::Invalid { problem, .. }), gathered, .. } => {
                assert_eq!(gathered.n_rows(), 3);
                problem
            }
            other => panic!("{other:?}"),
        }
    };
    use proto::record::Change;
    let rows = |entity, at_ms: &[i64], values: usize| {
        Change::Rows(proto::Rows {
            entities: vec![proto::EntityRows { entity, at_ms: at_ms.to_vec(), values: vec![0.0; values] }],
        })
    };
    assert_eq!(invalid(rows(2, &[1], 2)), "it names an entity that is not known");
    assert_eq!(invalid(rows(0, &[1, 0], 4)), "its times do not ascend");
    assert_eq!(invalid(rows(0, &[1, i64::MAX], 4)), "its times do not ascend");
    assert_eq!(invalid(rows(0, &[1], 3)), "it has more or fewer columns than the header says");
    let known = proto::Entities { entities: vec![message::write_entity(&named("a"))] };
    assert_eq!(invalid(Change::Entities(known)), "an entity is there twice");
    let crowd = proto::State { entities_today: u64::MAX, ..proto::State::default() };
    assert_eq!(invalid(Change::State(crowd)), "it has more entities than can be");
}

/// A write of more than a record goes out in pieces, none much larger than it need be.
#[test]
fn large_writes_are_many_records() {
    let rows: Vec<(i64, [f64; 2])> = (0..200_000).map(|at| (at, [at as f64, 0.5])).collect();
    let update = update(vec![changes("a", &rows, &[]), changes("b", &rows[..9], &[])], 0);
    let (mut writer, mut pieces) = (Writer::new(HEADER), Vec::new());
    let Ok(()) = writer.append(&update, |piece| {
        pieces.push(piece.len());
        Ok::<_, Infallible>(())
    });
    assert!(pieces.len() > 4 && pieces.iter().all(|bytes| *bytes < 2 << 20), "{pieces:?}");
    let read = read_all(&journal(&[update]));
    assert_eq!((read.end, read.gathered.n_rows()), (End::Whole, 200_009));
}

/// One reservoir, and the bytes that a journal of it has.
fn gathered(reservoir: &Reservoir, first: i64) -> Gathered {
    let rows = reservoir.rows();
    let mut by_entity: Vec<(LabelSet, Vec<_>)> =
        rows.entities.iter().map(|entity| (entity.clone(), Vec::new())).collect();
    for (row, entity) in rows.entity_of.iter().enumerate() {
        by_entity[*entity].1.push((rows.at[row], rows.values.row(row).to_vec().into()));
    }
    let state = GatherState {
        first: Some(TimestampMs(first)),
        present: reservoir.present(),
        ..GatherState::default()
    };
    Gathered { rows: by_entity, state }
}

proptest! {
    /// For all that can happen to a reservoir whose changes are written down, and for every byte at which the file ends: what is
    /// read back is exactly what the reservoir held at the last write that is whole; and a writer that goes on from there writes
    /// what is read back again.
    #[test]
    fn what_is_read_back_is_what_stood_at_a_whole_write(
        events in prop::collection::vec(super::super::changes::tests::event(), 1..80),
        max_rows in 1_usize..30,
        cut in any::<prop::sample::Index>(),
    ) {
        use super::super::changes::tests::{happen, reservoir};
        let mut kept = reservoir(max_rows);
        let mut writer = Writer::new(HEADER);
        let mut bytes = writer.header();
        // Where each whole write ends, and what was gathered then.
        let mut whole = vec![(bytes.len(), Gathered::default())];
        for (now, event) in events.iter().enumerate() {
            let Some(changes) = happen(&mut kept, now as i64, event) else { continue };
            if changes.is_complete {
                writer = Writer::new(HEADER);
                bytes = writer.header();
                whole = vec![(bytes.len(), Gathered::default())];
            }
            let gathered = gathered(&kept, now as i64);
            let update = GatherUpdate { changes, state: gathered.state, n_rows: kept.len(), n_entities: 0 };
            bytes.extend(appended(&mut writer, &update));
            whole.push((bytes.len(), gathered));
        }
        let length = HEADER_BYTES + cut.index(bytes.len() - HEADER_BYTES + 1);
        let (end, expected) = whole.iter().rfind(|(end, _)| *end <= length).unwrap();
        let mut read = read_all(&bytes[..length]);
        prop_assert_eq!(&read.gathered, expected);
        prop_assert_eq!(read.whole_bytes, *end as u64);
        let torn = (length - end) as u64;
        prop_assert_eq!(read.end, if torn == 0 { End::Whole } else { End::Torn { bytes: torn } });

        let mut restored = reservoir(max_rows);
        restored.restore(read.gathered);
        restored.note_changes();
        let mut bytes = bytes[..*end].to_vec();
        for (now, event) in (events.len()..).zip(&events) {
            if matches!(event, super::super::changes::tests::Event::Take(_)) {
                continue;
            }
            happen(&mut restored, now as i64, event);
        }
        let changes = restored.take_changes(false).unwrap();
        let expected = gathered(&restored, 0);
        let update = GatherUpdate { changes, state: expected.state, n_rows: 0, n_entities: 0 };
        bytes.extend(appended(&mut read.writer, &update));
        prop_assert_eq!(read_all(&bytes).gathered, expected);
    }

    /// For all bytes, reading ends, and gives no more rows than there are bytes.
    #[test]
    fn no_bytes_panic(content in prop::collection::vec(any::<u8>(), 0..300)) {
        let plain = read(HEADER, content.as_slice()).unwrap();
        let mut framed = frame::write_frame(&content).to_vec();
        framed.extend(&content);
        let framed = read(HEADER, framed.as_slice()).unwrap();
        prop_assert!(plain.gathered.n_rows() + framed.gathered.n_rows() <= content.len());
        let _ = read_header(content.as_slice()).unwrap();
    }
}

#[test]
fn a_journal_says_whose_rows_it_has() {
    let about =
        About { detector: "node".to_owned(), features: vec!["cpu".to_owned()], schema: "text".to_owned() };
    let mut writer = Writer::new(HEADER);
    let mut bytes = writer.header();
    bytes.extend(writer.about(&about));
    bytes.extend(appended(&mut writer, &two_writes()[0]));
    let read = read_all(&bytes);
    assert_eq!((read.about, read.gathered.n_rows(), read.end), (about, 3, End::Whole));
}

#[test]
fn nothing_of_an_entity_without_rows_is_written() {
    let mut writer = Writer::new(HEADER);
    let quiet = appended(&mut writer, &update(vec![changes("a", &[], &[1, 2])], 0));
    assert_eq!(quiet, appended(&mut writer, &update(Vec::new(), 0)));
}
