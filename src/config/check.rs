//! From a document to the sections of a [`Config`].

use super::{
    alerts::alerts,
    detectors::detectors,
    history::history,
    maintenance::maintenance,
    remote_write::remote_write,
    section::Section,
    settings::{Config, Models, Storage, Training},
    training::triggers,
};
use crate::{
    feature_store, receive,
    score::iforest::{Hyperparams, MAX_FEATURES, MAX_SPLIT_CANDIDATES, Scoring, SplitKind, Splits},
    train::ReservoirSettings,
    wire::Limits,
};
use std::{path::PathBuf, time::Duration};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// The whole document; `None` when a part could not be read, which has been noted.
pub(super) fn config(mut root: Section<'_>) -> Option<Config> {
    // Every part is read before any is given up on: all problems are wanted.
    let step = root.duration("step", 15 * SECOND, SECOND..=HOUR);
    let settle_timeout = root.duration("settle_timeout", 30 * SECOND, Duration::ZERO..=HOUR);
    let receive = receive(root.section("receive"));
    let storage = storage(root.section("storage"));
    let remote_write = remote_write(&mut root);
    let history = history(&mut root);
    let models = models(root.section("models"));
    let state = state(root.section("state"));
    let training = training(root.section("training"));
    let detectors = detectors(&mut root, step);
    let maintenance = maintenance(&mut root);
    let alerts = alerts(root.section("alerts"));
    let external_labels = external_labels(root.section("external_labels"));
    root.finish();
    Some(Config {
        step,
        settle_timeout,
        receive,
        storage,
        remote_write,
        history,
        models,
        state,
        training: training?,
        detectors,
        maintenance,
        alerts,
        external_labels,
    })
}

fn receive(mut section: Section<'_>) -> receive::Config {
    let default = receive::Config::default();
    let limits = default.limits.clone();
    let config = receive::Config {
        limits: Limits {
            max_compressed_bytes: section.size(
                "max_request_bytes",
                limits.max_compressed_bytes,
                1024..=1 << 30,
            ),
            max_decoded_bytes: section.size("max_decoded_bytes", limits.max_decoded_bytes, 1024..=1 << 30),
            max_series: section.number("max_series_per_request", limits.max_series, 1..=10_000_000),
            max_samples: section.number("max_samples_per_request", limits.max_samples, 1..=10_000_000),
            max_labels_per_series: section.number(
                "max_labels_per_series",
                limits.max_labels_per_series,
                1..=1000,
            ),
            max_label_name_bytes: section.size(
                "max_label_name_bytes",
                limits.max_label_name_bytes,
                1..=1 << 20,
            ),
            max_label_value_bytes: section.size(
                "max_label_value_bytes",
                limits.max_label_value_bytes,
                1..=1 << 20,
            ),
            ..limits
        },
        max_pending_bytes: section.size("max_pending_bytes", default.max_pending_bytes, 1 << 20..=1 << 40),
        body_timeout: section.duration("body_timeout", default.body_timeout, SECOND..=HOUR),
        retry_after: section.duration("retry_after", default.retry_after, SECOND..=HOUR),
    };
    section.finish();
    config
}

fn storage(mut section: Section<'_>) -> Storage {
    let default = Storage::default();
    let storage = Storage {
        shards: section.number("shards", default.shards, 1..=256),
        shard_queue_capacity: section.number(
            "shard_queue_capacity",
            default.shard_queue_capacity,
            2..=65_536,
        ),
        max_series: section.number("max_series", default.max_series, 1..=1_000_000_000),
        max_bytes: section.size("max_bytes", default.max_bytes, 1 << 20..=1 << 44),
        max_ahead: section.duration("max_ahead", default.max_ahead, SECOND..=DAY),
        retention: section.duration("retention", default.retention, Duration::ZERO..=DAY * 31),
    };
    section.finish();
    storage
}

