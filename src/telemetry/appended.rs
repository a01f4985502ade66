//! What became of samples, counted.

use super::{Metrics, ReasonLabel};
use crate::window::AppendCounts;

impl Metrics {
    /// Counts what the windows made of a batch.
    pub fn count_appended(&self, counts: &AppendCounts) {
        self.samples_appended.inc_by(counts.appended);
        self.samples_out_of_order.inc_by(counts.out_of_order);
        self.samples_duplicate.inc_by(counts.duplicate);
        self.samples_late.inc_by(counts.late);
        self.stale_markers.inc_by(counts.stale_markers);
        self.series_created.inc_by(counts.series_created);
        for (reason, count) in counts.refused().into_iter().filter(|(_, count)| *count > 0) {
            self.samples_dropped.get_or_create(&ReasonLabel { reason }).inc_by(count);
        }
    }
}
