//! What a fleet promises: series that obey their types, and faults that show where they should.

use super::*;
use crate::{
    series::{METRIC_NAME, is_stale_marker},
    simulate::fault::{FaultKind, Strength},
};
use std::collections::BTreeMap;

const START: TimestampMs = TimestampMs(1_767_571_200_000);
const INTERVAL_MS: i64 = 30_000;
const ROUNDS_A_DAY: usize = 2880;

/// Every series of a run: labels as text, samples in order.
type Recording = BTreeMap<String, Vec<Sample>>;

fn record(seed: u64, nodes: usize, rounds: usize, faults: &[Fault]) -> Recording {
    record_only(&[], seed, nodes, rounds, faults)
}

/// Only the series of the metrics `names`, of all when there are none: for runs of days.
fn record_only(names: &[&str], seed: u64, nodes: usize, rounds: usize, faults: &[Fault]) -> Recording {
    let mut fleet = Fleet::new(seed, nodes, START, INTERVAL_MS, faults);
    let mut scraped = Vec::new();
    let mut series: BTreeMap<LabelSet, Vec<Sample>> = BTreeMap::new();
    for _ in 0..rounds {
        fleet.scrape(&mut scraped);
        for Scraped { labels, sample } in scraped.drain(..) {
            if names.is_empty() || names.contains(&labels.metric_name()) {
                series.entry(labels).or_default().push(sample);
            }
        }
    }
    series.into_iter().map(|(labels, samples)| (labels.to_string(), samples)).collect()
}

fn find<'a>(recording: &'a Recording, parts: &'a [&str]) -> impl Iterator<Item = &'a Vec<Sample>> {
    recording
        .iter()
        .filter(move |(name, _)| parts.iter().all(|part| name.contains(part)))
        .map(|(_, samples)| samples)
}

/// Sum over series of the last values.
fn last(recording: &Recording, parts: &[&str]) -> f64 {
    find(recording, parts).map(|samples| samples.last().unwrap().value).sum()
}

/// Sum over series of the increase per second over the samples after the first `skip`, resets added.
fn rate(recording: &Recording, parts: &[&str], skip: usize) -> f64 {
    let mut found = 0;
    let sum = find(recording, parts)
        .map(|samples| {
            found += 1;
            let samples = &samples[skip..];
            let elapsed_s = samples.last().unwrap().timestamp.since_ms(samples[0].timestamp) as f64 / 1000.0;
            let steps = samples.windows(2).map(|pair| {
                let difference = pair[1].value - pair[0].value;
                if difference < 0.0 { pair[1].value } else { difference }
            });
            steps.sum::<f64>() / elapsed_s
        })
        .sum();
    assert!(found > 0, "no series with {parts:?}");
    sum
}

fn fault(kind: FaultKind, from_minute: i64, minutes: i64) -> Fault {
    let start = START.plus_ms(from_minute * 60_000);
    let end = start.plus_ms(minutes * 60_000);
    Fault { node: 0, kind, strength: Strength::Strong, start, end, ramp_ms: 5 * 60_000 }
}

// --- series ---

#[test]
fn the_same_seed_gives_the_same_samples_to_the_last_bit() {
    let bits = |seed| -> Vec<(String, Vec<(i64, u64)>)> {
        record(seed, 3, 200, &[fault(FaultKind::LatencyRise, 30, 30)])
            .into_iter()
            .map(|(name, samples)| {
                (name, samples.iter().map(|s| (s.timestamp.0, s.value.to_bits())).collect())
            })
            .collect()
    };
    assert_eq!(bits(5), bits(5));
    assert_ne!(bits(5), bits(6));
}

#[test]
fn a_node_does_not_depend_on_the_others() {
    let mut alone = Fleet::new(9, 1, START, INTERVAL_MS, &[]);
    let mut among = Fleet::new(9, 4, START, INTERVAL_MS, &[]);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        alone.scrape(&mut a);
        among.scrape(&mut b);
    }
    b.retain(|scraped| scraped.labels.get("instance") == Some("node-01"));
    assert_eq!(
        a.iter().map(|s| s.sample.value.to_bits()).collect::<Vec<_>>(),
        b.iter().map(|s| s.sample.value.to_bits()).collect::<Vec<_>>()
    );
}

