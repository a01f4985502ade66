//! A step of 100 machines, to the feature matrix (no model is trained). Ten times that is a step of 1,000
//! machines.

use divan::{Bencher, black_box};
use emberwatch::{
    calibrate::{CheckedPersistence, Memory, Thresholds},
    features::{DEFAULT_RATE_INTERVAL, FeatureColumn, FeatureSchema, SchemaSettings, SeasonSettings, preset},
    pipeline::{AlertSettings, ClockConfig, Detector, DetectorSettings, Replay, Rules},
    promql::parse_matchers,
    series::{LabelSet, Sample, SampleBatch, TimestampMs, series_hash},
    window::Config,
};
use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

const MACHINES: usize = 100;
const SCRAPE_MS: i64 = 15_000;

/// What tells of starts; nothing starts here.
const STARTS: [&str; 3] =
    ["process_start_time_seconds", "node_boot_time_seconds", "node_exporter_build_info"];

fn main() {
    divan::main();
}

/// One scrape appended, and the step of the node preset evaluated.
#[divan::bench(sample_count = 20)]
#[expect(clippy::unwrap_used, reason = "the preset is there, which its own tests show")]
fn step_of_100_machines(bencher: Bencher<'_, '_>) {
    let features = preset("node_exporter").unwrap().columns(DEFAULT_RATE_INTERVAL);
    let mut replay = replay(&["instance"], features);
    let labels: Vec<LabelSet> = (0..MACHINES).flat_map(series).collect();
    let mut round = 0;
    let mut next = || {
        round += 1;
        batch(&labels, round)
    };
    for _ in 0..25 {
        replay.append(&next());
        replay.evaluate(Duration::ZERO);
    }
    bencher.with_inputs(next).bench_local_values(|batch| {
        replay.append(&batch);
        black_box(replay.evaluate(Duration::ZERO)).len()
    });
}

/// A step where every series is read: 43,800 series with 21 samples in reach, which are there already.
#[divan::bench(sample_count = 20)]
fn rate_of_every_series(bencher: Bencher<'_, '_>) {
    step_alone(bencher, &["instance"], &[r#"sum by (instance) (rate({job="node"}[5m]))"#]);
}

/// Four statistics of each of 38,400 series by itself.
#[divan::bench(sample_count = 10)]
fn four_statistics_of_each_series(bencher: Bencher<'_, '_>) {
    let statistics = ["avg", "stddev", "min", "max"];
    let features = statistics.map(|name| format!("{name}_over_time(node_cpu_seconds_total[5m])"));
    step_alone(bencher, &["instance", "cpu", "mode"], &features.each_ref().map(String::as_str));
}

/// Benches the evaluation alone: the samples are appended before.
fn step_alone(bencher: Bencher<'_, '_>, by: &[&str], features: &[&str]) {
    let column = |(n, expression): (usize, &&str)| FeatureColumn {
        name: format!("f{n}"),
        expression: (*expression).to_owned(),
    };
    let replay = RefCell::new(replay(by, features.iter().enumerate().map(column).collect()));
    let labels: Vec<LabelSet> = (0..MACHINES).flat_map(series).collect();
    let round = Cell::new(0);
    let append = || {
        round.set(round.get() + 1);
        replay.borrow_mut().append(&batch(&labels, round.get()));
    };
    let evaluate = || replay.borrow_mut().evaluate(Duration::ZERO).len();
    for _ in 0..25 {
        append();
        evaluate();
    }
    bencher.with_inputs(append).bench_local_values(|()| black_box(evaluate()));
}

#[expect(clippy::unwrap_used, reason = "the features of these benches are a schema")]
fn replay(by: &[&str], features: Vec<FeatureColumn>) -> Replay {
    let by = by.iter().map(|label| (*label).to_owned()).collect();
    let schema = SchemaSettings { by, features, step_ms: SCRAPE_MS, ..SchemaSettings::default() };
    let detector = Detector::new(DetectorSettings {
        schema: FeatureSchema::new(schema).unwrap(),
        thresholds: Thresholds::default(),
        persistence: CheckedPersistence::default(),
        forget_after: Some(Memory::DEFAULT_FADE),
        rules: Rules::default(),
        silence: Duration::ZERO,
        grace: Duration::from_secs(300),
        season: Some(SeasonSettings::default()),
        training: None,
    });
    let alerts = AlertSettings {
        selector: parse_matchers(r#"ALERTS{alertstate="firing"}"#).unwrap(),
        ignore: Vec::new(),
        margin_before: Duration::from_secs(600),
        margin_after: Duration::from_secs(1800),
        lead: Duration::from_secs(1800),
    };
    let clock = ClockConfig { step_ms: SCRAPE_MS, settle_timeout: Duration::ZERO };
    Replay::new(vec![detector.unwrap().with_alerts(&alerts)], clock, Config::default(), 2)
}

/// What the preset reads of one machine with 48 cores, and as much that it does not read.
fn series(machine: usize) -> Vec<LabelSet> {
    const MODES: [&str; 8] = ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"];
    let instance = format!("10.0.{}.{}:9100", machine / 256, machine % 256);
    let one = |metric: &str, own: &[(&str, String)]| {
        let target = [("instance", instance.as_str()), ("job", "node"), ("__name__", metric)];
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        LabelSet::from_pairs(target.into_iter().chain(own)).unwrap_or_default()
    };
    let mut all = vec![one("node_load1", &[])];
    for cpu in 0..48 {
        for mode in MODES {
            let own = [("cpu", cpu.to_string()), ("mode", mode.to_owned())];
            all.push(one("node_cpu_seconds_total", &own));
        }
    }
    for metric in ["node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"] {
        all.push(one(metric, &[]));
    }
    for metric in STARTS {
        all.push(one(metric, &[("version", "1.9.1".to_owned())]));
    }
    for device in 0..8 {
        all.push(one("node_disk_io_time_seconds_total", &[("device", format!("nvme{device}n1"))]));
        for metric in ["receive_bytes", "receive_packets", "transmit_bytes", "transmit_packets"] {
            let metric = format!("node_network_{metric}_total");
            all.push(one(&metric, &[("device", format!("eth{device}"))]));
        }
        for metric in ["node_filesystem_avail_bytes", "node_filesystem_size_bytes"] {
            let own = [("fstype", "ext4".to_owned()), ("mountpoint", format!("/data{device}"))];
            all.push(one(metric, &own));
        }
    }
    all
}

fn batch(labels: &[LabelSet], round: i64) -> SampleBatch {
    let mut batch = SampleBatch::default();
    for (place, labels) in labels.iter().enumerate() {
        let text = labels.canonical_text();
        let round_of = if STARTS.contains(&labels.metric_name()) { 0 } else { round };
        let value = (round_of * 1_000 + place as i64 % 97) as f64 / 100.0;
        batch.push(series_hash(text, 1), text, [Sample { timestamp: TimestampMs(round * SCRAPE_MS), value }]);
    }
    batch
}
