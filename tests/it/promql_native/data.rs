//! Seeded native histograms with everything that makes them hard: resets, other schemas, wider zero
//! buckets, other bounds, floats between them, stale markers, NaN.

use emberwatch::{
    series::{STALE_NAN, TimestampMs},
    wire::reference::v2::{
        BucketSpan, Histogram, Request, Sample, TimeSeries,
        histogram::{Count, ResetHint, ZeroCount},
    },
};
use prost::Message;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::BTreeMap;

pub(super) const MINUTE: i64 = 60_000;

/// How much time the data covers.
pub(super) const LENGTH: i64 = 20 * MINUTE;

const SCRAPE: i64 = 15_000;

/// The data as messages of Remote-Write 2.0; the same for the same `start`.
///
/// Prometheus puts the floats of a message before its histograms, so where a series changes between them the
/// rest of it comes in the next message.
pub(super) fn messages(start: TimestampMs) -> Vec<Vec<u8>> {
    let mut maker = Maker {
        start: start.0,
        rng: Xoshiro256PlusPlus::seed_from_u64(42),
        symbols: vec![String::new()],
        messages: Vec::new(),
    };
    for instance in ["a", "b", "c"] {
        maker.instance(instance);
    }
    maker.oddities();
    let Maker { symbols, messages, .. } = maker;
    let message = |timeseries| Request { symbols: symbols.clone(), timeseries }.encode_to_vec();
    messages.into_iter().map(message).collect()
}

/// A point as it is sent.
enum Sent {
    Float(f64),
    Histogram(Box<Histogram>),
}

/// Observations counted by the index of their bucket.
#[derive(Clone, Default)]
struct Counted {
    schema: i32,
    zero_threshold: f64,
    zero: u64,
    positive: BTreeMap<i32, u64>,
    negative: BTreeMap<i32, u64>,
    bounds: Vec<f64>,
    sum: f64,
}

struct Maker {
    start: i64,
    rng: Xoshiro256PlusPlus,
    symbols: Vec<String>,
    messages: Vec<Vec<TimeSeries>>,
}

impl Maker {
    fn instance(&mut self, instance: &str) {
        let resets = instance == "b";
        let labels = [("instance", instance), ("job", "x")];
        self.counter("counter", &labels, resets, |_, _| {});
        self.counter("coarser", &labels, resets, |counted, at| {
            if at > 9 * MINUTE && counted.schema == 2 {
                counted.coarsen();
            }
        });
        self.counter("widening", &labels, resets, |counted, at| {
            if at > 6 * MINUTE && counted.zero_threshold < 0.2 {
                counted.widen();
            }
        });
        self.custom("buckets", &labels, resets, &[0.1, 0.5, 1.0, 2.5], None);
        let shifted: &[f64] = if instance == "a" { &[-0.5, 0.5, 1.5] } else { &[0.25, 0.5, 4.0] };
        self.custom("rebound", &labels, false, &[0.1, 0.5, 1.0, 2.5], Some(shifted));
        self.gauge("gauge", &labels);
        let floats = self.times().into_iter().map(|at| (at, Sent::Float((at / SCRAPE) as f64 / 7.0)));
        self.add("float", &labels, floats.collect());
    }

    fn oddities(&mut self) {
        let points = self.counter_points(false, |_, _| {});
        let alternating = points.into_iter().map(|(at, point)| match at / (3 * MINUTE) % 3 {
            0 => (at, point),
            1 => (at, Sent::Float(at as f64)),
            _ if at / SCRAPE % 2 == 0 => (at, Sent::Float(2.0)),
            _ => (at, point),
        });
        self.add("mixed", &[("instance", "a")], alternating.collect());

        let mut points = self.counter_points(false, |_, _| {});
        let custom = self.custom_points(false, &[0.5, 2.0], None);
        points.retain(|(at, _)| at / (4 * MINUTE) % 2 == 0);
        points.extend(custom.into_iter().filter(|(at, _)| at / (4 * MINUTE) % 2 == 1));
        points.sort_by_key(|(at, _)| *at);
        self.add("kinds", &[("instance", "a")], points);

        let points = self.counter_points(false, |_, _| {}).into_iter().filter_map(|(at, point)| match at {
            at if (7 * MINUTE..7 * MINUTE + SCRAPE).contains(&at) => {
                let stale = Histogram { sum: STALE_NAN, ..empty_histogram() };
                Some((at, Sent::Histogram(Box::new(stale))))
            }
            at if (7 * MINUTE..11 * MINUTE).contains(&at) => None,
            at => Some((at, point)),
        });
        let points = points.collect();
        self.add("ended", &[("instance", "a")], points);

        let mut nans = self.counter_points(false, |_, _| {});
        for (_, point) in &mut nans {
            if let Sent::Histogram(histogram) = point
                && let Some(Count::CountInt(count)) = &mut histogram.count
            {
                *count += *count / 4 + 1;
                histogram.sum = f64::NAN;
            }
        }
        self.add("nans", &[("instance", "a")], nans);

        let mut hinted = self.counter_points(true, |_, _| {});
        for (at, point) in &mut hinted {
            if let Sent::Histogram(histogram) = point {
                histogram.reset_hint = match *at / MINUTE % 4 {
                    0 => ResetHint::Unspecified,
                    1 => ResetHint::No,
                    2 if *at % MINUTE < SCRAPE => ResetHint::Yes,
                    _ => ResetHint::Unspecified,
                } as i32;
            }
        }
        self.add("hinted", &[("instance", "a")], hinted);

        let empty = self.times().into_iter().map(|at| (at, Sent::Histogram(Box::new(empty_histogram()))));
        self.add("empty", &[("instance", "a")], empty.collect());

        let both = self.counter_points(false, |_, _| {});
        self.add("both", &[("instance", "a")], both);
        for (le, share) in [("0.1", 1.0), ("0.5", 3.0), ("1", 4.0), ("+Inf", 5.0)] {
            let points = self.times().into_iter().map(|at| (at, Sent::Float(share * (at / SCRAPE) as f64)));
            self.add("both_bucket", &[("instance", "a"), ("le", le)], points.collect());
        }
    }

