//! The table of all metrics while it is put together: what is registered is what is documented.

use super::{process::ProcessCollector, writeback::WritebackMetrics};
use prometheus_client::{
    metrics::{TypedMetric, counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};
use std::{fmt, sync::atomic::AtomicU64};

/// A gauge of what is no count.
pub(super) type Score = Gauge<f64, AtomicU64>;

/// A histogram per label set.
pub(super) type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricRow {
    /// Full name, as it is scraped.
    pub name: String,
    /// `counter`, `gauge`, `histogram`.
    pub kind: &'static str,
    /// Label names, with commas.
    pub labels: &'static str,
    /// What it tells.
    pub help: &'static str,
}

/// The table under construction.
pub(super) struct Table {
    pub(super) registry: Registry,
    rows: Vec<MetricRow>,
}

impl Default for Table {
    fn default() -> Self {
        Self { registry: Registry::with_prefix("emberwatch"), rows: Vec::new() }
    }
}

impl Table {
    pub(super) fn add<M: Metric + Clone>(
        &mut self,
        kind: &'static str,
        name: &str,
        labels: &'static str,
        help: &'static str,
        metric: M,
    ) -> M {
        // The client library adds `_total` to counters and the full stop to every help text.
        let suffix = if kind == "counter" { "_total" } else { "" };
        self.rows.push(MetricRow { name: format!("emberwatch_{name}{suffix}"), kind, labels, help });
        self.registry.register(name, help.trim_end_matches('.'), metric.clone());
        metric
    }

    pub(super) fn counter(&mut self, name: &str, help: &'static str) -> Counter {
        self.add("counter", name, "", help, Counter::default())
    }

    pub(super) fn counters<L: LabelSet>(
        &mut self,
        name: &str,
        labels: &'static str,
        help: &'static str,
    ) -> Family<L, Counter> {
        self.add("counter", name, labels, help, Family::default())
    }

    pub(super) fn gauge<G: Metric + Clone + Default>(&mut self, name: &str, help: &'static str) -> G {
        self.add("gauge", name, "", help, G::default())
    }

    pub(super) fn gauges<L: LabelSet, G: Metric + TypedMetric + Default>(
        &mut self,
        name: &str,
        labels: &'static str,
        help: &'static str,
    ) -> Family<L, G> {
        self.add("gauge", name, labels, help, Family::default())
    }

    pub(super) fn constant<L: LabelSet>(
        &mut self,
        name: &str,
        labels: &'static str,
        help: &'static str,
        value: L,
    ) {
        let family: Family<L, Gauge> = self.gauges(name, labels, help);
        family.get_or_create(&value).set(1);
    }

    pub(super) fn histogram(&mut self, name: &str, help: &'static str, new: fn() -> Histogram) -> Histogram {
        self.add("histogram", name, "", help, new())
    }

    pub(super) fn histograms<L: LabelSet>(
        &mut self,
        name: &str,
        labels: &'static str,
        help: &'static str,
        new: fn() -> Histogram,
    ) -> Histograms<L> {
        self.add("histogram", name, labels, help, Family::new_with_constructor(new))
    }

    /// The metrics of the sender, which registers them itself.
    #[rustfmt::skip] // One line a metric.
    pub(super) fn writeback(&mut self) -> WritebackMetrics {
        for (name, kind, labels, help) in [
            ("bytes_total", "counter", "", "Bytes of request bodies, compressed, repeats included."),
            ("highest_sent_timestamp_seconds", "gauge", "", "Timestamp of the newest sample the target took."),
            ("samples_dropped_total", "counter", "reason", "Samples given up without an answer from the target."),
            ("samples_failed_total", "counter", "", "Samples the target refused for good."),
            ("samples_pending", "gauge", "", "Samples queued or in flight."),
            ("samples_retried_total", "counter", "", "Samples sent again, once for every repeat."),
            ("samples_total", "counter", "", "Samples the target took."),
            ("sent_batch_duration_seconds", "histogram", "", "Time from the start of a request to its outcome."),
        ] {
            self.rows.push(MetricRow { name: format!("emberwatch_remote_write_{name}"), kind, labels, help });
        }
        WritebackMetrics::register(&mut self.registry)
    }

    /// Adds the process' own metrics, which bear no prefix, and hands out the rows.
    pub(super) fn rows_with_process(&mut self) -> Vec<MetricRow> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.extend(ProcessCollector::rows());
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        rows
    }
}

/// What can be the label set of a family.
pub(super) trait LabelSet:
    prometheus_client::encoding::EncodeLabelSet
    + Clone
    + Eq
    + std::hash::Hash
    + fmt::Debug
    + Send
    + Sync
    + 'static
{
}

impl<L> LabelSet for L where
    L: prometheus_client::encoding::EncodeLabelSet
        + Clone
        + Eq
        + std::hash::Hash
        + fmt::Debug
        + Send
        + Sync
        + 'static
{
}
