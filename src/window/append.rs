//! What became of a sample.

/// The fate of one offered sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// Newest of its series.
    Appended,
    /// Older than the newest of its series, but within the window: taken to its place in time.
    OutOfOrder,
    /// The very same sample was there already.
    Duplicate,
    /// The series has another value at this timestamp; the first one stays.
    Conflict,
    /// Before the window of the series.
    TooOld,
    /// Further ahead of the wall clock than any clock skew explains.
    TooFarInFuture,
    /// A new series over the limit on series.
    SeriesLimit,
    /// Over the limit on bytes.
    BytesLimit,
}

/// How many samples of a batch, native histograms among them, met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppendCounts {
    /// See [`AppendOutcome::Appended`].
    pub appended: u64,
    /// See [`AppendOutcome::OutOfOrder`].
    pub out_of_order: u64,
    /// See [`AppendOutcome::Duplicate`].
    pub duplicate: u64,
    /// See [`AppendOutcome::Conflict`].
    pub conflict: u64,
    /// See [`AppendOutcome::TooOld`].
    pub too_old: u64,
    /// See [`AppendOutcome::TooFarInFuture`].
    pub too_far_in_future: u64,
    /// See [`AppendOutcome::SeriesLimit`].
    pub series_limit: u64,
    /// See [`AppendOutcome::BytesLimit`].
    pub bytes_limit: u64,
    /// Of those that are in the store now: native histograms.
    pub histograms_written: u64,
    /// Of the taken ones of series that a detector reads: how many came after their step had been evaluated.
    pub late: u64,
    /// Of the taken ones: stale markers.
    pub stale_markers: u64,
    /// Series seen for the first time.
    pub series_created: u64,
}

impl AppendCounts {
    /// Counts one outcome.
    pub fn count(&mut self, outcome: AppendOutcome) {
        *match outcome {
            AppendOutcome::Appended => &mut self.appended,
            AppendOutcome::OutOfOrder => &mut self.out_of_order,
            AppendOutcome::Duplicate => &mut self.duplicate,
            AppendOutcome::Conflict => &mut self.conflict,
            AppendOutcome::TooOld => &mut self.too_old,
            AppendOutcome::TooFarInFuture => &mut self.too_far_in_future,
            AppendOutcome::SeriesLimit => &mut self.series_limit,
            AppendOutcome::BytesLimit => &mut self.bytes_limit,
        } += 1;
    }

    /// Counts the outcome of a native histogram.
    pub fn count_histogram(&mut self, outcome: AppendOutcome) {
        let before = self.written();
        self.count(outcome);
        self.histograms_written += self.written() - before;
    }

    /// Samples and histograms that are in the store now: written ones and repeats of written ones.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.appended + self.out_of_order + self.duplicate
    }

    /// Samples that were refused, with the reason as it stands in metrics and answers.
    #[must_use]
    pub fn refused(&self) -> [(&'static str, u64); 5] {
        [
            ("conflicting_value", self.conflict),
            ("too_old", self.too_old),
            ("too_far_in_future", self.too_far_in_future),
            ("series_limit", self.series_limit),
            ("bytes_limit", self.bytes_limit),
        ]
    }

    /// Adds the counts of another batch or shard.
    pub fn add(&mut self, other: &Self) {
        self.appended += other.appended;
        self.out_of_order += other.out_of_order;
        self.duplicate += other.duplicate;
        self.conflict += other.conflict;
        self.too_old += other.too_old;
        self.too_far_in_future += other.too_far_in_future;
        self.series_limit += other.series_limit;
        self.bytes_limit += other.bytes_limit;
        self.histograms_written += other.histograms_written;
        self.late += other.late;
        self.stale_markers += other.stale_markers;
        self.series_created += other.series_created;
    }
}