    /// Jittered scrapes, some missed.
    fn times(&mut self) -> Vec<i64> {
        let scrapes = (0..LENGTH / SCRAPE).map(|number| number * SCRAPE);
        let mut times = Vec::new();
        for at in scrapes {
            let jitter = self.rng.random_range(0..2_000);
            if self.rng.random_range(0..20) > 0 {
                times.push(at + jitter);
            }
        }
        times
    }

    fn counter(
        &mut self,
        metric: &str,
        labels: &[(&str, &str)],
        resets: bool,
        change: impl Fn(&mut Counted, i64),
    ) {
        let points = self.counter_points(resets, change);
        self.add(metric, labels, points);
    }

    /// A counter of values around one, a few below zero; starts anew after 13 minutes if it `resets`.
    fn counter_points(&mut self, resets: bool, change: impl Fn(&mut Counted, i64)) -> Vec<(i64, Sent)> {
        let fresh = Counted { schema: 2, zero_threshold: 0.01, ..Counted::default() };
        let mut counted = fresh.clone();
        let mut was_reset = !resets;
        let times = self.times();
        times
            .into_iter()
            .map(|at| {
                if !was_reset && at > 13 * MINUTE {
                    (counted, was_reset) = (fresh.clone(), true);
                }
                change(&mut counted, at);
                // Prometheus gives all histograms of a chunk the buckets of the last one, empty where need be,
                // and takes those for a side of zero: there is always one.
                if counted.sum == 0.0 {
                    counted.observe(-1.0);
                    counted.observe(1.0);
                    counted.sum = 0.125;
                }
                for _ in 0..self.rng.random_range(1..12) {
                    let value = self.rng.random_range(-0.6..4.0_f64).powi(3) / 8.0;
                    counted.observe(value);
                }
                (at, Sent::Histogram(Box::new(counted.integers())))
            })
            .collect()
    }

    fn custom(
        &mut self,
        metric: &str,
        labels: &[(&str, &str)],
        resets: bool,
        bounds: &[f64],
        later: Option<&[f64]>,
    ) {
        let points = self.custom_points(resets, bounds, later);
        self.add(metric, labels, points);
    }

    /// Custom buckets; with `later` bounds after 10 minutes.
    fn custom_points(&mut self, resets: bool, bounds: &[f64], later: Option<&[f64]>) -> Vec<(i64, Sent)> {
        let of = |bounds: &[f64]| Counted { schema: -53, bounds: bounds.to_vec(), ..Counted::default() };
        let mut counted = of(bounds);
        let mut changed = false;
        let times = self.times();
        times
            .into_iter()
            .map(|at| {
                if !changed && at > 10 * MINUTE && (resets || later.is_some()) {
                    (counted, changed) = (of(later.unwrap_or(bounds)), true);
                }
                for _ in 0..self.rng.random_range(0..9) {
                    counted.observe(self.rng.random_range(-0.4..3.0));
                }
                (at, Sent::Histogram(Box::new(counted.integers())))
            })
            .collect()
    }

    /// A gauge with float counts on both sides of zero.
    fn gauge(&mut self, metric: &str, labels: &[(&str, &str)]) {
        let times = self.times();
        let points = times.into_iter().map(|at| {
            let side: Vec<f64> = (0..5).map(|_| self.rng.random_range(0.0..3.0)).collect();
            let zero = self.rng.random_range(0.0..1.0);
            let histogram = Histogram {
                count: Some(Count::CountFloat(2.0 * side.iter().sum::<f64>() + zero)),
                sum: self.rng.random_range(-5.0..5.0),
                schema: 1,
                zero_threshold: 0.125,
                zero_count: Some(ZeroCount::ZeroCountFloat(zero)),
                negative_spans: vec![BucketSpan { offset: -3, length: 5 }],
                negative_counts: side.clone(),
                positive_spans: vec![
                    BucketSpan { offset: -2, length: 2 },
                    BucketSpan { offset: 2, length: 3 },
                ],
                positive_counts: side,
                reset_hint: ResetHint::Gauge as i32,
                ..Histogram::default()
            };
            (at, Sent::Histogram(Box::new(histogram)))
        });
        let points = points.collect();
        self.add(metric, labels, points);
    }

