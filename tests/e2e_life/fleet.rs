//! Made machines: thirty days of them as text for `promtool`, and the days after as a stream.

use emberwatch::series::{LabelSet, Sample, TimestampMs};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{
    f64::consts::TAU,
    fmt::Write as _,
    io::{BufWriter, Write as _},
    ops::Range,
    path::Path,
};

pub(crate) const NODES: usize = 4;

pub(crate) const STEP_MS: i64 = 60_000;

pub(crate) const STEPS_OF_DAY: i64 = 1_440;

/// The metrics of a machine, in the order in which they are made.
const METRICS: [&str; 3] = ["made_requests_total", "made_memory_bytes", "made_busy_ratio"];

/// What goes wrong, by what it changes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Nearly no request arrives.
    Away,
    /// Memory is held that nobody holds.
    Leaked,
    /// Something else takes the processors.
    Busy,
}

/// A fault of one machine, in steps from the begin of the fleet.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) node: usize,
    pub(crate) steps: Range<i64>,
    fault: Fault,
}

/// Machines whose load follows the day; what one step brings depends on the steps before it.
pub(crate) struct Fleet {
    begin: TimestampMs,
    step: i64,
    random: Xoshiro256PlusPlus,
    incidents: Vec<Incident>,
    /// From this step on there is more load: another region, a third more users.
    shift: i64,
    nodes: [Node; NODES],
}

#[derive(Clone, Copy, Default)]
struct Node {
    wander: f64,
    requests: f64,
}

/// Incidents of a seed: in each part of the steps one, on a machine and of a kind that are drawn, of one to two hours.
pub(crate) fn incidents(seed: u64, within: Range<i64>, count: i64) -> Vec<Incident> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let part = (within.end - within.start) / count;
    let one = |n: i64| {
        let length = random.random_range(60..120);
        let from = within.start + n * part + random.random_range(0..part - length);
        let node = random.random_range(0..NODES);
        let fault = [Fault::Away, Fault::Leaked, Fault::Busy][random.random_range(0..3)];
        Incident { node, steps: from..from + length, fault }
    };
    (0..count).map(one).collect()
}

pub(crate) fn name(node: usize) -> String {
    format!("node-{node}")
}

// === impl Fleet ===

impl Fleet {
    pub(crate) fn new(begin: TimestampMs, incidents: Vec<Incident>) -> Self {
        let random = Xoshiro256PlusPlus::seed_from_u64(17);
        Self { begin, step: 0, random, incidents, shift: i64::MAX, nodes: [Node::default(); NODES] }
    }

    pub(crate) fn at(&self, step: i64) -> TimestampMs {
        self.begin.plus_ms(step * STEP_MS)
    }

    /// The next step that is not made yet.
    pub(crate) fn next(&self) -> i64 {
        self.step
    }

    /// From the next step on the load is another one for good.
    pub(crate) fn shift(&mut self) {
        self.shift = self.step;
    }

    /// Writes the steps up to `until` as OpenMetrics, a metric after the other as the format wants it.
    pub(crate) fn write(&mut self, until: i64, file: &Path) {
        let mut texts = METRICS.map(|metric| {
            let (name, kind) = match metric.strip_suffix("_total") {
                Some(counter) => (counter, "counter"),
                None => (metric, "gauge"),
            };
            format!("# TYPE {name} {kind}\n")
        });
        while self.step < until {
            let at = self.at(self.step).0 as f64 / 1000.0;
            for (node, values) in self.make().into_iter().enumerate() {
                for ((text, metric), value) in texts.iter_mut().zip(METRICS).zip(values) {
                    writeln!(text, "{metric}{{instance=\"{}\"}} {value} {at}", name(node)).unwrap();
                }
            }
        }
        let mut file = BufWriter::new(std::fs::File::create(file).unwrap());
        texts.iter().for_each(|text| file.write_all(text.as_bytes()).unwrap());
        file.write_all(b"# EOF\n").unwrap();
    }

    /// The next `steps` as series.
    pub(crate) fn stream(&mut self, steps: i64) -> Vec<(LabelSet, Vec<Sample>)> {
        let labels = |node: usize, metric: &str| {
            LabelSet::from_pairs([("__name__", metric), ("instance", &name(node))]).unwrap()
        };
        let mut series: Vec<(LabelSet, Vec<Sample>)> =
            (0..NODES).flat_map(|node| METRICS.map(|metric| (labels(node, metric), Vec::new()))).collect();
        for _ in 0..steps {
            let at = self.at(self.step).0;
            let made = self.make().into_iter().flatten();
            series
                .iter_mut()
                .zip(made)
                .for_each(|((_, samples), value)| samples.push(Sample::new(at, value)));
        }
        series
    }

    /// What the machines say at one step.
    fn make(&mut self) -> [[f64; METRICS.len()]; NODES] {
        let step = self.step;
        self.step += 1;
        let (time_of_day, more) =
            (step as f64 / STEPS_OF_DAY as f64, if step >= self.shift { 1.3 } else { 1.0 });
        let mut number = 0;
        self.nodes.map(|_| ()).map(|()| {
            let own = number;
            number += 1;
            let fault = self.incidents.iter().find(|one| one.node == own && one.steps.contains(&step));
            let fault = fault.map(|incident| incident.fault);
            let mut noise = || self.random.random_range(-1.0..1.0) + self.random.random_range(-1.0..1.0);
            let node = &mut self.nodes[own];
            node.wander = 0.95 * node.wander + 0.02 * noise();
            let day = 1.0 + 0.4 * (TAU * (time_of_day + own as f64 / 16.0)).sin();
            let load = more * (day * (1.0 + 0.1 * node.wander) + 0.02 * noise()).max(0.1);
            let arrived = if matches!(fault, Some(Fault::Away)) { 0.1 * load } else { load };
            node.requests += 6_000.0 * arrived * (1.0 + 0.02 * noise());
            let leaked = if matches!(fault, Some(Fault::Leaked)) { 3.0e9 } else { 0.0 };
            let memory = 4.0e9 + 5.0e8 * load + leaked + 2.0e7 * noise();
            let taken = if matches!(fault, Some(Fault::Busy)) { 0.45 } else { 0.0 };
            let busy = (0.2 * arrived + taken + 0.01 * noise()).clamp(0.0, 1.0);
            [node.requests, memory.round(), busy]
        })
    }
}
