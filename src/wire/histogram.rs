//! Native histograms: checked as Prometheus checks them, then built.
//!
//! One walk adds up what the rules need and puts the buckets into lists that are used again and hold no
//! more than [`MAX_BUCKETS`], so a span that claims 2^32 - 1 buckets costs nothing. Rules:
//! `Histogram.Validate` and `FloatHistogram.Validate` of prometheus/prometheus, `model/histogram/`; protocol
//! line B13. Three more, which no real histogram meets, bound what is kept: the number of buckets,
//! their index, which is a 32-bit number, and the zero threshold, which arithmetic must be able to widen.

mod parts;

use super::protobuf::{Damage, Field, Fields, Value, for_each_double, for_each_varint, zigzag, zigzag32};
use crate::series::{
    CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMAS, HistogramSample, NativeHistogram, ResetHint, TimestampMs,
    is_stale_marker,
};
pub(super) use parts::Parts;
use parts::{SideParts, push_bounded};
use std::sync::Arc;

/// Most buckets, and most custom bounds, of one histogram on either side of zero. Prometheus' clients stop at
/// 160 by default; the finest schema has 8,192 buckets between 10^-5 and 10^5.
pub(super) const MAX_BUCKETS: usize = 10_000;

/// How a native histogram contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidHistogram {
    /// Neither exponential (-4 to 8) nor custom (-53).
    #[error("unknown schema {schema}")]
    Schema {
        /// The schema.
        schema: i32,
    },
    /// Buckets would lie before those of the span before.
    #[error("a span has the negative offset {offset}")]
    SpanOffset {
        /// The offset.
        offset: i32,
    },
    /// Spans and buckets do not fit together.
    #[error("spans describe {spans} buckets, there are {buckets}")]
    BucketCount {
        /// Sum of the span lengths.
        spans: u64,
        /// Number of buckets.
        buckets: u64,
    },
    /// A bucket holds less than nothing, or more than 64 bits.
    #[error("a bucket is negative or beyond 64 bits")]
    Bucket,
    /// An integer histogram whose count is not the sum of its buckets.
    #[error("count is {count}, buckets hold {buckets}")]
    Count {
        /// The count.
        count: u64,
        /// Sum of all buckets.
        buckets: u128,
    },
    /// Custom bounds must be finite and ascending; exponential buckets have none.
    #[error("custom bounds are not finite and strictly increasing, or not allowed with this schema")]
    CustomBounds,
    /// Spans reach beyond the custom bounds.
    #[error("spans reach to bucket {reach}, {bounds} custom bounds make {bounds} + 1 buckets")]
    CustomSpans {
        /// Sum of span offsets and lengths.
        reach: u64,
        /// Number of bounds.
        bounds: u64,
    },
    /// The zero bucket has no width.
    #[error("the zero threshold is {threshold}, not a finite number from 0 on")]
    ZeroThreshold {
        /// The threshold.
        threshold: f64,
    },
    /// Custom buckets have neither negative buckets nor a zero bucket.
    #[error("custom buckets with negative buckets or a zero bucket")]
    CustomSides,
    /// More buckets or bounds than are taken.
    #[error("{number} {what}, at most {limit} are taken")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        number: u64,
        /// The limit.
        limit: usize,
    },
    /// A bucket further from zero than any value.
    #[error("spans reach to bucket {reach}, beyond 32 bits")]
    Index {
        /// One past the index of the last bucket.
        reach: i128,
    },
}

/// The fields of a `Histogram` message of 1.0 ...
pub(super) const FIELDS_OF_1_0: u32 = 16;

/// ... and of 2.0, which adds the start timestamp, unused here.
pub(super) const FIELDS_OF_2_0: u32 = 17;

/// Reads and checks one `Histogram` message, of the version with so many fields: others are unknown.
/// `parts` are lists to work with; what they held is lost.
pub(super) fn read(
    message: &[u8],
    n_fields: u32,
    parts: &mut Parts,
) -> Result<Result<HistogramSample, InvalidHistogram>, Damage> {
    parts.clear();
    let mut totals = Totals::default();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        totals.add(field, n_fields, parts)?;
    }
    Ok(totals.check().map(|()| totals.build(parts)))
}