    /// Adds a series: an entry for each run of points of one kind, each in a message of its own.
    fn add(&mut self, metric: &str, labels: &[(&str, &str)], points: Vec<(i64, Sent)>) {
        let mut labels: Vec<_> = labels.iter().copied().chain([("__name__", metric)]).collect();
        labels.sort_unstable();
        let labels_refs: Vec<u32> =
            labels.into_iter().flat_map(|(name, value)| [self.symbol(name), self.symbol(value)]).collect();
        let mut entries: Vec<TimeSeries> = Vec::new();
        for (at, point) in points {
            let timestamp = self.start + at;
            let of_floats = matches!(point, Sent::Float(_));
            let fits = |entry: &&mut TimeSeries| entry.histograms.is_empty() == of_floats;
            if entries.last_mut().filter(fits).is_none() {
                entries.push(TimeSeries { labels_refs: labels_refs.clone(), ..TimeSeries::default() });
            }
            let Some(entry) = entries.last_mut() else { continue };
            match point {
                Sent::Float(value) => entry.samples.push(Sample { value, timestamp, ..Sample::default() }),
                Sent::Histogram(histogram) => entry.histograms.push(Histogram { timestamp, ..*histogram }),
            }
        }
        self.messages.resize_with(self.messages.len().max(entries.len()), Vec::new);
        for (message, entry) in self.messages.iter_mut().zip(entries) {
            message.push(entry);
        }
    }

    fn symbol(&mut self, text: &str) -> u32 {
        let symbols = &mut self.symbols;
        let known = symbols.iter().position(|symbol| symbol == text);
        known.unwrap_or_else(|| {
            symbols.push(text.to_owned());
            symbols.len() - 1
        }) as u32
    }
}

impl Counted {
    fn observe(&mut self, value: f64) {
        self.sum += value;
        if self.schema == -53 {
            let index = self.bounds.partition_point(|bound| *bound < value) as i32;
            *self.positive.entry(index).or_default() += 1;
        } else if value.abs() <= self.zero_threshold {
            self.zero += 1;
        } else {
            // Bucket i ends at 2^(i / 2^schema).
            let index = (value.abs().log2() * f64::from(self.schema).exp2()).ceil() as i32;
            let side = if value > 0.0 { &mut self.positive } else { &mut self.negative };
            *side.entry(index).or_default() += 1;
        }
    }

    /// Half the resolution.
    fn coarsen(&mut self) {
        self.schema -= 1;
        for side in [&mut self.positive, &mut self.negative] {
            let mut coarse = BTreeMap::new();
            for (index, count) in std::mem::take(side) {
                *coarse.entry((index + 1).div_euclid(2)).or_default() += count;
            }
            *side = coarse;
        }
    }

    /// A zero bucket to 0.25, where a bucket of schema 2 ends.
    fn widen(&mut self) {
        self.zero_threshold = 0.25;
        for side in [&mut self.positive, &mut self.negative] {
            let beyond = side.split_off(&-7);
            self.zero += std::mem::replace(side, beyond).values().sum::<u64>();
        }
    }

    fn integers(&self) -> Histogram {
        let (positive_spans, positive_deltas) = spans_and_deltas(&self.positive);
        let (negative_spans, negative_deltas) = spans_and_deltas(&self.negative);
        let held: u64 = self.zero + self.positive.values().sum::<u64>() + self.negative.values().sum::<u64>();
        Histogram {
            count: Some(Count::CountInt(held)),
            sum: self.sum,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: Some(ZeroCount::ZeroCountInt(self.zero)),
            negative_spans,
            negative_deltas,
            positive_spans,
            positive_deltas,
            custom_values: self.bounds.clone(),
            ..Histogram::default()
        }
    }
}

fn empty_histogram() -> Histogram {
    Histogram {
        count: Some(Count::CountInt(0)),
        zero_count: Some(ZeroCount::ZeroCountInt(0)),
        zero_threshold: 0.001,
        schema: 3,
        ..Histogram::default()
    }
}

/// Runs of neighbouring buckets; each count as the difference to the one before.
fn spans_and_deltas(side: &BTreeMap<i32, u64>) -> (Vec<BucketSpan>, Vec<i64>) {
    let (mut spans, mut deltas): (Vec<BucketSpan>, Vec<i64>) = Default::default();
    let (mut next, mut before) = (0, 0);
    for (index, count) in side {
        match spans.last_mut() {
            Some(span) if *index == next => span.length += 1,
            _ => spans.push(BucketSpan { offset: index - next, length: 1 }),
        }
        next = index + 1;
        deltas.push(*count as i64 - before);
        before = *count as i64;
    }
    (spans, deltas)
}
