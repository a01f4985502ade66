//! What is written back depends on the samples alone: not on the number of shards, not on how requests
//! are cut, not on how connections interleave.
//!
//! A simulated day is recorded once and delivered in several ways to a core that trains itself; all
//! of them must agree on every series to the last bit, and on every byte of the models. The limits
//! of the claim are those of the clock: connections begin together, and no step times out.

use emberwatch::{
    calibrate::{CheckedPersistence, Memory, Thresholds},
    demo::{SCRAPE_INTERVAL, START, STEP},
    features::{DEFAULT_RATE_INTERVAL, FeatureSchema, SchemaSettings, SeasonSettings, preset},
    pipeline::{
        ClockConfig, Detector, DetectorSettings, Replay, Rules, TrainingPolicy, TrainingTriggers, names,
    },
    score::iforest::Hyperparams,
    series::{LabelSet, METRIC_NAME, Sample, SampleBatch, TimestampMs, is_stale_marker, series_hash},
    simulate::{
        fault::{Fault, FaultKind, Strength},
        fleet::{Fleet, Scraped},
    },
    window,
};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{thread, time::Duration};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

/// With this one, the third node reboots in hour 2 and again, when it is scored, in hour 22.
const FLEET_SEED: u64 = 37;

/// Detector and preset; both see the same nodes.
const DETECTORS: [(&str, &str); 2] = [("node", "node_exporter"), ("service", "http")];

/// A node that is out of order from hour 27 to 28, after the first models have been trained.
const FAULT: Fault = Fault {
    node: 1,
    kind: FaultKind::CpuRunaway,
    strength: Strength::Strong,
    start: TimestampMs(START.0 + 27 * HOUR_MS),
    end: TimestampMs(START.0 + 28 * HOUR_MS),
    ramp_ms: 5 * MINUTE_MS,
};

/// Everything one run says.
struct Outcome {
    /// Step, series and bits of the value, in the order of writing.
    written: Vec<(TimestampMs, LabelSet, u64)>,
    /// The models at the end, encoded, in the order of the detectors.
    models: Vec<Vec<u8>>,
}

#[test]
fn every_delivery_of_a_day_gives_the_same_series_and_models_to_the_last_bit() {
    let recording = record(3, 29 * HOUR_MS, &[FAULT]);
    let reboots = recording.iter().filter(|scraped| is_stale_marker(scraped.sample.value));
    assert!(reboots.count() > 0, "a node reboots: its series end and come back");
    let seed = 7;
    let in_order = in_order(&recording, 500, seed);
    let reference = run(1, &in_order);
    assert_worth_comparing(&reference);

    let cut_elsewhere = in_order_of_random_size(&recording, seed);
    let interleaved = by_connections(&recording, 3, seed);
    // Other hashes: other shards for every series, other lists inside the stores.
    let other_hashes = by_connections(&recording, 3, 8);
    let deliveries = [
        ("the same once more", 1, &in_order),
        ("two shards", 2, &in_order),
        ("eight shards", 8, &in_order),
        ("batches cut elsewhere", 2, &cut_elsewhere),
        ("three connections", 1, &interleaved),
        ("three connections, other hashes, eight shards", 8, &other_hashes),
    ];
    thread::scope(|scope| {
        for (what, shards, delivery) in deliveries {
            let reference = &reference;
            scope.spawn(move || assert_same(what, &run(shards, delivery), reference));
        }
    });
}

/// The windows are empty five minutes after the last sample; the steps from there to the next sample
/// are left out.
#[test]
fn a_pause_of_three_days_costs_a_handful_of_evaluations() {
    let mut recording = record(1, HOUR_MS, &[]);
    let middle = START.plus_ms(HOUR_MS / 2);
    for scraped in recording.iter_mut().filter(|scraped| scraped.sample.timestamp > middle) {
        scraped.sample.timestamp = scraped.sample.timestamp.plus_ms(3 * DAY_MS);
    }
    let outcome = steps(&mut replay(2), &in_order(&recording, 100, 1), Duration::ZERO);
    let minutes_with_samples = 60;
    let evaluated = outcome.len();
    assert!((minutes_with_samples - 2..minutes_with_samples + 10).contains(&evaluated), "{evaluated}");
    let last = outcome.last().copied().unwrap();
    assert!(last >= START.plus_ms(3 * DAY_MS + HOUR_MS - 2 * MINUTE_MS), "the second half is judged: {last}");
}

