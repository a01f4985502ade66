//! Random requests, encoded by prost. Small alphabets, so that labels repeat, refer to each other
//! and break rules often enough.

use emberwatch::{
    series::STALE_NAN,
    wire::reference::{v1, v2},
};
use proptest::{collection::vec, option, prelude::*};
use prost::Message;
use v1::histogram::{Count, ZeroCount};

/// An encoded Remote-Write 1.0 request.
pub(crate) fn v1_body() -> impl Strategy<Value = Vec<u8>> {
    let series = (vec(label(), 0..6), vec(sample(), 0..4), vec(exemplar(), 0..2), vec(histogram(), 0..3));
    let series = series.prop_map(|(labels, samples, exemplars, histograms)| {
        let samples = samples.into_iter().map(|(timestamp, value)| v1::Sample { value, timestamp }).collect();
        v1::TimeSeries { labels, samples, exemplars, histograms }
    });
    let metadata = (0..9, text(), text(), text()).prop_map(|(kind, metric_family_name, help, unit)| {
        v1::MetricMetadata { r#type: kind, metric_family_name, help, unit }
    });
    (vec(series, 0..5), vec(metadata, 0..2))
        .prop_map(|(timeseries, metadata)| v1::WriteRequest { timeseries, metadata }.encode_to_vec())
}

/// An encoded Remote-Write 2.0 request; its references point past the table now and then.
pub(crate) fn v2_body() -> impl Strategy<Value = Vec<u8>> {
    let refs = || vec((reference(), reference()), 0..5);
    let refs_v2 =
        move || refs().prop_map(|pairs| pairs.into_iter().flat_map(|(n, v)| [n, v]).collect::<Vec<_>>());
    let exemplar = (refs_v2(), sample()).prop_map(|(labels_refs, (timestamp, value))| v2::Exemplar {
        labels_refs,
        value,
        timestamp,
    });
    let metadata = (0..9, reference(), reference()).prop_map(|(kind, help_ref, unit_ref)| v2::Metadata {
        r#type: kind,
        help_ref,
        unit_ref,
    });
    let histograms = vec(histogram().prop_map(|h| v2_histogram(&h)), 0..3);
    let series = (refs_v2(), vec(sample(), 0..4), histograms, vec(exemplar, 0..2), option::of(metadata));
    let series = series.prop_map(|(labels_refs, samples, histograms, exemplars, metadata)| {
        let samples = samples
            .into_iter()
            .map(|(timestamp, value)| v2::Sample { value, timestamp, start_timestamp: timestamp / 2 })
            .collect();
        v2::TimeSeries { labels_refs, samples, histograms, exemplars, metadata }
    });
    (vec(text(), 6..12), vec(series, 0..5)).prop_map(|(texts, timeseries)| {
        let head = ["", "__name__", "up", "job"].map(str::to_owned);
        let symbols = head.into_iter().chain(texts).collect();
        v2::Request { symbols, timeseries }.encode_to_vec()
    })
}

/// Labels that are right more often than not: the metric name is among the likely names.
fn label() -> impl Strategy<Value = v1::Label> {
    let name =
        prop_oneof![4 => Just("__name__".to_owned()), 1 => Just(String::new()), 12 => "[a-eA-B_]{1,3}"];
    (name, text()).prop_map(|(name, value)| v1::Label { name, value })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just(String::new()), 8 => "[a-f]{1,4}", 2 => "\\PC{0,140}"]
}

/// The table has at least ten symbols.
fn reference() -> impl Strategy<Value = u32> {
    prop_oneof![300 => 0_u32..10, 1 => any::<u32>()]
}

fn sample() -> impl Strategy<Value = (i64, f64)> {
    (number(), float())
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![1_700_000_000_000..1_800_000_000_000_i64, -5..5_i64, any::<i64>()]
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -10.0..10.0, 1 => Just(STALE_NAN), 1 => any::<u64>().prop_map(f64::from_bits)]
}