/// A release: its process started with it, the version before it ends at the same scrape.
#[test]
fn a_release_starts_a_process_of_another_version() {
    let recording =
        record_only(&["web_build_info", "process_start_time_seconds"], 2, 1, 10 * ROUNDS_A_DAY, &[]);
    let versions: Vec<&Vec<Sample>> = find(&recording, &["web_build_info"]).collect();
    assert!(versions.len() > 1, "released in ten days");
    let started: Vec<f64> = find(&recording, &["process_start", "web"]).flatten().map(|s| s.value).collect();
    for samples in &versions {
        let (last, first) = (samples.last().unwrap(), samples[0]);
        let began = first.timestamp.seconds();
        assert!(first.timestamp.since_ms(START) <= 2 * INTERVAL_MS || started.contains(&began), "{began}");
        if is_stale_marker(last.value) {
            assert!(versions.iter().any(|next| next[0].timestamp == last.timestamp), "another one begins");
        }
    }
}

/// Every series is scraped once an interval, forward in time, and no series occurs twice in a round.
#[test]
fn every_round_brings_every_series_once_and_later_than_before() {
    let recording = record(1, 10, 120, &[]);
    let fleet = Fleet::new(1, 10, START, INTERVAL_MS, &[]);
    assert_eq!(recording.len(), fleet.n_series());
    for (name, samples) in &recording {
        assert!(samples.is_sorted_by(|a, b| a.timestamp < b.timestamp), "{name}");
        assert_eq!(samples.len(), 120, "{name}");
    }
}

/// Counters only fall to start again, and that happens: services are released, machines reboot.
#[test]
fn counters_fall_only_when_a_process_starts_again() {
    let names = ["http_requests_total", "node_network_receive_bytes_total", "node_disk_written_bytes_total"];
    let recording = record_only(&names, 3, 10, 2 * ROUNDS_A_DAY, &[]);
    let mut resets = 0;
    for (name, samples) in &recording {
        for pair in samples.windows(2).filter(|pair| pair[1].value < pair[0].value) {
            resets += 1;
            // What one interval adds at most, seen on the same series.
            let interval_most = samples
                .windows(2)
                .map(|pair| pair[1].value - pair[0].value)
                .filter(|difference| difference.is_finite())
                .fold(0.0, f64::max);
            assert!(pair[1].value <= 2.0 * interval_most, "{name}: fell to {}", pair[1].value);
        }
    }
    assert!(resets > 0, "nothing restarted in two days");
}

#[test]
fn a_reboot_ends_the_series_with_one_stale_marker_and_moves_the_boot_time() {
    let recording = record_only(&["node_boot_time_seconds", "up"], 3, 10, 2 * ROUNDS_A_DAY, &[]);
    let mut reboots = 0;
    for (name, boots) in recording.iter().filter(|(name, _)| name.starts_with("node_boot_time_seconds")) {
        let markers: Vec<usize> = (0..boots.len()).filter(|i| is_stale_marker(boots[*i].value)).collect();
        for i in markers.iter().copied().filter(|i| i + 1 < boots.len()) {
            reboots += 1;
            assert!(boots[i + 1].value > boots[i - 1].value, "{name}");
            assert!(boots[i + 1].timestamp.since_ms(boots[i].timestamp) >= 2 * INTERVAL_MS, "{name}");
        }
        let instance = name.split("instance=").nth(1).unwrap().split(',').next().unwrap();
        let downs = find(&recording, &["up{", instance, "job=\"node\""])
            .flat_map(|samples| samples.iter().filter(|sample| sample.value == 0.0))
            .count();
        assert!(downs >= 2 * markers.len(), "{name}: {downs} scrapes down, {} reboots", markers.len());
    }
    assert!(reboots > 0, "no machine rebooted in two days");
}