/// From 1970 it is 29 million steps to the recording, from the earliest timestamp 150 billion.
#[test]
fn one_sample_from_the_far_past_costs_a_handful_of_evaluations() {
    let recording = record(1, HOUR_MS, &[]);
    let deliveries = in_order(&recording, 100, 1);
    let usual = steps(&mut replay(2), &deliveries, Duration::ZERO).len();
    for far_past in [0, i64::MIN] {
        let labels = [(METRIC_NAME, "node_load1"), ("instance", "long-gone")];
        let lone =
            Scraped { labels: LabelSet::from_pairs(labels).unwrap(), sample: Sample::new(far_past, 1.0) };
        let mut with_lone = in_order(&[lone], 1, 1);
        with_lone.extend(in_order(&recording, 100, 1));
        // Nothing ends the lone series: the clock must give it up.
        let evaluated = steps(&mut replay(2), &with_lone, SETTLE_TIMEOUT);
        assert!((usual..usual + 10).contains(&evaluated.len()), "{far_past}: {} steps", evaluated.len());
        assert!(evaluated.is_sorted());
    }
}

// === recording and delivering ===

fn record(n_nodes: usize, duration_ms: i64, faults: &[Fault]) -> Vec<Scraped> {
    let mut fleet = Fleet::new(FLEET_SEED, n_nodes, START, SCRAPE_INTERVAL.as_millis() as i64, faults);
    let mut recording = Vec::new();
    while fleet.scrape(&mut recording) < START.plus_ms(duration_ms) {}
    recording
}

fn batch<'a>(samples: impl IntoIterator<Item = &'a Scraped>, seed: u64) -> SampleBatch {
    let mut batch = SampleBatch::default();
    for scraped in samples {
        let text = scraped.labels.canonical_text();
        batch.push(series_hash(text, seed), text, [scraped.sample]);
    }
    batch
}

fn in_order(recording: &[Scraped], batch_len: usize, seed: u64) -> Vec<SampleBatch> {
    recording.chunks(batch_len).map(|samples| batch(samples, seed)).collect()
}

fn in_order_of_random_size(recording: &[Scraped], seed: u64) -> Vec<SampleBatch> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut rest = recording;
    let mut batches = Vec::new();
    while !rest.is_empty() {
        let (samples, later) = rest.split_at(rng.random_range(1..=2_000).min(rest.len()));
        batches.push(batch(samples, seed));
        rest = later;
    }
    batches
}

/// Spreads the series over connections, each in order for itself, and lets them run as far apart as
/// chance takes them. All connections begin with the first round: before that nobody can know that
/// their series exist.
fn by_connections(recording: &[Scraped], n: usize, seed: u64) -> Vec<SampleBatch> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut connections = vec![Vec::new(); n];
    for scraped in recording {
        let hash = series_hash(scraped.labels.canonical_text(), seed ^ 1);
        connections[(hash % n as u128) as usize].push(scraped);
    }
    let first_round_end = recording[0].sample.timestamp.plus_ms(SCRAPE_INTERVAL.as_millis() as i64 - 100);
    let mut batches = Vec::new();
    let mut rests: Vec<&[&Scraped]> = Vec::new();
    for samples in &connections {
        let first = samples.partition_point(|scraped| scraped.sample.timestamp < first_round_end);
        assert!(first > 0, "every connection takes part in the first round");
        batches.push(batch(samples[..first].iter().copied(), seed));
        rests.push(&samples[first..]);
    }
    while !rests.is_empty() {
        let chosen = rng.random_range(0..rests.len());
        let (samples, later) = rests[chosen].split_at(rng.random_range(1..=2_000).min(rests[chosen].len()));
        batches.push(batch(samples.iter().copied(), seed));
        rests[chosen] = later;
        rests.retain(|rest| !rest.is_empty());
    }
    batches
}

// === running and comparing ===

