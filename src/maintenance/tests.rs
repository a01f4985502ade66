//! What holds for windows that are added, ended, kept and read again.

use super::*;
use crate::pipeline::Times;
use proptest::prelude::*;
use std::fs;

const HOUR_MS: i64 = 3_600_000;
/// 2026-11-22T04:00:00Z.
const NOW: TimestampMs = TimestampMs(1_795_320_000_000);

fn of_config() -> Vec<Maintenance> {
    let times = Times::Once { from: NOW, to: NOW.plus_ms(HOUR_MS) };
    vec![Maintenance::new("nightly".to_owned(), Vec::new(), times).unwrap()]
}

fn open(folder: &tempfile::TempDir) -> Registry {
    Registry::open(of_config(), folder.path().join("state/maintenance.json"), NOW)
}

fn request(json: &str) -> WindowRequest {
    serde_json::from_str(json).unwrap()
}

fn backup(more: &str) -> WindowRequest {
    request(&format!(r#"{{"name":"backup","match":"{{instance=~\"db.*\"}}",{more}}}"#))
}

/// Name, begin and end in hours after [`NOW`].
fn said(registry: &Registry, now: TimestampMs) -> Vec<(String, i64, i64)> {
    let hours = |at: TimestampMs| at.since_ms(NOW) / HOUR_MS;
    let said = |window: &Window| (window.name().to_owned(), hours(window.from()), hours(window.to()));
    registry.added(now).iter().map(said).collect()
}

#[test]
fn what_is_added_acts_after_the_windows_of_the_configuration_and_survives() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder);
    assert_eq!(registry.current().len(), 1);
    let soon = r#""startsAt":"2026-11-22T06:00:00+01:00","ends_at":"2026-11-22T08:00:00Z","createdBy":"ann""#;
    let added = registry.add(backup(soon), NOW).unwrap();
    assert_eq!(added.state(NOW), State::Pending);
    registry.add(request(r#"{"name":"all","match":"{}","duration":"1h30m"}"#), NOW).unwrap();
    let names = |registry: &Registry| -> Vec<String> {
        registry.current().iter().map(|work| work.name().to_owned()).collect()
    };
    assert_eq!(names(&registry), ["nightly", "backup", "all"]);
    assert_eq!(said(&registry, NOW)[0], ("backup".to_owned(), 1, 4));

    let again = open(&folder);
    assert_eq!(names(&again), names(&registry));
    assert_eq!(again.added(NOW)[0].id(), added.id());
    assert_eq!(again.added(NOW)[0].created_by(), "ann");
    assert_eq!(again.current()[1].matchers(), registry.current()[1].matchers());
    assert_eq!(again.current()[2].open_until(NOW), Some(NOW.plus_ms(HOUR_MS * 3 / 2)));
}

#[test]
fn a_window_that_is_open_is_cut_off_and_any_other_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder);
    let later = NOW.plus_ms(HOUR_MS);
    let id = registry.add(backup(r#""duration":"3h""#), NOW).unwrap().id().to_owned();
    assert_eq!(registry.end("backup", later).unwrap().to(), later);
    assert_eq!(said(&registry, later), [("backup".to_owned(), 0, 1)]);
    assert_eq!(
        registry.current()[1].open_until(NOW),
        Some(later),
        "steps made up for are judged as they were"
    );

    registry.add(backup(r#""starts_at":"2026-11-22T09:00:00Z","duration":"1h""#), later).unwrap();
    assert_eq!(said(&registry, later).len(), 2, "the name is free again");
    registry.end("backup", later).unwrap();
    assert_eq!(said(&registry, later), [("backup".to_owned(), 0, 1)], "the one that was to come");
    registry.end(&id, later).unwrap();
    assert_eq!(said(&open(&folder), later), []);
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder);
    registry.add(backup(r#""duration":"3h""#), NOW).unwrap();
    let add = |request: WindowRequest| registry.add(request, NOW).unwrap_err().to_string();
    let taken =
        "a window that has not ended is named \"backup\" too: write another name, or end that one first";
    assert_eq!(add(backup(r#""duration":"5h""#)), taken);
    assert!(add(request(r#"{"name":"nightly","match":"{}","duration":"5h"}"#)).contains("\"nightly\" too"));
    let over = r#"{"name":"x","match":"{}","starts_at":"2026-11-16T00:00:00Z","duration":"2h"}"#;
    assert!(add(request(over)).contains("more than five days ago"));
    let end = |given: &str| registry.end(given, NOW).unwrap_err().to_string();
    assert!(end("nightly").contains("is a window of the configuration"));
    assert_eq!(end("other"), "no window has the id or the name \"other\"");
    assert_eq!(said(&registry, NOW).len(), 1);
}

#[test]
fn what_is_wrong_is_said_with_what_to_write() {
    let long = "x".repeat(2000);
    for (json, problem) in [
        (r#"{"match":"{}","duration":"1h"}"#.to_owned(), "name is missing"),
        (
            format!(r#"{{"name":"{long}","match":"{{}}","duration":"1h"}}"#),
            "name has 2000 bytes, at most 128",
        ),
        (format!(r#"{{"name":"a","comment":"{long}","match":"{{}}","duration":"1h"}}"#), "comment has 2000"),
        (r#"{"name":"a","duration":"1h"}"#.to_owned(), "write either match"),
        (r#"{"name":"a","matchers":[],"duration":"1h"}"#.to_owned(), "write either match"),
        (r#"{"name":"a","match":"{a=}","duration":"1h"}"#.to_owned(), "match is no selector: "),
        (
            r#"{"name":"a","matchers":[{"name":"a","value":"(","isRegex":true}],"duration":"1h"}"#.to_owned(),
            "matchers: invalid regular expression \"(\"",
        ),
        (r#"{"name":"a","match":"{}"}"#.to_owned(), "write either ends_at or duration"),
        (r#"{"name":"a","match":"{}","duration":"0s"}"#.to_owned(), "duration: \"0s\" is not one"),
        (r#"{"name":"a","match":"{}","ends_at":"tomorrow"}"#.to_owned(), "ends_at: \"tomorrow\" is not an"),
        (r#"{"name":"a","match":"{}","ends_at":"2026-11-22T03:00:00Z"}"#.to_owned(), "ends at 1795316400000"),
    ] {
        let error = request(&json).check(NOW).unwrap_err().to_string();
        assert!(error.starts_with(problem), "{json}: {error}");
    }
    let many = MatcherText { name: "a".to_owned(), value: "b".to_owned(), is_regex: false, is_equal: true };
    let matchers = Some(vec![many; 40]);
    let request = WindowRequest { matchers, selector: None, ..backup(r#""duration":"1h""#) };
    assert!(matches!(request.check(NOW), Err(InvalidWindow::Matchers { matchers: 33 })));
}

#[test]
fn a_damaged_file_is_set_aside_and_a_missing_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state/maintenance.json");
    open(&folder).add(backup(r#""duration":"3h""#), NOW).unwrap();
    let whole = fs::read_to_string(&file).unwrap();
    for damaged in [
        &whole[..whole.len() / 2],
        &whole.replace("\"format\": 1", "\"format\": 2"),
        &whole.replace("2026-11-22T07:00:00Z", "2026-11-22T01:00:00Z"),
    ] {
        fs::write(&file, damaged).unwrap();
        let registry = open(&folder);
        assert_eq!(said(&registry, NOW), []);
        assert_eq!(
            fs::read_to_string(folder.path().join("state/maintenance.json.damaged")).unwrap(),
            damaged
        );
        assert!(!file.exists());
        registry.add(backup(r#""duration":"1h""#), NOW).unwrap();
        assert_eq!(said(&open(&folder), NOW), [("backup".to_owned(), 0, 1)]);
    }
}

#[test]
fn what_the_disk_refuses_does_not_act() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("state"), "a file where the folder should be").unwrap();
    let registry = open(&folder);
    let error = registry.add(backup(r#""duration":"3h""#), NOW).unwrap_err();
    assert!(matches!(error, RegistryError::File { .. }), "{error}");
    assert_eq!((registry.current().len(), said(&registry, NOW).len()), (1, 0));
}

#[test]
fn windows_are_forgotten_five_days_after_their_end_and_sooner_where_there_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder);
    registry.add(backup(r#""duration":"1h""#), NOW).unwrap();
    let days = |days: i64| NOW.plus_ms(HOUR_MS + days * 24 * HOUR_MS);
    assert_eq!(registry.added(days(5).plus_ms(-1)).len(), 1);
    assert_eq!(registry.added(days(5)).len(), 0);

    let full: Vec<Window> = (0..MAX_WINDOWS)
        .map(|n| WindowRequest { name: n.to_string(), ..backup(r#""duration":"1h""#) }.check(NOW).unwrap())
        .collect();
    file::write(&folder.path().join("state/maintenance.json"), &full).unwrap();
    let registry = open(&folder);
    assert!(matches!(registry.add(backup(r#""duration":"1h""#), NOW), Err(RegistryError::Full)));
    registry.add(backup(r#""duration":"1h""#), days(0)).unwrap();
    assert_eq!(registry.added(days(0)).len(), MAX_WINDOWS);
    assert_eq!(registry.added(days(0))[0].name(), "1", "the oldest that has ended made room");
}

fn matcher() -> impl Strategy<Value = MatcherText> {
    ("[a-z]{1,5}", "[a-zäß\"{},\\\\]{0,8}", any::<bool>()).prop_map(|(name, value, is_equal)| MatcherText {
        name,
        value,
        is_regex: false,
        is_equal,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// For all windows, what is written is read again.
    #[test]
    fn a_file_is_read_as_it_was_written(
        name in "\\PC{1,20}", matchers in prop::collection::vec(matcher(), 1..4), comment in "\\PC{0,20}",
        from in 0_i64..4_000_000_000_000, length in 1_i64..10_000_000_000,
    ) {
        let instant = |ms: i64| Some(jiff::Timestamp::from_millisecond(ms).unwrap().to_string());
        let (starts_at, ends_at) = (instant(from), instant(from + length));
        let request = WindowRequest {
            name: format!("a{name}"), matchers: Some(matchers), comment, starts_at, ends_at,
            ..WindowRequest::default()
        };
        let window = request.check(NOW).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("maintenance.json");
        file::write(&path, std::slice::from_ref(&window)).unwrap();
        let read = file::read(&path).remove(0);
        prop_assert_eq!(format!("{read:?}"), format!("{window:?}"));
    }

    /// For all bytes in the file, the registry opens.
    #[test]
    fn any_file_is_read_or_set_aside(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("maintenance.json");
        fs::write(&path, &bytes).unwrap();
        prop_assert_eq!(Registry::open(Vec::new(), path, NOW).current().len(), 0);
    }
}
