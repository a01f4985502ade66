//! What a sidecar gathered to train on survives its end: killed at any moment, it goes on where it was.
//!
//! The sidecar is the real binary, and the end is the kernel's: no handler runs.

#[cfg(test)]
#[path = "e2e_features/site.rs"]
mod site;

#[cfg(test)]
#[path = "support/support.rs"]
mod support;

use site::{FULL, N_ENTITIES, PATIENCE, Row, Site, WARM, time_of};
use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};
use support::process::wait_for;

/// SplitMix64: where the process is killed comes from a seed.
fn random(index: u64) -> u64 {
    let mut z = index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Killed eight times while steps come and rows are written. After each start everything is read back that was said to be written,
/// nothing else, and every bit of it is as in a sidecar that nobody disturbed; then steps bring rows as before.
#[test]
fn killed_at_any_moment_it_goes_on_with_the_rows_that_were_written() {
    const KILLS: u64 = 8;
    const STEPS_A_LIFE: usize = 60;
    let undisturbed = Site::start("");
    let last = KILLS as usize * STEPS_A_LIFE;
    undisturbed.send(0..last + 1);
    undisturbed.wait_until_evaluated(last);
    let expected = undisturbed.stop_and_export();
    assert_eq!(
        expected.len(),
        N_ENTITIES * (last + 1 - WARM),
        "every step of every entity from the first warm one on"
    );

    let mut site = Site::start("");
    let mut kept: BTreeMap<Row, Vec<u64>> = BTreeMap::new();
    for life in 0..KILLS {
        let steps = life as usize * STEPS_A_LIFE..(life as usize + 1) * STEPS_A_LIFE;
        let half = steps.start + STEPS_A_LIFE / 2;
        site.send(steps.start..half);
        site.wait_until_evaluated(half - 1);
        let written = site.wait_until_written(kept.len() + N_ENTITIES * (half - steps.start - WARM));
        // Somewhere in the rest, of which some is written and some is not.
        let moment = Duration::from_millis(random(life) % 2_500);
        thread::scope(|scope| {
            let begun = Instant::now();
            scope.spawn(|| site.send_while_it_lives(half..steps.end));
            thread::sleep(moment.saturating_sub(begun.elapsed()));
            site.kill();
        });
        site.restart();
        let rows = site.export();
        assert_eq!(rows.len() as f64, site.metric("emberwatch_feature_store_read_rows_total"), "life {life}");
        assert!(rows.len() >= written, "life {life}: {written} rows were written, {} are there", rows.len());
        for (row, values) in &rows {
            // The window began anew with each life, so its rows are those of the undisturbed one once it is full.
            let is_full = time_of(steps.start + FULL) <= row.0;
            assert!(expected.contains_key(row), "life {life}: {row:?} was never there");
            assert!(life > 0 && !is_full || expected[row] == *values, "life {life}: {row:?} is another one");
        }
        for (row, values) in &kept {
            assert_eq!(rows.get(row), Some(values), "life {life}: {row:?} was kept before");
        }
        kept = rows;
    }
    let log = site.log();
    assert!(!log.contains("set aside"), "a kill is no damage:\n{log}");
}

/// 128 steps must have been seen before an entity can be known. A kill lies between them, and the model comes when
/// 128 have been seen in both lives together.
#[test]
fn a_training_after_a_restart_learns_from_the_rows_of_before() {
    const BEFORE: usize = 90;
    let mut site = Site::start("");
    site.send(0..BEFORE);
    site.wait_until_evaluated(BEFORE - 1);
    site.wait_until_written(N_ENTITIES * (BEFORE - WARM));
    assert_eq!(site.metric("emberwatch_model_info"), 0.0);
    site.kill();
    site.restart();
    // The first window warms up again; a model comes four steps after it was asked for.
    let until = 128 + 2 * WARM + 6;
    site.send(BEFORE..until);
    wait_for("a model of both lives is in use", PATIENCE, || {
        (site.metric("emberwatch_model_info") == 1.0).then_some(())
    });
    let trained = site.log_line("trained a model from the stream");
    let rows: usize = trained.split("rows=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(rows > N_ENTITIES * BEFORE, "{trained}");
    assert!(until - BEFORE < 128, "the second life alone is too short for a model");
}

/// At SIGTERM everything is written, however long the interval is.
#[test]
fn a_stop_writes_what_was_not_written_yet() {
    let mut site = Site::start("  write_interval: 1h\n");
    site.send(0..40);
    site.wait_until_evaluated(39);
    assert_eq!(site.metric("emberwatch_feature_store_writes_total"), 0.0);
    site.signal("TERM");
    site.restart();
    assert_eq!(site.metric("emberwatch_feature_store_read_rows_total"), (N_ENTITIES * (40 - WARM)) as f64);
}

/// A folder that became a file, as by a slip of the hand: scores go on, it is counted and said once, and once it is mended
/// all rows are written.
#[test]
fn a_disk_that_refuses_costs_no_step() {
    let site = Site::start("");
    let folder = site.features().join("boiler");
    fs::write(&folder, "in the way").unwrap();
    site.send(0..40);
    site.wait_until_evaluated(39);
    wait_for("the failure is counted twice", PATIENCE, || {
        (site.metric("emberwatch_feature_store_write_errors_total") >= 2.0).then_some(())
    });
    assert_eq!(site.log().matches("the feature store cannot be written").count(), 1);
    fs::remove_file(&folder).unwrap();
    site.send(40..45);
    site.wait_until_evaluated(44);
    site.wait_until_written(N_ENTITIES * (45 - WARM));
    assert_eq!(site.log().matches("the feature store can be written again").count(), 1);
}

#[test]
fn a_second_sidecar_on_the_same_folder_does_not_start() {
    let site = Site::start("");
    let said = site.second_sidecar();
    assert!(
        said.contains("is in use by another emberwatch; give each its own folder as `training.path`"),
        "{said}"
    );
    assert_eq!(site.metric("emberwatch_feature_store_write_errors_total"), 0.0);
}

/// Of other features are the rows of before, and they are not mixed with new ones.
#[test]
fn rows_of_other_features_are_set_aside() {
    let mut site = Site::start("");
    site.send(0..40);
    site.wait_until_evaluated(39);
    site.signal("TERM");
    site.change_features();
    site.restart();
    assert_eq!(site.metric("emberwatch_feature_store_read_rows_total"), 0.0);
    let said = site.log_line("the file is set aside");
    assert!(said.contains("other features, windows or zones"), "{said}");
    assert!(site.features().join("boiler/rows.journal.other-schema").is_file());
    site.send(40..60);
    site.wait_until_evaluated(59);
    site.wait_until_written(N_ENTITIES * (20 - WARM));
}

/// What is exported can be read by the other commands, and `show` says the same in short.
#[test]
fn the_rows_can_be_looked_at_while_the_sidecar_runs() {
    let site = Site::start("");
    // A model knows an entity from 128 rows on, and `inspect` would complain of fewer.
    site.send(0..140);
    site.wait_until_evaluated(139);
    let rows = site.wait_until_written(N_ENTITIES * (140 - WARM));
    let shown = site.command(&["features", "show", "--path", "features"]);
    assert!(shown.contains(&format!("rows           {rows} of {N_ENTITIES} entities\n")), "{shown}");
    assert!(shown.contains("to             2026-01-05T00:02:19Z\n"), "{shown}");
    let json =
        site.command(&["features", "show", "--config", "config.yaml", "--detector", "boiler", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let celsius = &json[0]["features"][0];
    assert_eq!((json[0]["rows"].as_u64(), &celsius["name"]), (Some(rows as u64), &"celsius".into()));
    let [min, median, max] = ["min", "median", "max"].map(|name| celsius[name].as_f64().unwrap());
    assert!(55.0 <= min && min < median && median < max && max <= 65.0, "{celsius}");
    assert_eq!(celsius["missing"].as_f64(), Some(0.0));

    let said =
        site.command(&["features", "export", "--detector", "boiler", "--out", "values.csv", "--values"]);
    assert_eq!(said, format!("wrote {rows} rows of 2 columns to values.csv\n"));
    let inspected = site.command(&["inspect", "values.csv"]);
    assert!(inspected.contains("celsius") && inspected.contains("pascals"), "{inspected}");
}