fn exemplar() -> impl Strategy<Value = v1::Exemplar> {
    (vec(label(), 0..3), sample()).prop_map(|(labels, (timestamp, value))| v1::Exemplar {
        labels,
        value,
        timestamp,
    })
}

fn histogram() -> impl Strategy<Value = v1::Histogram> {
    prop_oneof![3 => sound_histogram(), 2 => wild_histogram()]
}

/// Histograms that obey the rules: the count is summed up, the spans have as many buckets as there are.
fn sound_histogram() -> impl Strategy<Value = v1::Histogram> {
    let buckets = vec(0_u16..50, 0..6);
    (buckets, any::<bool>(), any::<bool>(), -4..9, sample()).prop_map(
        |(buckets, is_float, custom, schema, (timestamp, sum))| {
            let total: u64 = buckets.iter().map(|bucket| u64::from(*bucket)).sum();
            let before = std::iter::once(0).chain(buckets.iter().copied());
            let deltas = buckets.iter().zip(before).map(|(now, before)| i64::from(*now) - i64::from(before));
            let (first, rest) = (buckets.len() as u32 / 2, buckets.len().div_ceil(2) as u32);
            let spans =
                [v1::BucketSpan { offset: 1, length: first }, v1::BucketSpan { offset: 0, length: rest }];
            v1::Histogram {
                count: Some(if is_float { Count::CountFloat(total as f64) } else { Count::CountInt(total) }),
                sum,
                schema: if custom { -53 } else { schema },
                positive_spans: spans.to_vec(),
                positive_deltas: if is_float { vec![] } else { deltas.collect() },
                positive_counts: if is_float {
                    buckets.iter().copied().map(f64::from).collect()
                } else {
                    vec![]
                },
                custom_values: if custom {
                    (0..buckets.len()).map(|bound| bound as f64).collect()
                } else {
                    vec![]
                },
                timestamp,
                ..v1::Histogram::default()
            }
        },
    )
}

fn wild_histogram() -> impl Strategy<Value = v1::Histogram> {
    let spans = || vec((-1..3, prop_oneof![9 => 0..3_u32, 1 => any::<u32>()]), 0..3);
    let deltas = || vec(prop_oneof![9 => -1..3_i64, 1 => any::<i64>()], 0..3);
    let counts = || vec(float(), 0..2);
    let count =
        option::of(prop_oneof![(0..6_u64).prop_map(Count::CountInt), float().prop_map(Count::CountFloat)]);
    let zero_count = option::of(prop_oneof![
        (0..3_u64).prop_map(ZeroCount::ZeroCountInt),
        float().prop_map(ZeroCount::ZeroCountFloat)
    ]);
    let schema = prop_oneof![-5..10, Just(-53), any::<i32>()];
    let sides = ((spans(), deltas(), counts()), (spans(), deltas(), counts()));
    (count, zero_count, schema, sides, sample(), vec(float(), 0..3)).prop_map(
        |(count, zero_count, schema, (negative, positive), (timestamp, sum), custom_values)| v1::Histogram {
            count,
            sum,
            schema,
            zero_threshold: 0.0,
            zero_count,
            negative_spans: to_spans(negative.0),
            negative_deltas: negative.1,
            negative_counts: negative.2,
            positive_spans: to_spans(positive.0),
            positive_deltas: positive.1,
            positive_counts: positive.2,
            reset_hint: 3,
            timestamp,
            custom_values,
        },
    )
}

fn to_spans(pairs: Vec<(i32, u32)>) -> Vec<v1::BucketSpan> {
    pairs.into_iter().map(|(offset, length)| v1::BucketSpan { offset, length }).collect()
}

/// The same bytes, with a start timestamp.
fn v2_histogram(histogram: &v1::Histogram) -> v2::Histogram {
    let same = v2::Histogram::decode(&*histogram.encode_to_vec()).expect("the fields are the same");
    v2::Histogram { start_timestamp: 5, ..same }
}
