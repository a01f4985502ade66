//! Metrics of the rows kept on disk.

use super::{labels::DetectorLabel, table::Table};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};

/// What is told of the journal of each detector.
#[derive(Clone, Debug)]
pub struct FeatureStoreMetrics {
    /// Bytes of it.
    pub bytes: Family<DetectorLabel, Gauge>,
    /// Rows in it.
    pub rows: Family<DetectorLabel, Gauge>,
    /// Writes to it.
    pub writes: Family<DetectorLabel, Counter>,
    /// Writes that failed.
    pub write_errors: Family<DetectorLabel, Counter>,
    /// Rows read back from it.
    pub read_rows: Family<DetectorLabel, Counter>,
}

// === impl FeatureStoreMetrics ===

impl FeatureStoreMetrics {
    #[rustfmt::skip] // One line a metric: it is a table.
    pub(super) fn register(t: &mut Table) -> Self {
        Self {
            bytes: t.gauges("feature_store_bytes", "detector", "Bytes of the journal in which rows gathered for training are kept over a restart, after its last write."),
            rows: t.gauges("feature_store_rows", "detector", "Rows that would be read back from the journal."),
            writes: t.counters("feature_store_writes", "detector", "Writes to the journal that are on disk."),
            write_errors: t.counters("feature_store_write_errors", "detector", "Writes to the journal that failed; the detector goes on with its rows in memory, and all of them are written as soon as that is possible."),
            read_rows: t.counters("feature_store_read_rows", "detector", "Rows read back from the journal at start."),
        }
    }
}
