//! Metrics of the way back: what became of the samples that were enqueued.
//!
//! Names follow Prometheus' own `prometheus_remote_storage_*` where they exist. Every enqueued sample
//! is pending until it ends in exactly one of `samples`, `samples_failed` and `samples_dropped`.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::{
    fmt,
    sync::atomic::{AtomicI64, AtomicU64},
};

/// Upper bounds in seconds: from an answer on loopback to the default `remote_timeout`.
const DURATION_BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Why samples were given up without an answer from the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// The queue was full and these were the oldest.
    QueueFull,
    /// Older than `sample_age_limit`.
    TooOld,
    /// Not sent within `flush_deadline`, or enqueued after the stop. Those in flight at that moment
    /// are counted here although the target may have taken them.
    Shutdown,
}

/// Label of `samples_dropped`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DropLabels {
    reason: DropReason,
}

/// Metrics of one remote write target; clones share the values.
#[derive(Clone, Debug)]
pub struct WritebackMetrics {
    /// Samples the target took.
    pub samples: Counter,
    /// Samples the target refused for good.
    pub samples_failed: Counter,
    /// Samples sent again, once for every repeat.
    pub samples_retried: Counter,
    /// Bytes of request bodies, compressed, repeats included.
    pub bytes: Counter,
    /// Time from the start of a request to its outcome, good or bad.
    pub sent_batch_duration_seconds: Histogram,
    /// Timestamp of the newest sample the target took.
    pub highest_sent_timestamp_seconds: Gauge<f64, AtomicU64>,
    samples_dropped: Family<DropLabels, Counter>,
    samples_pending: Gauge<i64, AtomicI64>,
}

// === impl DropReason ===

impl DropReason {
    const ALL: [Self; 3] = [Self::QueueFull, Self::TooOld, Self::Shutdown];

    /// The value of label `reason`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooOld => "too_old",
            Self::Shutdown => "shutdown",
        }
    }
}

impl EncodeLabelValue for DropReason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.label().encode(encoder)
    }
}

// === impl WritebackMetrics ===

impl WritebackMetrics {
    /// Registers the metrics as `remote_write_...`; the prefix and labels of several targets are the
    /// registry's.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            samples: Counter::default(),
            samples_failed: Counter::default(),
            samples_retried: Counter::default(),
            bytes: Counter::default(),
            sent_batch_duration_seconds: Histogram::new(DURATION_BUCKETS),
            highest_sent_timestamp_seconds: Gauge::default(),
            samples_dropped: Family::default(),
            samples_pending: Gauge::default(),
        };
        for reason in DropReason::ALL {
            // A counter that appears with its first event hides that event from `increase`.
            let _ = metrics.samples_dropped.get_or_create(&DropLabels { reason });
        }
        metrics.register_clones(registry);
        metrics
    }

    /// The library appends `_total` to counters and the full stop to help texts.
    fn register_clones(&self, registry: &mut Registry) {
        registry.register("remote_write_samples", "Samples the target took", self.samples.clone());
        registry.register(
            "remote_write_samples_failed",
            "Samples the target refused for good",
            self.samples_failed.clone(),
        );
        registry.register(
            "remote_write_samples_retried",
            "Samples sent again, once for every repeat",
            self.samples_retried.clone(),
        );
        registry.register(
            "remote_write_samples_dropped",
            "Samples given up without an answer from the target",
            self.samples_dropped.clone(),
        );
        registry.register(
            "remote_write_samples_pending",
            "Samples queued or in flight",
            self.samples_pending.clone(),
        );
        registry.register(
            "remote_write_bytes",
            "Bytes of request bodies, compressed, repeats included",
            self.bytes.clone(),
        );
        registry.register(
            "remote_write_sent_batch_duration_seconds",
            "Time from the start of a request to its outcome",
            self.sent_batch_duration_seconds.clone(),
        );
        registry.register(
            "remote_write_highest_sent_timestamp_seconds",
            "Timestamp of the newest sample the target took",
            self.highest_sent_timestamp_seconds.clone(),
        );
    }

    /// Counts samples that were given up.
    pub fn drop_samples(&self, reason: DropReason, samples: usize) {
        if samples > 0 {
            self.samples_dropped.get_or_create(&DropLabels { reason }).inc_by(samples as u64);
        }
    }

    /// Samples given up for `reason` so far.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.samples_dropped.get_or_create(&DropLabels { reason }).get()
    }

    /// Sets the number of samples queued or in flight.
    pub fn set_pending(&self, samples: usize) {
        self.samples_pending.set(i64::try_from(samples).unwrap_or(i64::MAX));
    }

    /// Samples queued or in flight.
    #[must_use]
    pub fn pending(&self) -> i64 {
        self.samples_pending.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn names_are_those_of_the_documentation_and_reasons_start_at_zero() {
        let mut registry = Registry::with_prefix("emberwatch");
        let metrics = WritebackMetrics::register(&mut registry);
        metrics.drop_samples(DropReason::QueueFull, 3);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "emberwatch_remote_write_samples_total 0",
            "emberwatch_remote_write_samples_failed_total 0",
            "emberwatch_remote_write_samples_retried_total 0",
            "emberwatch_remote_write_samples_dropped_total{reason=\"queue_full\"} 3",
            "emberwatch_remote_write_samples_dropped_total{reason=\"too_old\"} 0",
            "emberwatch_remote_write_samples_dropped_total{reason=\"shutdown\"} 0",
            "emberwatch_remote_write_samples_pending 0",
            "emberwatch_remote_write_bytes_total 0",
            "emberwatch_remote_write_sent_batch_duration_seconds_count 0",
            "emberwatch_remote_write_highest_sent_timestamp_seconds 0.0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
