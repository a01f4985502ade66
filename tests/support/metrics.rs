//! Reads `/metrics` with a parser that is not ours: a second opinion on what we write.

use super::http;
use prometheus_parse::{Sample, Scrape, Value};
use std::net::SocketAddr;

/// One scrape of a process.
#[derive(Debug)]
pub(crate) struct Metrics(Vec<Sample>);

/// Scrapes the process at `address`.
pub(crate) fn scrape(address: SocketAddr) -> Metrics {
    let text = http::get(address, "/metrics").unwrap().text();
    Metrics(Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap().samples)
}

// === impl Metrics ===

impl Metrics {
    /// Counters or gauges of this name, added up over their labels; 0 where there is none.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let number = |sample: &Sample| match sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => value,
            Value::Histogram(_) | Value::Summary(_) => f64::NAN,
        };
        self.named(name).map(number).sum()
    }

    /// The counter or gauge of this name whose `label` is `value`; 0 where there is none.
    pub(crate) fn of_label(&self, name: &str, label: &str, value: &str) -> f64 {
        let own = self.named(name).filter(|sample| sample.labels.get(label) == Some(value)).cloned();
        Self(own.collect()).sum(name)
    }

    /// The values of one label over all series of this name.
    pub(crate) fn label_values(&self, name: &str, label: &str) -> Vec<&str> {
        self.named(name).filter_map(|sample| sample.labels.get(label)).collect()
    }

    /// The least bucket bound of a histogram that a share `q` of its observations does not exceed, and
    /// their number.
    pub(crate) fn quantile_bound(&self, name: &str, q: f64) -> (f64, f64) {
        let buckets = self.named(name).find_map(|sample| match &sample.value {
            Value::Histogram(buckets) => Some(buckets),
            _ => None,
        });
        let buckets = buckets.unwrap_or_else(|| panic!("no histogram {name}"));
        let count = buckets.last().map_or(0.0, |last| last.count);
        let reached = buckets.iter().find(|bucket| bucket.count >= q * count);
        (reached.map_or(f64::NAN, |bucket| bucket.less_than), count)
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.0.iter().filter(move |sample| sample.metric == name)
    }
}