/// The modes of one core add up to the time that has passed.
#[test]
fn cpu_modes_add_up_to_the_elapsed_time() {
    let recording = record(2, 4, 300, &[fault(FaultKind::CpuRunaway, 60, 60)]);
    for node in ["node-01", "node-02", "node-03", "node-04"] {
        let cores = find(&recording, &["node_cpu_seconds_total", node, "mode=\"idle\""]).count() as f64;
        let used = rate(&recording, &["node_cpu_seconds_total", node], 0);
        assert!((used - cores).abs() < 1e-9 * cores, "{node}: {used} of {cores}");
    }
}

#[test]
fn histogram_buckets_are_cumulative_and_agree_with_the_request_counters() {
    let recording = record(4, 2, 400, &[fault(FaultKind::LatencyRise, 30, 60)]);
    for round in [0, 100, 399] {
        let value = |le: &str| {
            let le = format!("le=\"{le}\"");
            find(&recording, &["_bucket", "node-01", &le]).next().unwrap()[round].value
        };
        let bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
        let buckets = bounds.map(value);
        assert!(buckets.is_sorted(), "{buckets:?}");
        let count = find(&recording, &["duration_seconds_count", "node-01"]).next().unwrap()[round].value;
        let requests: f64 =
            find(&recording, &["http_requests_total", "node-01"]).map(|s| s[round].value).sum();
        assert_eq!((buckets[11], requests), (count, count));
    }
}

#[test]
fn memory_and_file_systems_stay_within_their_size() {
    let faults = [fault(FaultKind::MemoryLeak, 60, 90), fault(FaultKind::DiskFilling, 200, 90)];
    let recording = record(6, 1, 700, &faults);
    let series = |name: &str| find(&recording, &[name]).next().unwrap().clone();
    let total = last(&recording, &["MemTotal"]);
    let [available, free, buffers, cached] =
        ["MemAvailable", "MemFree", "node_memory_Buffers", "node_memory_Cached"].map(series);
    for i in 0..free.len() {
        assert!(free[i].value >= 0.0 && available[i].value >= free[i].value, "round {i}");
        assert!(free[i].value + buffers[i].value + cached[i].value <= total, "round {i}");
    }
    for mountpoint in ["mountpoint=\"/\"", "mountpoint=\"/data\""] {
        let size = last(&recording, &["filesystem_size", mountpoint]);
        let [avail, free] = ["filesystem_avail", "filesystem_free"]
            .map(|name| find(&recording, &[name, mountpoint]).next().unwrap().clone());
        assert!(
            avail.iter().zip(&free).all(|(a, f)| 0.0 <= a.value && a.value <= f.value && f.value <= size)
        );
    }
}