fn replay(shards: usize) -> Replay {
    let clock = ClockConfig { step_ms: STEP.as_millis() as i64, settle_timeout: SETTLE_TIMEOUT };
    let detectors = DETECTORS.map(|(name, preset)| detector(name, preset));
    Replay::new(detectors.into(), clock, window::Config::default(), shards)
}

/// Trains first after 12 hours, and on a reservoir that has to choose among its rows.
fn detector(name: &str, features: &str) -> Detector {
    let schema = FeatureSchema::new(SchemaSettings {
        detector: name.to_owned(),
        step_ms: STEP.as_millis() as i64,
        window_steps: 30,
        features: preset(features).unwrap().columns(DEFAULT_RATE_INTERVAL),
        ..SchemaSettings::default()
    });
    let training = TrainingPolicy {
        triggers: TrainingTriggers::default(),
        trial_ms: 0,
        warm_up_ms: 12 * HOUR_MS,
        max_rows: 1_500,
        most_rows: usize::MAX,
        retention_ms: 20 * HOUR_MS,
        hyperparams: Hyperparams::default(),
        contamination: 0.01,
    };
    Detector::new(DetectorSettings {
        schema: schema.unwrap(),
        thresholds: Thresholds::default(),
        persistence: CheckedPersistence::default(),
        forget_after: Some(Memory::DEFAULT_FADE),
        rules: Rules::default(),
        silence: Duration::ZERO,
        grace: Duration::ZERO,
        season: Some(SeasonSettings::default()),
        training: Some(training),
    })
    .unwrap()
}

fn run(shards: usize, delivery: &[SampleBatch]) -> Outcome {
    let mut replay = replay(shards);
    let mut written = Vec::new();
    for batch in delivery {
        replay.append(batch);
        for (at, steps) in replay.evaluate(Duration::ZERO) {
            for ((detector, _), step) in DETECTORS.iter().zip(steps) {
                let series = step.series(detector, 0.5).into_iter();
                written.extend(series.map(|(labels, value)| (at, labels, value.to_bits())));
            }
        }
    }
    let model = |(detector, _): &(&str, &str)| replay.model(detector).unwrap().encode().unwrap();
    Outcome { written, models: DETECTORS.iter().map(model).collect() }
}

/// The evaluated steps, when every batch is waited for `wait` on the wall clock.
fn steps(replay: &mut Replay, delivery: &[SampleBatch], wait: Duration) -> Vec<TimestampMs> {
    let mut waited = Duration::ZERO;
    let mut evaluated = Vec::new();
    for batch in delivery {
        replay.append(batch);
        evaluated.extend(replay.evaluate(waited).into_iter().map(|(at, _)| at));
        waited += wait;
    }
    evaluated
}

fn assert_same(what: &str, outcome: &Outcome, reference: &Outcome) {
    let pairs = outcome.written.iter().zip(&reference.written);
    let difference = pairs.enumerate().find(|(_, (ours, theirs))| ours != theirs);
    assert_eq!(difference, None, "{what}: first difference");
    assert_eq!(outcome.written.len(), reference.written.len(), "{what}: number of samples written");
    assert!(outcome.models == reference.models, "{what}: the models differ");
}

/// Guards against comparing nothing: both detectors score all nodes for hours, retrain, and see the
/// fault.
fn assert_worth_comparing(outcome: &Outcome) {
    let of = |name: &str, detector: &str| {
        let matches =
            |labels: &LabelSet| labels.metric_name() == name && labels.get(names::DETECTOR) == Some(detector);
        outcome.written.iter().filter(|(_, labels, _)| matches(labels)).count()
    };
    for (detector, _) in DETECTORS {
        let scores = of(names::ANOMALY_SCORE, detector);
        assert!(scores > 3 * 16 * 60 - 60, "{detector}: {scores} scores");
    }
    let severities = outcome.written.iter().filter(|(at, labels, _)| {
        let at_fault = (FAULT.start..FAULT.end).contains(at) && labels.get("instance") == Some("node-02");
        at_fault && labels.metric_name() == names::ANOMALY_SEVERITY
    });
    let highest = severities.map(|(_, _, bits)| f64::from_bits(*bits)).fold(0.0, f64::max);
    assert!(highest >= 2.0, "the fault reaches severity {highest}");
}
