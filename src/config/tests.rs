use super::{Config, parse};
use crate::{
    calibrate::Severity,
    explain::AnomalyType,
    features::Direction,
    pipeline::{FeatureRules, OnGap, OnZero, TrainingSchedule, TrainingTriggers},
    score::iforest::{Scoring, Splits},
    series::LabelSet,
};
use insta::assert_snapshot;
use proptest::prelude::*;
use std::time::Duration;

mod persistence;

fn valid(text: &str) -> Config {
    parse(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(text: &str) -> String {
    parse(text).map(|_| "valid".to_owned()).unwrap_or_else(|problems| problems.to_string())
}

#[test]
fn the_empty_file_is_a_config_that_watches_node_exporters() {
    for text in ["", "\n# only a comment\n", "{}", "detectors:\n"] {
        let config = valid(text);
        assert_eq!(config.step, Duration::from_secs(15));
        assert!(config.remote_write.is_none());
        let [detector] = config.detectors.as_slice() else { panic!("{:?}", config.detectors) };
        assert_eq!((detector.schema.detector(), detector.schema.window_steps()), ("node", 120));
        assert!(detector.schema.features().iter().any(|feature| feature.name == "cpu_usage_avg"));
    }
}

#[test]
fn what_is_written_is_what_is_read() {
    let config = valid(
        r#"
step: 1m
settle_timeout: 1m30s
storage: { shards: 4, max_bytes: 512MiB, max_series: 1000, retention: 6h }
remote_write:
  - url: http://127.0.0.1:9090/api/v1/write
    headers: { X-Scope-OrgID: ops }
    queue_config: { max_samples_per_send: 500, sample_age_limit: 2h }
training: { warm_up: 1d, n_trees: 50, seed: 7, path: /data/rows, max_bytes: 1GiB, write_interval: 1m }
detectors:
  - name: api
    preset: http
    by: [service, instance]
    window: 1h
    model: fixed.ewm
    features:
      request_rate: sum by (service, instance) (rate(my_requests_total[5m]))
      queue: sum by (service, instance) (queue_length)
    thresholds: { low: 0.3, high: 0.9 }
    persistence: { n: 1, m: 2, clear_after: 4 }
external_labels: { site: b, cluster: a }
"#,
    );
    assert_eq!((config.step.as_secs(), config.settle_timeout.as_secs()), (60, 90));
    // A sixteenth of the bytes is for our own series; expressions may look further back than the retention.
    let (shard, own) = (config.storage.shard_window(1000), config.storage.own_window(30_000_000));
    assert_eq!((shard.max_bytes, own.max_bytes), (120 << 20, 32 << 20));
    assert_eq!((shard.retention_ms, own.retention_ms), (21_600_000, 30_000_000));
    assert_eq!(config.remote_write.unwrap().url().path(), "/api/v1/write");
    assert_eq!((config.training.warm_up.as_secs(), config.training.hyperparams.get().n_trees), (86_400, 50));
    let store = config.training.store.unwrap();
    assert_eq!(
        (store.path.to_str(), store.max_bytes, store.write_interval.as_secs()),
        (Some("/data/rows"), 1 << 30, 60)
    );
    let detector = &config.detectors[0];
    assert_eq!(detector.schema.by(), ["instance", "service"]);
    assert_eq!(detector.schema.window_steps(), 60);
    // The preset's order, its first feature replaced, the own one last.
    let names: Vec<&str> = detector.schema.features().iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, ["request_rate", "error_ratio", "response_time_p95", "queue"]);
    assert!(detector.schema.features()[0].expression.contains("my_requests_total"));
    assert_eq!(detector.thresholds.of(Severity::Medium), 0.4);
    assert_eq!(config.external_labels, [("cluster".into(), "a".into()), ("site".into(), "b".into())]);
}

#[test]
fn grace_is_five_minutes_unless_said_and_none_for_single_series() {
    let grace = |keys: &str| {
        let text = format!("detectors:\n  - {{ name: a, {keys} }}\n");
        valid(&text).detectors[0].grace.as_secs()
    };
    assert_eq!(valid("").detectors[0].grace.as_secs(), 300);
    assert_eq!(grace("features: { f: up }"), 300);
    assert_eq!(grace("features: { f: up }, grace: 0s"), 0);
    assert_eq!(grace("series: '{job=\"a\"}'"), 0);
    let too_long = problems("detectors:\n  - { name: a, features: { f: up }, grace: 2h }\n");
    assert!(too_long.contains("grace: 2h is out of range"), "{too_long}");
    let series = problems("detectors:\n  - { name: a, series: '{job=\"a\"}', grace: 1m }\n");
    assert!(series.contains("grace: does not go with series"), "{series}");
}

#[test]
fn maintenance_is_once_or_again_and_again() {
    let config = valid(
        r#"
maintenance:
  - { name: backup, match: '{instance=~"db.*"}', schedule: "30 1 * * 1-5", duration: 2h, time_zone: europe/berlin }
  - { name: new year, match: '{}', from: 2026-12-31T23:00:00+01:00, to: 2027-01-01T02:00:00Z }
"#,
    );
    let said: Vec<String> = config.maintenance.iter().map(|window| window.times().to_string()).collect();
    assert_eq!(
        said,
        ["30 1 * * 1-5 Europe/Berlin for 120 min", "2026-12-31T22:00:00Z to 2027-01-01T02:00:00Z"]
    );
    let matchers: Vec<usize> = config.maintenance.iter().map(|window| window.matchers().len()).collect();
    assert_eq!(matchers, [1, 0]);
}

#[test]
fn what_is_wrong_with_maintenance_is_said_all_at_once() {
    let said = problems(
        r#"
maintenance:
  - { name: a, match: '{job="a"}', schedule: "0 2 * *", duration: 2h }
  - { name: a, match: '{job="a"', schedule: "0 2 * * *", duration: 8d }
  - { match: '{job="a"}', from: yesterday, duration: 1h }
  - { name: d, from: 2026-01-02T00:00:00Z, to: 2026-01-01T00:00:00Z }
  - { name: e, match: '{}', schedule: "0 2 * * *", to: 2026-01-01T00:00:00Z }
"#,
    );
    for part in [
        "maintenance[0].schedule: \"0 2 * *\" is no schedule: it has 4 fields, not 5",
        "maintenance[1].name: another window is named \"a\" too",
        "maintenance[1].match: expression 1:",
        "maintenance[1].duration: lasts 11520 minutes, must be 1 to 10080",
        "maintenance[2]: name is missing",
        "maintenance[2].from: \"yesterday\" is not an instant",
        "maintenance[2]: to is missing",
        "maintenance[2].duration: goes with schedule",
        "maintenance[3]: match is missing",
        "maintenance[3]: ends at 1767225600000, which is not after its begin at 1767312000000",
        "maintenance[4].to: does not go with schedule",
        "maintenance[4]: duration is missing",
    ] {
        assert!(said.contains(part), "{part:?} in\n{said}");
    }
}

#[test]
fn alerts_are_read_unless_somebody_says_not_to() {
    let minutes = |n: u64| Duration::from_secs(n * 60);
    let alerts = valid("").alerts.unwrap();
    let times = (alerts.margin_before, alerts.margin_after, alerts.lead);
    assert_eq!(times, (minutes(10), minutes(30), minutes(30)));
    let written = r#"alerts: { selector: 'ALERTS{alertstate="firing"}' }"#;
    assert_eq!(valid(written).alerts, Some(alerts.clone()));
    let own = valid("alerts: { ignore: [Watchdog], margin_before: 0s, margin_after: 1d, lead: 1h }")
        .alerts
        .unwrap();
    assert_eq!((own.selector, own.ignore), (alerts.selector, vec!["Watchdog".to_owned()]));
    assert_eq!((own.margin_before, own.margin_after, own.lead), (Duration::ZERO, minutes(1440), minutes(60)));
    assert_eq!(valid("alerts: { enabled: false, lead: 1h }").alerts, None);
    let said = problems("alerts: { selector: 'rate(a[5m])', ignore: Watchdog, lead: 2d, margin: 5m }");
    for part in [
        "alerts.selector: expression 1:1: ",
        "alerts.ignore: must be a list",
        "alerts.lead: 2d is out of range",
        "alerts.margin: unknown key",
    ] {
        assert!(said.contains(part), "{part:?} in\n{said}");
    }
}

#[test]
fn local_time_and_holidays_are_those_of_a_place() {
    let detector = |keys: &str| {
        let text = format!("detectors:\n  - {{ name: a, features: {{ f: up }}, {keys} }}\n");
        valid(&text).detectors.remove(0)
    };
    let berlin =
        detector("time_zone: europe/berlin, holidays: [12-25, 2026-08-03..2026-08-14], seasonality: habits");
    assert_eq!(berlin.schema.time_zone(), Some("Europe/Berlin"));
    let season = berlin.season.unwrap();
    // 2026-08-10 is day 20,675 since 1970, 2026-12-25 day 20,812.
    let days = [20_675, 20_676 + 10, 20_812].map(|day| season.holidays.holds(day));
    assert_eq!((days, season.unusual_hours), ([true, false, true], false));
    assert_eq!(detector("time_zone: UTC").schema, detector("utc_offset_minutes: 0").schema);
    let plain = detector("utc_offset_minutes: 60, seasonality: none");
    assert_eq!((plain.schema.utc_offset_minutes(), plain.schema.time_zone(), plain.season), (60, None, None));
    assert_snapshot!(problems(
        "detectors:
  - name: a
    features: { f: up }
    time_zone: Europe/Berln
    utc_offset_minutes: 60
    holidays: [12-24, 2026-02-30, 2026-08-14..2026-08-03, xmas]
    seasonality: weekly
"
    ));
}

#[test]
fn splits_and_scoring_of_the_forests_are_chosen_under_training() {
    let splits = |training: &str| {
        let params = valid(&format!("training: {{ {training} }}\n")).training.hyperparams.get();
        (params.splits, params.scoring)
    };
    assert_eq!(splits("seed: 7"), (Splits::Plain, Scoring::Depth));
    assert_eq!(
        splits("split: guided, split_features: 1, scoring: density"),
        (Splits::Guided { features: 1, candidates: 10 }, Scoring::Density)
    );
    assert_snapshot!(problems("training: { split: guide, scoring: deep }\n"));
    assert_snapshot!(problems("training: { split: extended, split_candidates: 3 }\n"));
    assert_snapshot!(problems("training: { split: extended, scoring: density }\n"));
}

#[test]
fn rows_are_kept_unless_somebody_says_not_to() {
    assert_eq!(valid("").training.store, Some(crate::feature_store::Config::default()));
    assert_eq!(valid("training: { store: false }\n").training.store, None);
    assert_snapshot!(problems(
        "training: { store: maybe, path: [a], max_bytes: 4KiB, write_interval: 0s }\n"
    ));
}

#[test]
fn detectors_train_again_by_an_interval_a_crontab_or_never() {
    let triggers = |keys: &str| valid(&format!("training: {{ {keys} }}\n")).training.triggers;
    assert_eq!(triggers("seed: 7"), TrainingTriggers::default());
    let default = TrainingTriggers::default();
    assert_eq!(
        (default.schedule, default.drift_threshold, default.min_f1),
        (TrainingSchedule::Every(604_800_000), 0.25, 0.8)
    );
    assert_eq!(triggers("schedule: 36h").schedule, TrainingSchedule::Every(129_600_000));
    assert_eq!(triggers("schedule: never").schedule, TrainingSchedule::Never);
    let TrainingSchedule::At(times) = triggers("schedule: 0 4 * * 0").schedule else { panic!("no crontab") };
    assert_eq!(times.text(), "0 4 * * 0");
    let off = triggers("drift_threshold: 0, min_f1: 0");
    assert_eq!((off.drift_threshold, off.min_f1), (0.0, 0.0));
    assert_snapshot!(problems("training: { schedule: weekly, drift_threshold: much, min_f1: 80 }\n"));
    assert_snapshot!(problems("training: { schedule: 10m }\n"));
    assert_snapshot!(problems("training: { schedule: 0 25 * * 0 }\n"));
    assert_snapshot!(problems("training: { schedule: 0 0 31 2 * }\n"));
}

#[test]
fn single_series_need_a_selector_and_nothing_more() {
    let config = valid("detectors: [ { name: http, series: '{__name__=~\"http_.*\"}' } ]\n");
    let detector = &config.detectors[0];
    assert_eq!((detector.schema.by().len(), detector.schema.features()[0].name.as_str()), (0, "value"));
    let series = detector.series.as_ref().unwrap();
    assert_eq!((series.selectors.len(), series.max_series), (1, 10_000));
    assert!(config.compile(detector).is_ok());

    let config = valid(
        r#"
detectors:
  - name: all
    series:
      - http_requests_total{job="api"}
      - '{__name__=~"node_.*"}'
    counters: node_netstat_.*
    gauges: [system_cpu_count, node_netstat_Tcp_CurrEstab]
    rate_interval: 2m
    max_series: 50
    value: { min_relative_change: 0.5, zero: ignore }
    overrides:
      - match: '{for="http_requests_total"}'
        features: { value: { direction: below } }
"#,
    );
    let detector = &config.detectors[0];
    let (series, reading) = (detector.series.as_ref().unwrap(), detector.schema.series().unwrap());
    assert_eq!((series.selectors.len(), series.max_series, reading.get().rate_range_ms), (2, 50, 120_000));
    assert!(reading.is_counter("node_netstat_Tcp_InSegs") && !reading.is_counter("system_cpu_count"));
    let direction = |metric: &str| {
        let entity = LabelSet::from_pairs([("for", metric), ("job", "a")]).unwrap();
        let rules = detector.rules.of(&entity)[0];
        (rules.gate.direction(), rules.gate.min_relative_change(), rules.on_zero)
    };
    assert_eq!(direction("http_requests_total"), (Direction::Below, 0.5, OnZero::Ignore));
    assert_eq!(direction("up"), (Direction::Both, 0.5, OnZero::Ignore));
}

#[test]
fn what_does_not_go_with_single_series_is_said() {
    assert_snapshot!(problems(
        r#"detectors:
  - name: a
    series: '{__name__=~"http_.*"'
    preset: http
    by: [instance]
    features: { f: up }
    counters: 'a)|(b'
    max_series: 0
  - name: b
    series: []
    overrides: [ { match: '{__name__="up"}', features: { value: { direction: above } } } ]
  - name: c
    features: { f: up }
    counters: [a]
    max_series: 5
"#
    ));
}

#[test]
fn all_problems_are_reported_at_once_in_the_order_of_the_file() {
    assert_snapshot!(problems(
        r"step: 15
setle_timeout: 30s
storage:
  shards: 0
  max_bytes: 1.5GiB
remote_write:
  - url: localhost:9090
    queue_config: { min_backoff: 10s, max_backoff: 1s, capacity: many }
    headers: { Content-Type: text/plain }
detectors:
  - name: node
    preset: node_exporters
    by: [instance, 0job]
  - name: node
    features:
      cpu: sum(rate(node_cpu_seconds_total[5m]
      old: up offset -5m
    tresholds: { high: 0.9 }
    thresholds: { low: 0.5 }
    persistence: { n: 6 }
external_labels: { detector: x }
"
    ));
}

#[test]
fn what_holds_for_a_feature_is_written_beside_its_expression() {
    let config = valid(
        r#"
detectors:
  - name: api
    preset: http
    by: [service, instance]
    gaps: hold
    features:
      response_time_p95: { direction: above, min_change: 0.05, min_relative_change: 0.5 }
      error_ratio: { valid_range: [0, 1], limit: { above: 0.5, severity: high }, zero: ignore, type: traffic }
      request_rate: { expr: "sum by (service, instance) (rate(my_requests_total[$__rate_interval]))", direction: below }
      queue: { expr: "sum by (service, instance) (queue_length)", min_change: 1e1, gaps: zero }
    overrides:
      - match: '{service=~"batch.*"}'
        features:
          response_time_p95: { min_change: 5, type: system }
"#,
    );
    let detector = &config.detectors[0];
    let names: Vec<&str> = detector.schema.features().iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, ["request_rate", "error_ratio", "response_time_p95", "queue"]);
    assert!(detector.schema.features()[0].expression.contains("my_requests_total[300s]"));
    let gates = |service: &str| {
        let entity = LabelSet::from_pairs([("service", service), ("instance", "a")]).unwrap();
        let gates = detector.rules.of(&entity).iter().map(|rules| rules.gate);
        gates
            .map(|gate| (gate.direction(), gate.min_change(), gate.min_relative_change()))
            .collect::<Vec<_>>()
    };
    let (both, above) = (Direction::Both, Direction::Above);
    // That of an error ratio is the preset's.
    let others = [(Direction::Below, 0.0, 0.0), (above, 0.005, 0.0)];
    assert_eq!(gates("web"), [others[0], others[1], (above, 0.05, 0.5), (both, 10.0, 0.0)]);
    assert_eq!(gates("batch-7"), [others[0], others[1], (above, 5.0, 0.5), (both, 10.0, 0.0)]);
    let range = detector.rules.features()[1].valid_range.unwrap();
    assert_eq!((range.low(), range.high()), (0.0, 1.0));
    let on_zero: Vec<OnZero> = detector.rules.features().iter().map(|rules| rules.on_zero).collect();
    assert_eq!(on_zero, [OnZero::Alert, OnZero::Ignore, OnZero::Alert, OnZero::Alert]);
    let on_gap: Vec<OnGap> = detector.rules.features().iter().map(|rules| rules.on_gap).collect();
    assert_eq!(on_gap, [OnGap::Hold, OnGap::Hold, OnGap::Hold, OnGap::Zero]);
    let types = |rules: &[FeatureRules]| rules.iter().map(|rules| rules.anomaly_type).collect::<Vec<_>>();
    let (traffic, system) = (Some(AnomalyType::Traffic), Some(AnomalyType::System));
    assert_eq!(types(detector.rules.features()), [None, traffic, None, None]);
    assert_eq!(types(&detector.rules.overrides()[0].features), [None, traffic, system, None]);
    let limits = detector.rules.features()[1].limits.unwrap();
    assert_eq!((limits.above(), limits.below(), limits.severity()), (Some(0.5), None, Severity::High));
}

/// Of a feature with an expression of its own nothing of the preset holds: its unit may be another.
#[test]
fn a_preset_brings_what_counts_of_its_features() {
    let config = valid(
        r#"
detectors:
  - name: node
    preset: node_exporter
    features:
      cpu_usage_max: { expr: "100 * my_cpu", min_change: 10 }
      memory_usage_pct: { min_change: 5 }
      disk_usage_pct: { direction: both, limit: { above: 95, unless_usual: true } }
      load_per_core: my_load
"#,
    );
    let detector = &config.detectors[0];
    let rules = |name: &str| detector.rules.features()[detector.schema.place_of(name).unwrap()];
    let (above, both) = (Direction::Above, Direction::Both);
    let gate = |name| (rules(name).gate.direction(), rules(name).gate.min_change());
    assert_eq!(gate("cpu_usage_avg"), (above, 0.05));
    assert_eq!(gate("cpu_usage_max"), (both, 10.0));
    assert_eq!(gate("memory_usage_pct"), (above, 5.0));
    assert_eq!(gate("disk_usage_pct"), (both, 0.5));
    assert_eq!(gate("load_per_core"), (both, 0.0));
    let limit = |name| rules(name).limits.map(|limits| (limits.above(), limits.is_unless_usual()));
    assert_eq!(limit("memory_usage_pct"), Some((Some(90.0), true)));
    assert_eq!(limit("disk_usage_pct"), Some((Some(95.0), true)));
    let of_default = valid("");
    let preset = valid("detectors: [{ name: node, preset: node_exporter }]");
    assert_eq!(of_default.detectors[0].rules, preset.detectors[0].rules);
}

/// At 15 s a week has 40,320 steps: 3 / 40,320 = 7.44e-5, -log10 / 6 = 0.6881; a day has 5,760: 0.5472.
#[test]
fn a_budget_lifts_the_thresholds() {
    let thresholds = |rest: &str| {
        let config = valid(&format!("detectors: [ {{ name: n, preset: http, {rest} }} ]\n"));
        let thresholds = config.detectors[0].thresholds;
        [Severity::Low, Severity::Medium, Severity::High].map(|level| (thresholds.of(level) * 1e4).round())
    };
    assert_eq!(thresholds("budget: { high: 1/w, medium: 1/d }"), [3500.0, 5766.0, 8000.0]);
    let low = "thresholds: { low: 0.1, medium: 0.2, high: 0.3 }, ";
    assert_eq!(thresholds(&format!("{low} budget: {{ high: 1/w, medium: 1/d }}")), [1000.0, 5766.0, 7174.0]);
    assert_eq!(thresholds(low), [1000.0, 2000.0, 3000.0]);
    assert_snapshot!(problems(
        "detectors:
  - { name: a, preset: http, budget: { high: 1/week, medum: 1/d } }
  - { name: b, preset: http, budget: { medium: 1/10y } }
  - { name: c, preset: http, budget: { medium: 1/y } }
"
    ));
}

#[test]
fn every_problem_of_the_rules_is_reported() {
    assert_snapshot!(problems(
        r#"detectors:
  - name: node
    preset: node_exporter
    features:
      cpu_usage_average: { direction: up, min_change: -1 }
      cpu_usage_max: { directon: above, min_relative_change: much }
      load_per_core: { valid_range: [5, 1] }
      disk_usage_pct: { valid_range: [0, 100, 200] }
      memory_usage_pct: [0, 1]
      own: { min_change: 1 }
      disk_io_utilisation: { limit: { abov: 0.9, severity: low } }
      network_receive_bytes: { limit: { above: 1, below: 2 } }
      network_transmit_bytes: { limit: { above: full }, zero: ignored, gaps: old, type: resources }
    overrides:
      - match: '{job="db"}'
        features: { cpu_usage_avg: { direction: above }, disk: {}, load_per_core: node_load1 }
      - match: 'instance=~"db"'
      - features: { cpu_usage_avg: { expr: up } }
"#
    ));
}

#[test]
fn a_value_of_the_wrong_kind_says_what_belongs_there() {
    assert_snapshot!(problems(
        "step: [15s]\nstorage: 5\nreceive: [a]\ndetectors: { name: node }\nexternal_labels: { a: [b] }\nremote_write:\n  - {}\n"
    ));
}

#[test]
fn broken_yaml_is_one_problem_with_its_place() {
    assert_snapshot!(problems("step: 15s\ndetectors:\n  - name: \"node\n"));
    assert_snapshot!(problems("step: 15s\nstep: 30s\n"));
}

#[test]
fn secrets_are_written_once_and_one_way() {
    assert_snapshot!(problems(
        "remote_write:
  - url: http://a/b
    basic_auth: { username: me, password: x, password_file: y }
    authorization: { type: Digest, credentials: z }
"
    ));
}

proptest! {
    /// For all texts, checking neither panics nor returns without either a config or a problem.
    #[test]
    fn no_text_panics(text in "(step|detectors|features|by|name|storage|[-:{}\\[\\], \n'\"&*!|>#]|[a-z0-9]{1,4}){0,40}") {
        if let Err(problems) = parse(&text) {
            prop_assert!(!problems.0.is_empty());
        }
    }
}
