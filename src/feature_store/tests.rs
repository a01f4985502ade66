use super::*;
use crate::{
    features::{FeatureColumn, SchemaSettings},
    series::{LabelSet, TimestampMs},
    train::{EntityChanges, GatherState, GatherUpdate, Gathered, RowChanges},
};
use std::io::Write as _;

/// Columns of a row: eight of the feature, four of the calendar.
const N_COLUMNS: usize = 12;

fn schema(feature: &str) -> FeatureSchema {
    let feature = FeatureColumn { name: feature.to_owned(), expression: feature.to_owned() };
    FeatureSchema::new(SchemaSettings {
        detector: "boiler".to_owned(),
        features: vec![feature],
        ..SchemaSettings::default()
    })
    .unwrap()
}

/// The rows of two entities at these minutes.
fn update(is_complete: bool, minutes: std::ops::Range<i64>, n_rows: usize) -> GatherUpdate {
    let entity = |name: &str| EntityChanges {
        entity: LabelSet::from_pairs([("instance", name)]).unwrap(),
        rows: minutes
            .clone()
            .map(|at| (TimestampMs(at * 60_000), vec![at as f64; N_COLUMNS].into()))
            .collect(),
        gone: Vec::new(),
    };
    let changes = RowChanges { is_complete, entities: vec![entity("a"), entity("b")] };
    let state = GatherState { first: Some(TimestampMs(minutes.start)), ..GatherState::default() };
    GatherUpdate { changes, state, n_rows, n_entities: 2 }
}

fn minutes(gathered: &Gathered) -> Vec<Vec<i64>> {
    let of = |own: &Vec<(TimestampMs, _)>| own.iter().map(|(at, _)| at.0 / 60_000).collect();
    gathered.rows.iter().map(|(_, own)| of(own)).collect()
}