#[test]
fn every_series_carries_instance_and_job_and_node_exporters_names() {
    let mut fleet = Fleet::new(1, 1, START, INTERVAL_MS, &[]);
    let mut scraped = Vec::new();
    fleet.scrape(&mut scraped);
    let mut names: Vec<&str> = scraped.iter().filter_map(|s| s.labels.get(METRIC_NAME)).collect();
    names.sort_unstable();
    names.dedup();
    insta::assert_snapshot!(names.join("\n"), @r"
    http_request_duration_seconds_bucket
    http_request_duration_seconds_count
    http_request_duration_seconds_sum
    http_requests_total
    node_boot_time_seconds
    node_cpu_seconds_total
    node_disk_io_time_seconds_total
    node_disk_read_bytes_total
    node_disk_written_bytes_total
    node_exporter_build_info
    node_filesystem_avail_bytes
    node_filesystem_free_bytes
    node_filesystem_size_bytes
    node_load1
    node_load15
    node_load5
    node_memory_Buffers_bytes
    node_memory_Cached_bytes
    node_memory_MemAvailable_bytes
    node_memory_MemFree_bytes
    node_memory_MemTotal_bytes
    node_network_receive_bytes_total
    node_network_receive_packets_total
    node_network_transmit_bytes_total
    node_network_transmit_packets_total
    process_start_time_seconds
    up
    web_build_info
    ");
    assert!(scraped.iter().all(|s| s.labels.get("instance") == Some("node-01")));
    assert!(scraped.iter().all(|s| matches!(s.labels.get("job"), Some("node" | "web"))));
}

// --- faults ---

/// Features of node 1 over the last five minutes of a recording, as the presets define them.
#[derive(Debug)]
struct Features {
    cpu_usage: f64,
    memory_usage: f64,
    disk_usage: f64,
    network_bytes: f64,
    request_rate: f64,
    error_ratio: f64,
    mean_seconds: f64,
    load_per_core: f64,
    disk_utilisation: f64,
}

fn features(recording: &Recording) -> Features {
    let n = find(recording, &["MemTotal", "node-01"]).next().unwrap().len();
    let rate = |parts: &[&str]| rate(recording, parts, n - 11);
    let last = |parts: &[&str]| last(recording, parts);
    let cores = find(recording, &["node-01", "mode=\"idle\""]).count() as f64;
    let requests = rate(&["http_requests_total", "node-01"]);
    Features {
        cpu_usage: 1.0 - rate(&["node-01", "mode=\"idle\""]) / cores,
        memory_usage: 1.0 - last(&["MemAvailable", "node-01"]) / last(&["MemTotal", "node-01"]),
        disk_usage: 1.0
            - last(&["filesystem_avail", "node-01", "mountpoint=\"/\""])
                / last(&["filesystem_size", "node-01", "mountpoint=\"/\""]),
        network_bytes: rate(&["receive_bytes", "node-01", "eth0"])
            + rate(&["transmit_bytes", "node-01", "eth0"]),
        request_rate: requests,
        error_ratio: rate(&["http_requests_total", "node-01", "code=\"500\""]) / requests,
        mean_seconds: rate(&["duration_seconds_sum", "node-01"])
            / rate(&["duration_seconds_count", "node-01"]),
        load_per_core: last(&["node_load5", "node-01"]) / cores,
        disk_utilisation: rate(&["disk_io_time", "node-01"]),
    }
}

/// Features half an hour into a fault at noon, and at the same moment of the same day without it.
fn with_and_without(kind: FaultKind) -> (Features, Features) {
    let rounds = 12 * 120 + 60;
    let with = record(11, 1, rounds, &[fault(kind, 12 * 60, 60)]);
    (features(&with), features(&record(11, 1, rounds, &[])))
}

#[test]
fn a_cpu_runaway_takes_the_cores_raises_the_load_and_slows_requests() {
    let (with, without) = with_and_without(FaultKind::CpuRunaway);
    assert!(with.cpu_usage > 0.95 && without.cpu_usage < 0.75, "{with:?}\n{without:?}");
    assert!(with.load_per_core > 1.2 && without.load_per_core < 1.0, "{with:?}\n{without:?}");
    assert!(with.mean_seconds > 2.0 * without.mean_seconds, "{with:?}\n{without:?}");
    assert!((with.request_rate / without.request_rate - 1.0).abs() < 0.01, "{with:?}\n{without:?}");
    assert_eq!((with.memory_usage, with.disk_usage), (without.memory_usage, without.disk_usage));
}

#[test]
fn a_memory_leak_leaves_hardly_any_memory() {
    let (with, without) = with_and_without(FaultKind::MemoryLeak);
    assert!(with.memory_usage > 0.9 && without.memory_usage < 0.65, "{with:?}\n{without:?}");
    assert!((with.request_rate / without.request_rate - 1.0).abs() < 0.01, "{with:?}\n{without:?}");
}

#[test]
fn a_filling_disk_fills_the_root_file_system_and_nothing_else() {
    let (with, without) = with_and_without(FaultKind::DiskFilling);
    assert!(with.disk_usage > 0.95 && without.disk_usage < 0.75, "{with:?}\n{without:?}");
    assert_eq!(with.memory_usage, without.memory_usage);
}

#[test]
fn a_network_drop_takes_traffic_and_with_it_requests_and_cpu() {
    let (with, without) = with_and_without(FaultKind::NetworkDrop);
    assert!(with.network_bytes < 0.15 * without.network_bytes, "{with:?}\n{without:?}");
    assert!(with.request_rate < 0.15 * without.request_rate, "{with:?}\n{without:?}");
    assert!(with.cpu_usage < 0.3 * without.cpu_usage, "{with:?}\n{without:?}");
}

#[test]
fn a_latency_rise_slows_requests_and_fails_some_at_the_same_cpu() {
    let (with, without) = with_and_without(FaultKind::LatencyRise);
    assert!(with.mean_seconds > 4.0 * without.mean_seconds, "{with:?}\n{without:?}");
    assert!(with.error_ratio > 0.02 && without.error_ratio < 0.01, "{with:?}\n{without:?}");
    assert!((with.cpu_usage - without.cpu_usage).abs() < 0.01, "{with:?}\n{without:?}");
}

#[test]
fn a_slow_disk_is_busy_with_little_and_everything_waits_for_it() {
    let (with, without) = with_and_without(FaultKind::SlowDisk);
    assert!(with.disk_utilisation > 0.95 && without.disk_utilisation < 0.1, "{with:?}\n{without:?}");
    assert!(with.mean_seconds > 2.0 * without.mean_seconds, "{with:?}\n{without:?}");
    assert!(with.load_per_core > without.load_per_core + 0.5, "{with:?}\n{without:?}");
    assert!((with.request_rate / without.request_rate - 1.0).abs() < 0.01, "{with:?}\n{without:?}");
}

#[test]
fn a_traffic_surge_triples_what_arrives_until_the_machine_is_full() {
    let (with, without) = with_and_without(FaultKind::TrafficSurge);
    assert!(with.network_bytes > 2.7 * without.network_bytes, "{with:?}\n{without:?}");
    assert!(with.cpu_usage > 0.9 && with.mean_seconds > 2.0 * without.mean_seconds, "{with:?}\n{without:?}");
}

/// At full strength the service is away for 270 of 300 seconds.
#[test]
fn a_crash_loop_leaves_a_tenth_of_the_requests_and_fails_scrapes() {
    let rounds = 12 * 120 + 120;
    let crash = [fault(FaultKind::CrashLoop, 12 * 60, 60)];
    let (with, without) = (record(11, 1, rounds, &crash), record(11, 1, rounds, &[]));
    let bytes = |recording: &Recording| rate(recording, &["receive_bytes", "eth0"], rounds - 110);
    assert!(bytes(&with) < 0.25 * bytes(&without), "{} {}", bytes(&with), bytes(&without));
    let down = |job: &str| find(&with, &["up{", job]).flatten().filter(|sample| sample.value == 0.0).count();
    assert_eq!((down("job=\"web\""), down("job=\"node\"")), (108, 0));
}

/// A quarter and half of what a strong fault takes: the idle half of the CPU at noon, as far as the noise of the cores allows.
#[test]
fn strengths_are_shares_of_what_the_machine_has_left() {
    let at = |strength| {
        let weaker = Fault { strength, ..fault(FaultKind::CpuRunaway, 12 * 60, 60) };
        features(&record(11, 1, 12 * 120 + 60, &[weaker])).cpu_usage
    };
    let without = features(&record(11, 1, 12 * 120 + 60, &[])).cpu_usage;
    let [weak, medium, strong] = Strength::ALL.map(at).map(|cpu| cpu - without);
    assert!(
        (weak / strong - 0.25).abs() < 5e-3 && (medium / strong - 0.5).abs() < 5e-3,
        "{weak} {medium} {strong}"
    );
}

// --- the everyday life of production ---

/// For all kinds, to the last bit.
#[test]
fn a_fault_changes_nothing_before_it_and_no_other_node() {
    let run = |faults: &[Fault]| {
        let mut fleet = Fleet::with_routine(4, 2, START, INTERVAL_MS, faults);
        let mut scraped = Vec::new();
        for _ in 0..400 {
            fleet.scrape(&mut scraped);
        }
        scraped
    };
    let begin = START.plus_ms(60 * 60_000);
    let same_part = |scraped: Vec<Scraped>| -> Vec<(String, i64, u64)> {
        let kept = scraped
            .into_iter()
            .filter(|one| one.sample.timestamp < begin || one.labels.get("instance") == Some("node-02"));
        kept.map(|one| (one.labels.to_string(), one.sample.timestamp.0, one.sample.value.to_bits())).collect()
    };
    let without = same_part(run(&[]));
    assert!(without.len() > 20_000);
    for kind in FaultKind::ALL {
        let with = run(&[fault(kind, 60, 60)]);
        assert!(same_part(with) == without, "{kind}");
    }
}

/// Production is not calm: scrapes fail and Prometheus is away, and still counters only fall to start again.
#[test]
fn production_has_gaps_and_restarts_and_keeps_its_types() {
    let mut fleet = Fleet::with_routine(2, 6, START, INTERVAL_MS, &[]);
    let (mut scraped, mut empty_rounds, mut failed) = (Vec::new(), 0, 0);
    let mut last: BTreeMap<LabelSet, f64> = BTreeMap::new();
    for _ in 0..4 * ROUNDS_A_DAY {
        scraped.clear();
        fleet.scrape(&mut scraped);
        empty_rounds += usize::from(scraped.is_empty());
        for Scraped { labels, sample } in &scraped {
            failed += usize::from(labels.metric_name() == "up" && sample.value == 0.0);
            if labels.metric_name() == "node_network_receive_bytes_total" && !sample.value.is_nan() {
                let before = last.insert(labels.clone(), sample.value).unwrap_or(0.0);
                assert!(sample.value >= before || sample.value < 1e9, "{labels}: {before}, {}", sample.value);
            }
        }
    }
    assert!((1..60).contains(&empty_rounds), "{empty_rounds} rounds without Prometheus");
    assert!((20..800).contains(&failed), "{failed} failed scrapes");
}

/// On days without faults no node comes near what a fault looks like.
#[test]
fn normal_days_stay_within_their_band() {
    let mut fleet = Fleet::new(42, 10, START, INTERVAL_MS, &[]);
    let mut scraped = Vec::new();
    for round in 0..2 * ROUNDS_A_DAY {
        scraped.clear();
        fleet.scrape(&mut scraped);
        for view in fleet.views() {
            let NodeView { cpu, memory, disk, p95_seconds, .. } = view;
            assert!((0.02..0.9).contains(&cpu), "round {round}: {view:?}");
            assert!((0.2..0.75).contains(&memory) && (0.25..0.75).contains(&disk), "round {round}: {view:?}");
            assert!((0.02..0.6).contains(&p95_seconds), "round {round}: {view:?}");
        }
    }
}

/// One day teaches the next: hardly a value of the second day lies outside the first day's range.
#[test]
fn the_second_day_looks_like_the_first() {
    let mut fleet = Fleet::new(42, 10, START, INTERVAL_MS, &[]);
    let mut scraped = Vec::new();
    let mut ranges = vec![[(f64::INFINITY, f64::NEG_INFINITY); 5]; 10];
    let mut outside = 0;
    for round in 0..2 * ROUNDS_A_DAY {
        scraped.clear();
        fleet.scrape(&mut scraped);
        for (view, ranges) in fleet.views().iter().zip(&mut ranges) {
            let values = [view.cpu, view.memory, view.disk, view.network_bytes, view.p95_seconds];
            for (value, (least, most)) in values.into_iter().zip(ranges) {
                if round < ROUNDS_A_DAY {
                    (*least, *most) = (least.min(value), most.max(value));
                } else if value < *least || value > *most {
                    outside += 1;
                }
            }
        }
    }
    let share = f64::from(outside) / (ROUNDS_A_DAY * 10 * 5) as f64;
    assert!(share < 0.01, "{share}");
}
