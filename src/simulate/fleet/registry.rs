//! The series of one node with their present values, as an exporter holds them.

use crate::series::{LabelSet, METRIC_NAME};

/// Handle of a counter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counter(usize);

/// Handle of a gauge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gauge(usize);

/// What a process exposes: its counters begin at zero whenever it starts.
#[derive(Debug)]
pub(super) struct Registry {
    instance: String,
    job: &'static str,
    series: Vec<Series>,
    /// Series that are exposed no more, since the last scrape.
    ended: Vec<LabelSet>,
}

#[derive(Debug)]
struct Series {
    labels: LabelSet,
    value: f64,
    counter: bool,
}

impl Registry {
    pub(super) fn new(instance: &str, job: &'static str) -> Self {
        Self { instance: instance.to_owned(), job, series: Vec::new(), ended: Vec::new() }
    }

    /// Registers a counter; `labels` beside `instance` and `job`.
    pub(super) fn counter(&mut self, name: &str, labels: &[(&str, &str)]) -> Counter {
        Counter(self.register(name, labels, true))
    }

    /// Registers a gauge; `labels` beside `instance` and `job`.
    pub(super) fn gauge(&mut self, name: &str, labels: &[(&str, &str)]) -> Gauge {
        Gauge(self.register(name, labels, false))
    }

    /// Gives a gauge other labels: one series ends, another one begins.
    pub(super) fn relabel(&mut self, gauge: Gauge, name: &str, labels: &[(&str, &str)]) {
        let labels = self.labels(name, labels);
        self.ended.push(std::mem::replace(&mut self.series[gauge.0].labels, labels));
    }

    /// The series that ended since the last call.
    pub(super) fn take_ended(&mut self) -> Vec<LabelSet> {
        std::mem::take(&mut self.ended)
    }

    fn register(&mut self, name: &str, labels: &[(&str, &str)], counter: bool) -> usize {
        let labels = self.labels(name, labels);
        self.series.push(Series { labels, value: 0.0, counter });
        self.series.len() - 1
    }

    fn labels(&self, name: &str, labels: &[(&str, &str)]) -> LabelSet {
        let own = [(METRIC_NAME, name), ("instance", self.instance.as_str()), ("job", self.job)];
        // The names are this module's own constants: distinct, none empty, none long.
        let labels = LabelSet::from_pairs(own.iter().chain(labels).copied()).unwrap_or_default();
        debug_assert!(!labels.is_empty(), "bad labels for {name}");
        labels
    }

    pub(super) fn add(&mut self, counter: Counter, amount: f64) {
        debug_assert!(amount >= 0.0, "{}: {amount}", self.series[counter.0].labels);
        self.series[counter.0].value += amount;
    }

    pub(super) fn set(&mut self, gauge: Gauge, value: f64) {
        self.series[gauge.0].value = value;
    }

    /// The process starts again.
    pub(super) fn reset_counters(&mut self) {
        for series in self.series.iter_mut().filter(|series| series.counter) {
            series.value = 0.0;
        }
    }

    /// Every series with its value, in order of registration.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&LabelSet, f64)> {
        self.series.iter().map(|series| (&series.labels, series.value))
    }

    pub(super) fn len(&self) -> usize {
        self.series.len()
    }
}
