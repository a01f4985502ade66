//! The words every other module speaks: label sets, samples, batches, matchers.
//!
//! Nothing here knows a wire format, a clock or a store. Identity follows Prometheus: a series *is*
//! its label set, an empty label value is the same as an absent label, and a sample is a millisecond
//! timestamp with a 64-bit float whose NaN payload may carry the staleness marker, or with a native histogram.

mod ascending;

mod batch;

mod label_set;

mod matcher;

mod native_histogram;

mod sample;

pub use ascending::values_of;
pub use batch::{SampleBatch, SeriesEntry, series_hash};
pub use label_set::{InvalidLabels, LabelRef, LabelSet, LabelSetBuilder, Labels, METRIC_NAME};
pub use matcher::{InvalidMatcher, LabelMatcher, MatchOp};
pub use native_histogram::{
    Bucket, BucketRange, CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMAS, HistogramSample, NativeHistogram,
    ResetHint,
};
pub use sample::{STALE_NAN, Sample, TimestampMs, is_stale_marker};