/// A histogram taken apart, as a chunk of Prometheus' storage holds it. Pairs are for values above zero, then
/// below.
pub(super) struct TakenApart<'a> {
    pub(super) timestamp: i64,
    pub(super) reset_hint: ResetHint,
    pub(super) schema: i32,
    pub(super) zero_threshold: f64,
    pub(super) custom_bounds: &'a [f64],
    /// Offset and length of each span.
    pub(super) spans: [&'a [(i32, u32)]; 2],
    pub(super) sum: f64,
    pub(super) counts: Counts<'a>,
}

/// What the buckets of a [`TakenApart`] histogram hold.
pub(super) enum Counts<'a> {
    /// Each bucket as the difference to the one before.
    Integer {
        count: u64,
        zero_count: u64,
        deltas: [&'a [i64]; 2],
    },
    Float {
        count: f64,
        zero_count: f64,
        buckets: [&'a [f64]; 2],
    },
}

/// Checks a histogram by the same rules and builds it.
pub(super) fn assemble(
    given: &TakenApart<'_>,
    parts: &mut Parts,
) -> Result<HistogramSample, InvalidHistogram> {
    parts.clear();
    let mut totals = Totals {
        timestamp: given.timestamp,
        reset_hint: given.reset_hint,
        schema: given.schema,
        zero_threshold: given.zero_threshold,
        sum: given.sum,
        ..Totals::default()
    };
    match given.counts {
        Counts::Integer { count, zero_count, .. } => {
            (totals.count, totals.zero_count) = (Number::Int(count), Number::Int(zero_count));
        }
        Counts::Float { count, zero_count, .. } => {
            (totals.count, totals.zero_count) = (Number::Float(count), Number::Float(zero_count));
        }
    }
    let Parts { negative, positive, bounds } = parts;
    given.custom_bounds.iter().for_each(|bound| totals.bounds.add(*bound, bounds));
    for (at, (totals, side)) in
        [(&mut totals.positive, positive), (&mut totals.negative, negative)].into_iter().enumerate()
    {
        given.spans[at].iter().for_each(|(offset, length)| totals.spans.push(*offset, *length, side));
        match given.counts {
            Counts::Integer { deltas, .. } => {
                deltas[at].iter().for_each(|delta| totals.deltas.add(*delta, side))
            }
            Counts::Float { buckets, .. } => {
                buckets[at].iter().for_each(|count| totals.floats.add(*count, side))
            }
        }
    }
    totals.check()?;
    Ok(totals.build(parts))
}

/// The reset hint of a histogram that is no counter.
const GAUGE: u64 = 3;

/// All that the rules need to know of a histogram.
#[derive(Default)]
struct Totals {
    count: Number,
    sum: f64,
    schema: i32,
    zero_threshold: f64,
    zero_count: Number,
    reset_hint: ResetHint,
    negative: Side,
    positive: Side,
    timestamp: i64,
    bounds: Bounds,
}

/// A count of an integer or a float histogram (a oneof: the last one on the wire holds).
#[derive(Clone, Copy)]
enum Number {
    Int(u64),
    Float(f64),
}

/// The buckets on one side of zero.
#[derive(Default)]
struct Side {
    spans: Spans,
    deltas: Deltas,
    floats: Floats,
}

#[derive(Default)]
struct Spans {
    number: u64,
    /// Sum of lengths; 2^32 - 1 each in at least 2 bytes of message: 64 bits are enough.
    buckets: u64,
    /// Sum of offsets and lengths: the index after the last bucket.
    reach: i128,
    first_offset: i32,
    negative_gap: Option<i32>,
}

/// Buckets of an integer histogram: each as difference to the one before.
#[derive(Default)]
struct Deltas {
    number: u64,
    bucket: i64,
    sum: u128,
    broken: bool,
}

/// Buckets of a float histogram.
#[derive(Default)]
struct Floats {
    number: u64,
    broken: bool,
}

#[derive(Default)]
struct Bounds {
    number: u64,
    last: f64,
    broken: bool,
}

// === impl Totals ===

impl Totals {
    fn add(&mut self, field: Field<'_>, n_fields: u32, parts: &mut Parts) -> Result<(), Damage> {
        let Parts { negative, positive, bounds } = parts;
        match (field.number, field.value) {
            (1, Value::Varint(count)) => self.count = Number::Int(count),
            (2, Value::Fixed64(bits)) => self.count = Number::Float(f64::from_bits(bits)),
            (3, Value::Fixed64(bits)) => self.sum = f64::from_bits(bits),
            (4, Value::Varint(schema)) => self.schema = zigzag32(schema),
            (5, Value::Fixed64(bits)) => self.zero_threshold = f64::from_bits(bits),
            (6, Value::Varint(count)) => self.zero_count = Number::Int(count),
            (7, Value::Fixed64(bits)) => self.zero_count = Number::Float(f64::from_bits(bits)),
            (8, Value::Bytes(span)) => self.negative.spans.add(span, negative)?,
            (9, _) => for_each_varint(field, |delta| self.negative.deltas.add(zigzag(delta), negative))?,
            (10, _) => for_each_double(field, |count| self.negative.floats.add(count, negative))?,
            (11, Value::Bytes(span)) => self.positive.spans.add(span, positive)?,
            (12, _) => for_each_varint(field, |delta| self.positive.deltas.add(zigzag(delta), positive))?,
            (13, _) => for_each_double(field, |count| self.positive.floats.add(count, positive))?,
            // Of the hint only "gauge" is kept. Prometheus' storage keeps no other either: where counters
            // were reset is what the buckets say.
            (14, Value::Varint(hint)) => {
                self.reset_hint = if hint == GAUGE { ResetHint::Gauge } else { ResetHint::Unknown };
            }
            (15, Value::Varint(timestamp)) => self.timestamp = timestamp as i64,
            (16, _) => for_each_double(field, |bound| self.bounds.add(bound, bounds))?,
            (FIELDS_OF_2_0, Value::Varint(_)) => {}
            (number, _) if (1..=n_fields).contains(&number) => return Err(field.wrong_type()),
            _ => {}
        }
        Ok(())
    }

    fn check(&self) -> Result<(), InvalidHistogram> {
        if !(self.zero_threshold.is_finite() && self.zero_threshold >= 0.0) {
            return Err(InvalidHistogram::ZeroThreshold { threshold: self.zero_threshold });
        }
        if self.schema == CUSTOM_BUCKETS_SCHEMA {
            self.check_custom()?;
        } else if EXPONENTIAL_SCHEMAS.contains(&self.schema) {
            if self.bounds.number > 0 {
                return Err(InvalidHistogram::CustomBounds);
            }
            self.negative.check(self.is_float())?;
        } else {
            return Err(InvalidHistogram::Schema { schema: self.schema });
        }
        self.positive.check(self.is_float())?;
        self.check_count()
    }

    fn check_custom(&self) -> Result<(), InvalidHistogram> {
        if self.bounds.broken {
            return Err(InvalidHistogram::CustomBounds);
        }
        check_number("custom bounds", self.bounds.number)?;
        let zero_bucket = self.zero_threshold != 0.0 || self.zero_count() != 0.0;
        if zero_bucket || self.negative.spans.number > 0 || self.negative.buckets(self.is_float()) > 0 {
            return Err(InvalidHistogram::CustomSides);
        }
        let spans = &self.positive.spans;
        if spans.first_offset < 0 {
            return Err(InvalidHistogram::SpanOffset { offset: spans.first_offset });
        }
        let reach = u64::try_from(spans.reach).unwrap_or(0);
        if spans.negative_gap.is_none() && reach > self.bounds.number + 1 {
            return Err(InvalidHistogram::CustomSpans { reach, bounds: self.bounds.number });
        }
        Ok(())
    }

    /// Float histograms may be off by rounding, so only integers are compared.
    fn check_count(&self) -> Result<(), InvalidHistogram> {
        let Number::Int(count) = self.count else { return Ok(()) };
        let zero_count = if let Number::Int(count) = self.zero_count { count } else { 0 };
        let buckets = self.negative.deltas.sum + self.positive.deltas.sum + u128::from(zero_count);
        // Observations of NaN are in the count and in no bucket.
        let fits =
            if self.sum.is_nan() { buckets <= u128::from(count) } else { buckets == u128::from(count) };
        if fits { Ok(()) } else { Err(InvalidHistogram::Count { count, buckets }) }
    }

    fn build(&self, parts: &Parts) -> HistogramSample {
        let histogram = if is_stale_marker(self.sum) {
            NativeHistogram::stale_marker()
        } else {
            let float = self.is_float();
            NativeHistogram {
                reset_hint: self.reset_hint,
                schema: self.schema,
                zero_threshold: self.zero_threshold,
                zero_count: self.zero_count(),
                count: self.count.value(),
                sum: self.sum,
                positive: parts.positive.buckets(float),
                negative: parts.negative.buckets(float),
                custom_bounds: parts.bounds.clone(),
            }
        };
        debug_assert!(histogram.is_well_formed(), "{histogram:?}");
        HistogramSample { timestamp: TimestampMs(self.timestamp), histogram: Arc::new(histogram) }
    }

    /// What the zero bucket holds; a count of the other kind is none, as in Prometheus.
    fn zero_count(&self) -> f64 {
        let same_kind = matches!(self.zero_count, Number::Float(_)) == self.is_float();
        if same_kind { self.zero_count.value() } else { 0.0 }
    }

    fn is_float(&self) -> bool {
        matches!(self.count, Number::Float(_))
    }
}

// === impl Number ===

impl Number {
    fn value(self) -> f64 {
        match self {
            Self::Int(count) => count as f64,
            Self::Float(count) => count,
        }
    }
}

impl Default for Number {
    fn default() -> Self {
        Self::Int(0)
    }
}

// === impl Side ===

impl Side {
    /// Number of buckets of the kind that counts.
    fn buckets(&self, float: bool) -> u64 {
        if float { self.floats.number } else { self.deltas.number }
    }

    fn check(&self, float: bool) -> Result<(), InvalidHistogram> {
        if let Some(offset) = self.spans.negative_gap {
            return Err(InvalidHistogram::SpanOffset { offset });
        }
        let (spans, buckets) = (self.spans.buckets, self.buckets(float));
        if spans != buckets {
            return Err(InvalidHistogram::BucketCount { spans, buckets });
        }
        check_number("buckets", buckets)?;
        let reach = self.spans.reach;
        if reach > i128::from(i32::MAX) {
            return Err(InvalidHistogram::Index { reach });
        }
        let broken = if float { self.floats.broken } else { self.deltas.broken };
        if broken { Err(InvalidHistogram::Bucket) } else { Ok(()) }
    }
}

fn check_number(what: &'static str, number: u64) -> Result<(), InvalidHistogram> {
    if number <= MAX_BUCKETS as u64 {
        return Ok(());
    }
    Err(InvalidHistogram::TooMany { what, number, limit: MAX_BUCKETS })
}

// === sums over repeated fields ===

impl Spans {
    fn add(&mut self, message: &[u8], side: &mut SideParts) -> Result<(), Damage> {
        let (mut offset, mut length) = (0, 0);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next()? {
            match (field.number, field.value) {
                (1, Value::Varint(number)) => offset = zigzag32(number),
                (2, Value::Varint(number)) => length = number as u32,
                (1 | 2, _) => return Err(field.wrong_type()),
                _ => {}
            }
        }
        self.push(offset, length, side);
        Ok(())
    }

    fn push(&mut self, offset: i32, length: u32, side: &mut SideParts) {
        if self.number == 0 {
            self.first_offset = offset;
        } else if offset < 0 {
            self.negative_gap.get_or_insert(offset);
        }
        self.number += 1;
        self.buckets += u64::from(length);
        self.reach += i128::from(offset);
        side.push_span(self.reach, length);
        self.reach += i128::from(length);
    }
}

impl Deltas {
    fn add(&mut self, delta: i64, side: &mut SideParts) {
        self.number += 1;
        match self.bucket.checked_add(delta) {
            Some(bucket) if bucket >= 0 => {
                self.bucket = bucket;
                self.sum += bucket as u128;
                side.push_integer(bucket);
            }
            _ => self.broken = true,
        }
    }
}

impl Floats {
    fn add(&mut self, count: f64, side: &mut SideParts) {
        self.number += 1;
        side.push_float(count);
        self.broken |= count < 0.0;
    }
}

impl Bounds {
    fn add(&mut self, bound: f64, bounds: &mut Vec<f64>) {
        push_bounded(bounds, bound);
        self.broken |= !bound.is_finite() || (self.number > 0 && bound <= self.last);
        self.number += 1;
        self.last = bound;
    }
}

#[cfg(test)]
mod tests;
