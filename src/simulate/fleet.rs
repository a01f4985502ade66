//! A simulated fleet: nodes with node_exporter's metric names and types, each with an HTTP service.
//!
//! Pure and seeded: the same seed, start and faults give the same samples to the last bit. Load
//! follows the hour and the weekday, with noise that remembers, bursts and a nightly backup; CPU,
//! memory, disk, network and latency follow from the load. Machines reboot and services restart now
//! and then, which sets their counters to zero. Faults act on causes, see [`super::fault`].
//!
//! A fleet made by [`Fleet::with_routine`] also lives the everyday life of production: roles, cron jobs, releases, growth,
//! rushes of any size, failing scrapes. It draws from streams of its own, so that a calm fleet stays what it is.
//!
//! It does not send anything: [`Fleet::scrape`] gives what one round of scrapes would bring.

mod exporter;

mod machine;

mod node;

mod pattern;

mod registry;

mod routine;

mod web;

#[cfg(test)]
mod tests;

use super::fault::Fault;
use crate::series::{LabelSet, Sample, TimestampMs};
use node::Node;
use routine::{Commons, Routine};

/// The nodes, all scraped once in every interval.
#[derive(Debug)]
pub struct Fleet {
    nodes: Vec<Node>,
    commons: Option<Commons>,
    next_interval: TimestampMs,
    scrape_interval_ms: i64,
}

/// One sample of one series.
#[derive(Clone, Debug)]
pub struct Scraped {
    /// The series.
    pub labels: LabelSet,
    /// Its sample.
    pub sample: Sample,
}

/// How a node is doing, for people to look at. Shares are from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeView {
    /// Value of the label `instance`.
    pub instance: String,
    /// False while the machine reboots.
    pub up: bool,
    /// Share of CPU time in use.
    pub cpu: f64,
    /// Share of memory that processes hold.
    pub memory: f64,
    /// Share of the root file system in use.
    pub disk: f64,
    /// Bytes per second received and sent.
    pub network_bytes: f64,
    /// 95th percentile of the request duration.
    pub p95_seconds: f64,
}

impl Fleet {
    /// A calm fleet of `n_nodes` nodes that live from `start` on; `scrape_interval_ms` must be positive.
    #[must_use]
    pub fn new(
        seed: u64,
        n_nodes: usize,
        start: TimestampMs,
        scrape_interval_ms: i64,
        faults: &[Fault],
    ) -> Self {
        let node = |index, offset_ms, own| Node::new(index, seed, start, offset_ms, own, None);
        Self::made_of(node, n_nodes, start, scrape_interval_ms, faults, None)
    }

    /// The same with the everyday life of production.
    #[must_use]
    pub fn with_routine(
        seed: u64,
        n_nodes: usize,
        start: TimestampMs,
        scrape_interval_ms: i64,
        faults: &[Fault],
    ) -> Self {
        let node = |index, offset_ms, own| {
            let routine = Routine::new(index, seed, start);
            Node::new(index, seed, start, offset_ms, own, Some(routine))
        };
        let commons = Commons::new(seed, start);
        Self::made_of(node, n_nodes, start, scrape_interval_ms, faults, Some(commons))
    }

    fn made_of(
        node: impl Fn(usize, i64, Vec<Fault>) -> Node,
        n_nodes: usize,
        start: TimestampMs,
        scrape_interval_ms: i64,
        faults: &[Fault],
        commons: Option<Commons>,
    ) -> Self {
        let nodes = (0..n_nodes).map(|index| {
            // Prometheus spreads its targets over the interval; a node keeps its place.
            let offset_ms = index as i64 * scrape_interval_ms / n_nodes.max(1) as i64;
            let own = faults.iter().filter(|fault| fault.node == index).cloned().collect();
            node(index, offset_ms, own)
        });
        // The first interval has only a beginning; counters start there.
        let next_interval = start.plus_ms(scrape_interval_ms);
        Self { nodes: nodes.collect(), commons, next_interval, scrape_interval_ms }
    }

    /// Adds the samples of the next round: every node once, in the order of time, and per node all
    /// samples with the same timestamp. Returns the end of the interval.
    pub fn scrape(&mut self, into: &mut Vec<Scraped>) -> TimestampMs {
        let interval_start = self.next_interval;
        self.next_interval = interval_start.plus_ms(self.scrape_interval_ms);
        let before = into.len();
        let elapsed_s = self.scrape_interval_ms as f64 / 1000.0;
        let commons = self.commons.as_mut().map(|commons| commons.advance(interval_start, elapsed_s));
        let (rush, blind) = commons.unwrap_or((1.0, false));
        for node in &mut self.nodes {
            node.scrape(interval_start, rush, blind, into);
        }
        if blind {
            into.truncate(before);
        }
        self.next_interval
    }

    /// Number of series of all nodes.
    #[must_use]
    pub fn n_series(&self) -> usize {
        self.nodes.iter().map(Node::n_series).sum()
    }

    /// How every node did at its last scrape.
    #[must_use]
    pub fn views(&self) -> Vec<NodeView> {
        self.nodes.iter().map(Node::view).collect()
    }
}
