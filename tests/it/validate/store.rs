//! Eight hours of made machines in a real Prometheus, with incidents drawn from one seed where is trained and from another where is
//! validated.

use super::number;
use crate::support::{peers, process::Process, prometheus, remote_write};
use emberwatch::series::{LabelSet, STALE_NAN, Sample, TimestampMs};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    ops::Range,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

const STEP_MS: i64 = 15_000;
const NODES: usize = 4;

/// Eight hours, of which the last three tenths are validated.
const STEPS: i64 = 1_920;
const TRAINED: Range<i64> = 100..1_200;
const VALIDATED: Range<i64> = 1_380..1_900;

/// A time in which a machine answers more requests than it ever did, and holds more memory.
struct Incident {
    node: usize,
    steps: Range<i64>,
}

/// Incidents of a seed within some steps, one a node, of twenty minutes to half an hour.
fn incidents(seed: u64, within: Range<i64>) -> Vec<Incident> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let one = |node| {
        let length = random.random_range(80..120);
        let from = random.random_range(within.start..within.end - length);
        Incident { node, steps: from..from + length }
    };
    (0..NODES).map(one).collect()
}

struct Site {
    folder: tempfile::TempDir,
    prometheus: SocketAddr,
    begin: TimestampMs,
    _process: Process,
}

/// The labels in a table and the alerts in the store tell of the same incidents, and the model that was trained before them finds them.
#[test]
fn a_model_of_the_past_is_validated_by_a_table_and_by_alerts() {
    let Some(binary) = peers::find("prometheus") else { return };
    let site = Site::start(&binary);
    let by_table = site.train("by-table", &["--labels", &site.path("labels.csv")]);
    let by_alerts = site.train("by-alerts", &["--labels-from-alerts"]);
    for found in [&by_table, &by_alerts] {
        let own = &found["op"]["own_alarm"];
        assert_eq!(found["segments"].as_u64(), Some(NODES as u64));
        assert!(number(&own["F1"]) >= 0.85, "{own}");
        assert_eq!(number(&own["event_recall"]), 1.0);
        assert!(number(&own["F1"]) > 2.0 * number(&found["op"]["everything"]["F1"]));
    }
    assert_eq!(by_alerts["labels"]["alerts_on_nobody"].as_u64(), Some(1));
    assert_eq!((&by_table["op"], &by_table["n"]), (&by_alerts["op"], &by_alerts["n"]));
}

// === impl Site ===

impl Site {
    fn start(binary: &Path) -> Self {
        let flags = ["--web.enable-remote-write-receiver"];
        let configuration = "global: {}\nstorage: {tsdb: {out_of_order_time_window: 1d}}\n";
        let (prometheus, process) = prometheus::start_with(binary, configuration, &flags);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let begin = TimestampMs(now - STEPS * STEP_MS).align_down(STEP_MS);
        let mut all = incidents(3, TRAINED);
        all.extend(incidents(4, VALIDATED));
        let site = Self { folder: tempfile::tempdir().unwrap(), prometheus, begin, _process: process };
        site.send_samples(&all);
        site.send_alerts(&all);
        let line = |Incident { node, steps }: &Incident| {
            let (from, to) = (site.at(steps.start).seconds(), site.at(steps.end - 1).seconds());
            format!("node-{node},{from},{to}\n")
        };
        let lines: String = all.iter().map(line).collect();
        fs::write(site.path("labels.csv"), format!("entity,from,to\n{lines}")).unwrap();
        fs::write(site.path("config.yaml"), site.config()).unwrap();
        site
    }

    fn config(&self) -> String {
        format!(
            "step: 15s
history: {{url: 'http://{}'}}
models: {{path: {}}}
detectors:
  - name: made
    by: [instance]
    window: 2m
    features:
      requests: sum by (instance) (rate(made_requests_total[1m]))
      memory: max by (instance) (made_memory_bytes)
",
            self.prometheus,
            self.path("models")
        )
    }

    /// A counter and a gauge of each machine, either with a level that wanders and noise.
    fn send_samples(&self, incidents: &[Incident]) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(11);
        let mut series = Vec::new();
        for node in 0..NODES {
            let (mut wander, mut total) = (0.0_f64, 0.0);
            let (mut requests, mut memory) = (Vec::new(), Vec::new());
            for step in 0..STEPS {
                wander = 0.9 * wander + random.random_range(-1.0..1.0);
                let fault = incidents.iter().any(|own| own.node == node && own.steps.contains(&step));
                let extra = if fault { 40.0 } else { 0.0 };
                total += 750.0 + 15.0 * (wander + random.random_range(-1.0..1.0) + extra);
                let held = 1e9 + 1e7 * (random.random_range(-1.0..1.0) + extra);
                requests.push(Sample::new(self.at(step).0, total));
                memory.push(Sample::new(self.at(step).0, held));
            }
            let instance = format!("node-{node}");
            let name =
                |metric: &str| LabelSet::from_pairs([("__name__", metric), ("instance", &instance)]).unwrap();
            series.extend([(name("made_requests_total"), requests), (name("made_memory_bytes"), memory)]);
        }
        remote_write::send(self.prometheus, &series);
    }

    /// As Prometheus writes them, with a stale marker at the end; one is on no machine.
    fn send_alerts(&self, incidents: &[Incident]) {
        let alert = |(name, value): (&str, &str), all: &[&Range<i64>]| {
            let fixed = [("__name__", "ALERTS"), ("alertstate", "firing"), ("alertname", "Fault")];
            let labels = LabelSet::from_pairs(fixed.into_iter().chain([(name, value)])).unwrap();
            let samples = all.iter().flat_map(|steps| {
                let firing = (*steps).clone().map(|step| Sample::new(self.at(step).0, 1.0));
                firing.chain([Sample::new(self.at(steps.end).0, STALE_NAN)])
            });
            (labels, samples.collect::<Vec<_>>())
        };
        let on_node = |node: usize| {
            let own: Vec<_> = incidents.iter().filter(|one| one.node == node).map(|one| &one.steps).collect();
            alert(("instance", &format!("node-{node}")), &own)
        };
        let mut alerts: Vec<_> = (0..NODES).map(on_node).collect();
        alerts.push(alert(("job", "made"), &[&(10..20)]));
        remote_write::send(self.prometheus, &alerts);
    }

    fn at(&self, step: i64) -> TimestampMs {
        self.begin.plus_ms(step * STEP_MS)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Trains and validates, and gives what was found.
    fn train(&self, name: &str, labels: &[&str]) -> Value {
        let (config, json) = (self.path("config.yaml"), self.path(&format!("{name}.json")));
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command.args(["train", "--config", &config, "--validate", "0.3", "--json", &json]).args(labels);
        command.arg(format!("--from={}", self.at(0).seconds()));
        command.arg(format!("--until={}", self.at(STEPS - 1).seconds()));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        println!("{said}");
        serde_json::from_slice(&fs::read(json).unwrap()).unwrap()
    }
}
