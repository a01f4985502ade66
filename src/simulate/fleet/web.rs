//! The metrics of the HTTP service on a machine: requests by code and method, and their durations.

use super::{
    machine::{Conditions, count},
    registry::{Counter, Gauge, Registry},
};
use crate::series::TimestampMs;
use rand::Rng;
use std::f64::consts::PI;

/// Upper bounds of the buckets, the default of Prometheus' client libraries.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Steepness of the distribution of durations: the 95th percentile is 2.3 medians.
const STEEPNESS: f64 = 3.5;

/// Share of the requests that only read.
const READS: f64 = 0.8;

/// What says which version runs, by the convention of Prometheus' exporters.
const BUILD_INFO: &str = "web_build_info";

/// The metrics of one service.
#[derive(Debug)]
pub(super) struct WebService {
    pub(super) registry: Registry,
    up: Gauge,
    start_time: Gauge,
    build_info: Gauge,
    /// How many versions came before this one.
    releases: u64,
    /// By code (200, 500), then method (GET, POST).
    requests: [[Counter; 2]; 2],
    buckets: Vec<Counter>,
    sum: Counter,
    count: Counter,
}

impl WebService {
    pub(super) fn new(instance: &str, started: TimestampMs) -> Self {
        let mut registry = Registry::new(instance, "web");
        let up = registry.gauge("up", &[]);
        registry.set(up, 1.0);
        let start_time = registry.gauge("process_start_time_seconds", &[]);
        registry.set(start_time, started.seconds());
        let build_info = registry.gauge(BUILD_INFO, &[("version", version(0).as_str())]);
        registry.set(build_info, 1.0);
        let requests = ["200", "500"].map(|code| {
            ["GET", "POST"]
                .map(|method| registry.counter("http_requests_total", &[("code", code), ("method", method)]))
        });
        let bounds = BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let buckets = bounds
            .map(|le| registry.counter("http_request_duration_seconds_bucket", &[("le", le.as_str())]))
            .collect();
        let sum = registry.counter("http_request_duration_seconds_sum", &[]);
        let count = registry.counter("http_request_duration_seconds_count", &[]);
        Self { registry, up, start_time, build_info, releases: 0, requests, buckets, sum, count }
    }

    /// Adds the requests of the `elapsed_s` seconds before a scrape.
    pub(super) fn record(&mut self, now: &Conditions, elapsed_s: f64, rng: &mut impl Rng) {
        let total = count(now.requests * elapsed_s, rng);
        let failed = count(total * now.error_ratio, rng).min(total);
        for (counters, n) in self.requests.iter().zip([total - failed, failed]) {
            let reads = (READS * n).round();
            self.registry.add(counters[0], reads);
            self.registry.add(counters[1], n - reads);
        }
        for (counter, bound) in self.buckets.iter().zip(BOUNDS.iter().chain([&f64::INFINITY])) {
            self.registry.add(*counter, (total * share_within(*bound, now.median_seconds)).round());
        }
        let mean = now.median_seconds * (PI / STEEPNESS) / (PI / STEEPNESS).sin();
        self.registry.add(self.sum, total * mean);
        self.registry.add(self.count, total);
    }

    /// A new process has taken over.
    pub(super) fn restart(&mut self, at: TimestampMs) {
        self.registry.reset_counters();
        self.registry.set(self.start_time, at.seconds());
    }

    /// A new process of the next version has taken over.
    pub(super) fn release(&mut self, at: TimestampMs) {
        self.restart(at);
        self.releases += 1;
        let version = version(self.releases);
        self.registry.relabel(self.build_info, BUILD_INFO, &[("version", version.as_str())]);
    }

    /// Whether the last scrape reached the service.
    pub(super) fn set_up(&mut self, up: bool) {
        self.registry.set(self.up, f64::from(u8::from(up)));
    }
}

/// The version after so many releases.
fn version(releases: u64) -> String {
    format!("1.{releases}.0")
}

/// Share of the requests that take at most `seconds`: log-logistic, a bell with a long right tail
/// and a closed form.
fn share_within(seconds: f64, median_seconds: f64) -> f64 {
    1.0 / (1.0 + (seconds / median_seconds).powf(-STEEPNESS))
}

/// Seconds that `share` of the requests stay within: the inverse of [`share_within`].
pub(super) fn quantile(share: f64, median_seconds: f64) -> f64 {
    median_seconds * (share / (1.0 - share)).powf(1.0 / STEEPNESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_requests_are_within_the_median_and_all_within_infinity() {
        assert_eq!(share_within(0.04, 0.04), 0.5);
        assert_eq!(share_within(f64::INFINITY, 0.04), 1.0);
        assert!((share_within(quantile(0.95, 0.04), 0.04) - 0.95).abs() < 1e-12);
    }
}