fn models(mut section: Section<'_>) -> Models {
    let default = Models::default();
    let models = Models {
        path: section.text("path").map_or(default.path, |text| PathBuf::from(text.value)),
        keep_versions: section.number("keep_versions", default.keep_versions, 1..=10_000),
    };
    section.finish();
    models
}

fn state(mut section: Section<'_>) -> PathBuf {
    let path = section.text("path").map_or_else(|| PathBuf::from("state"), |text| PathBuf::from(text.value));
    section.finish();
    path
}

fn training(mut section: Section<'_>) -> Option<Training> {
    let forest = Hyperparams::default();
    let warm_up = section.duration("warm_up", 1800 * SECOND, SECOND..=90 * DAY);
    let max_rows = section.number("max_rows", ReservoirSettings::default().max_rows, 256..=10_000_000);
    let trial = section.duration("trial", 1800 * SECOND, Duration::ZERO..=31 * DAY);
    let retention = section.duration("retention", 90 * DAY, SECOND..=3650 * DAY);
    let triggers = triggers(&mut section);
    let splits = splits(&mut section, forest.splits);
    let hyperparams = Hyperparams {
        n_trees: section.number("n_trees", forest.n_trees, 1..=10_000),
        subsample_size: section.number("subsample_size", forest.subsample_size, 2..=4096),
        seed: section.number("seed", forest.seed, 0..=u64::MAX),
        splits,
        scoring: section.choice(
            "scoring",
            &Scoring::ALL.map(|scoring| (scoring.name(), scoring)),
            forest.scoring,
        ),
    };
    // The training data is believed to be normal operation unless said otherwise: a share that is
    // left out although it was normal makes the rest look rarer than it is.
    let contamination = section.number("contamination", 0.0, 0.0..=0.4999);
    let checked = hyperparams.check().map_err(|error| {
        section.note_here(&error.to_string(), "docs/configuration.md says what goes together")
    });
    let store = store(&mut section);
    section.finish();
    Some(Training {
        warm_up,
        max_rows,
        trial,
        retention,
        triggers,
        hyperparams: checked.ok()?,
        contamination,
        store,
    })
}

/// Where the rows are kept; what is wrong with it is said where nothing is, too.
fn store(section: &mut Section<'_>) -> Option<feature_store::Config> {
    let default = feature_store::Config::default();
    let is_kept = section.switch("store", true);
    let config = feature_store::Config {
        path: section.text("path").map_or(default.path, |text| PathBuf::from(text.value)),
        max_bytes: section.size("max_bytes", default.max_bytes, 1 << 20..=1 << 40),
        write_interval: section.duration("write_interval", default.write_interval, SECOND..=HOUR),
    };
    is_kept.then_some(config)
}

fn splits(section: &mut Section<'_>, default: Splits) -> Splits {
    let kind = section.choice("split", &SplitKind::ALL.map(|kind| (kind.name(), kind)), default.kind());
    // 0 stands for a number that is not written.
    let mut number = |key, most| Some(section.number(key, 0, 0..=most)).filter(|number| *number > 0);
    let (features, candidates) =
        (number("split_features", MAX_FEATURES), number("split_candidates", MAX_SPLIT_CANDIDATES));
    Splits::new(kind, features, candidates).unwrap_or_else(|error| {
        section.note_here(&error.to_string(), "leave the number out, or choose another split");
        default
    })
}

fn external_labels(section: Section<'_>) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    for (name, value) in section.free_entries() {
        if !is_label_name(&name.value) {
            section.note(
                &name,
                "is not a label name",
                "use letters, digits and _, not starting with a digit or __",
            );
        } else if name.value == "detector" {
            section.note(&name, "names the detector in every score series", "use another label name");
        } else {
            labels.push((name.value, value.value));
        }
    }
    labels.sort();
    labels
}

/// Whether `text` can be a label of a score series: Prometheus' classic grammar without the
/// reserved prefix.
pub(super) fn is_label_name(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && !text.starts_with("__") && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