struct Folder {
    folder: tempfile::TempDir,
    store: Option<FeatureStore>,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), store: None }
    }

    /// As after a restart: the process that had it is gone.
    fn open(&mut self, feature: &str, max_bytes: usize) -> (DetectorStore, Gathered) {
        self.store = None;
        let store = self.store.insert(FeatureStore::open(self.folder.path()).unwrap());
        let mut detector = store.detector(&schema(feature), max_bytes);
        let gathered = detector.read_back();
        (detector, gathered)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("boiler").join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("boiler")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

const ROOM: usize = 1 << 20;

#[test]
fn what_was_written_is_there_after_a_restart() {
    let mut folder = Folder::new();
    let (mut store, gathered) = folder.open("f", ROOM);
    assert!(store.wants_everything() && gathered.rows.is_empty());
    assert_eq!(store.write(&update(false, 0..5, 10)).unwrap(), Written::Postponed);
    assert_eq!(store.write(&update(true, 0..5, 10)).unwrap(), Written::Kept);
    assert_eq!(store.write(&update(false, 5..7, 14)).unwrap(), Written::Kept);
    assert_eq!(store.bytes(), fs::metadata(folder.file("rows.journal")).unwrap().len());

    let (mut store, gathered) = folder.open("f", ROOM);
    assert_eq!(minutes(&gathered), [Vec::from_iter(0..7), Vec::from_iter(0..7)]);
    assert_eq!(gathered.state.first, Some(TimestampMs(5)));
    assert!(!store.wants_everything(), "it goes on where it was");
    store.write(&update(false, 7..8, 16)).unwrap();
    assert_eq!(minutes(&folder.open("f", ROOM).1), [Vec::from_iter(0..8), Vec::from_iter(0..8)]);
    assert_eq!(journals(folder.folder.path()).unwrap(), [("boiler".to_owned(), folder.file("rows.journal"))]);
}

#[test]
fn nothing_new_is_not_written() {
    let mut folder = Folder::new();
    let (mut store, _) = folder.open("f", ROOM);
    store.write(&update(true, 0..5, 10)).unwrap();
    let bytes = store.bytes();
    let mut same = update(false, 0..0, 10);
    same.changes.entities.clear();
    assert_eq!(store.write(&same).unwrap(), Written::Nothing);
    same.state.last_job = Some(TimestampMs(3));
    assert_eq!((store.write(&same).unwrap(), store.bytes() > bytes), (Written::Kept, true));
}

#[test]
fn a_torn_end_is_cut_and_written_over() {
    let mut folder = Folder::new();
    let (mut store, _) = folder.open("f", ROOM);
    store.write(&update(true, 0..5, 10)).unwrap();
    let whole = store.bytes();
    store.write(&update(false, 5..7, 14)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(folder.file("rows.journal")).unwrap();
    file.set_len(store.bytes() - 1).unwrap();

    let (mut store, gathered) = folder.open("f", ROOM);
    assert_eq!((minutes(&gathered)[0].len(), store.bytes()), (5, whole));
    store.write(&update(false, 7..8, 12)).unwrap();
    assert_eq!(minutes(&folder.open("f", ROOM).1)[0], [0, 1, 2, 3, 4, 7]);
}

#[test]
fn what_a_crash_left_beside_the_journal_is_removed() {
    let mut folder = Folder::new();
    let (mut store, _) = folder.open("f", ROOM);
    store.write(&update(true, 0..5, 10)).unwrap();
    fs::write(folder.file(".new-Xyz"), b"half of a journal").unwrap();
    assert_eq!(minutes(&folder.open("f", ROOM).1)[0].len(), 5);
    assert_eq!(folder.names(), ["rows.journal"]);
}

#[test]
fn a_damaged_journal_is_set_aside_and_what_was_before_is_kept() {
    let mut folder = Folder::new();
    let (mut store, _) = folder.open("f", ROOM);
    store.write(&update(true, 0..5, 10)).unwrap();
    let whole = store.bytes() as usize;
    store.write(&update(false, 5..7, 14)).unwrap();
    store.write(&update(false, 7..9, 18)).unwrap();
    let mut bytes = fs::read(folder.file("rows.journal")).unwrap();
    bytes[whole + 40] ^= 1;
    fs::write(folder.file("rows.journal"), &bytes).unwrap();

    let (mut store, gathered) = folder.open("f", ROOM);
    assert_eq!(minutes(&gathered)[0], [0, 1, 2, 3, 4]);
    assert_eq!((folder.names(), store.wants_everything()), (vec!["rows.journal.damaged".to_owned()], true));
    assert_eq!(fs::read(folder.file("rows.journal.damaged")).unwrap(), bytes);
    store.write(&update(true, 0..5, 10)).unwrap();
    assert_eq!(minutes(&folder.open("f", ROOM).1)[0], [0, 1, 2, 3, 4]);
}

#[test]
fn a_file_that_is_no_journal_is_set_aside() {
    let mut folder = Folder::new();
    fs::create_dir_all(folder.folder.path().join("boiler")).unwrap();
    fs::write(folder.file("rows.journal"), "timestamp,instance\n").unwrap();
    let (store, gathered) = folder.open("f", ROOM);
    assert!(gathered.rows.is_empty() && store.wants_everything());
    assert_eq!(folder.names(), ["rows.journal.damaged"]);
}

#[test]
fn rows_of_another_schema_are_set_aside() {
    let mut folder = Folder::new();
    let (mut store, _) = folder.open("f", ROOM);
    store.write(&update(true, 0..5, 10)).unwrap();
    let (store, gathered) = folder.open("g", ROOM);
    assert!(gathered.rows.is_empty() && store.wants_everything());
    assert_eq!(folder.names(), ["rows.journal.other-schema"]);
}

/// Ten rows are alive; written again and again they wear the journal out, and it never grows beyond a few times what is small.
#[test]
fn a_journal_of_which_most_is_dead_is_written_anew() {
    let mut folder = Folder::new();
    let (mut store, _) = folder.open("f", ROOM);
    store.write(&update(true, 0..5, 10)).unwrap();
    let (fresh, mut most, mut times) = (store.bytes(), 0, 0);
    for _ in 0..1_000 {
        let everything = store.wants_everything();
        times += usize::from(everything);
        assert_eq!(store.write(&update(everything, 0..5, 10)).unwrap(), Written::Kept);
        assert!(!everything || store.bytes() == fresh);
        most = most.max(store.bytes());
    }
    assert!((65_536..68_000).contains(&most), "{most}");
    assert!((10..30).contains(&times), "{times}");
}

#[test]
fn the_bound_holds() {
    let mut folder = Folder::new();
    let (mut store, _) = folder.open("f", 4_000);
    // 12 columns of 8 bytes: 20 rows take 2 KB and something.
    store.write(&update(true, 0..10, 20)).unwrap();
    assert_eq!(store.write(&update(false, 10..20, 40)).unwrap(), Written::Postponed);
    assert!(store.wants_everything());
    let error = store.write(&update(true, 0..20, 40)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rows and their labels take more than the 4000 bytes of training.max_bytes"
    );
    assert_eq!(minutes(&folder.open("f", 4_000).1)[0].len(), 10, "the journal of before");
    let config = Config { max_bytes: 2 * 1_000 * (8 * N_COLUMNS + 4), ..Config::default() };
    assert_eq!(config.most_rows(&schema("f")), 1_000);
}

#[test]
fn two_processes_cannot_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = FeatureStore::open(folder.path()).unwrap();
    let refused = FeatureStore::open(folder.path()).unwrap_err();
    let path = folder.path().display();
    assert_eq!(
        refused.to_string(),
        format!(
            "the feature store {path} is in use by another emberwatch; give each its own folder as `training.path`"
        )
    );
    drop(first);
    assert!(FeatureStore::open(folder.path()).is_ok());
}

/// A file stands where the folder should be: nothing can be written, which is said at each attempt, until it is gone.
#[test]
fn a_disk_that_refuses_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features");
    fs::File::create(&path).unwrap().write_all(b"in the way").unwrap();
    let store = FeatureStore::open(&path).unwrap();
    let mut detector = store.detector(&schema("f"), ROOM);
    assert_eq!(detector.read_back(), Gathered::default());
    for _ in 0..2 {
        assert!(matches!(detector.write(&update(true, 0..5, 10)), Err(WriteError::Io(_))));
        assert!(detector.wants_everything());
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(detector.write(&update(true, 0..5, 10)).unwrap(), Written::Kept);
    assert_eq!(detector.write(&update(false, 5..7, 14)).unwrap(), Written::Kept);
}
