//! Native histograms, the composite samples of Prometheus.

/// The schema whose bucket bounds are listed, not computed.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// What is known of a counter reset between a histogram and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetHint {
    /// Nothing: compare the buckets.
    #[default]
    Unknown,
    /// There was a reset.
    Yes,
    /// There was none.
    No,
    /// Not a counter.
    Gauge,
}

/// A histogram of either kind, exponential or with custom buckets, its counts as floats: what Prometheus
/// calls a `FloatHistogram` (`model/histogram/float_histogram.go`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeHistogram {
    /// For the counter functions.
    pub reset_hint: ResetHint,
    /// -4 to 8: bucket `i` holds `(2^(2^-schema))^(i-1) < v <= (2^(2^-schema))^i`; or
    /// [`CUSTOM_BUCKETS_SCHEMA`]: bucket `i` holds `bounds[i-1] < v <= bounds[i]`.
    pub schema: i32,
    /// Half the width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Sum of all observed values.
    pub sum: f64,
    /// Buckets of values above zero, ascending by index; those that hold nothing may be absent.
    pub positive: Vec<Bucket>,
    /// Buckets of values below zero, by the index of their mirror image, ascending.
    pub negative: Vec<Bucket>,
    /// Upper bounds of custom buckets, ascending; the last bucket is open. Empty otherwise.
    pub custom_bounds: Vec<f64>,
}

/// One bucket of a [`NativeHistogram`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Which one; its bounds follow from the schema.
    pub index: i32,
    /// Observations in it (not cumulative).
    pub count: f64,
}
