//! Our side: the decoder, a window, and the queries.

use super::{
    answer::{Answer, Labels, Shown, ShownBucket},
    data::LENGTH,
};
use emberwatch::{
    promql::{Annotations, Budget, Grid, LeafMatrix, Point, Query, QueryValue},
    series::{HistogramSample, LabelSet, NativeHistogram, Sample, SampleBatch, TimestampMs, series_hash},
    window::{self, Store},
    wire::{Decoder, Limits, MessageType},
};
use std::collections::BTreeMap;

pub(super) struct Ours {
    store: Store,
}

impl Ours {
    /// With what messages of Remote-Write 2.0 hold.
    pub(super) fn new(messages: &[Vec<u8>], now: TimestampMs) -> Self {
        let config = window::Config { retention_ms: 2 * LENGTH, ..window::Config::default() };
        let mut store = Store::new(config, Vec::new());
        for message in messages {
            let mut batch = SampleBatch::default();
            let mut sink = |labels: &str, samples: &[Sample], histograms: &[HistogramSample]| {
                let (hash, samples) = (series_hash(labels, 7), samples.iter().copied());
                batch.push_with_histograms(hash, labels, samples, histograms.iter().cloned());
            };
            let limits = Limits::default();
            let summary = Decoder::default().decode(MessageType::V2, message, &limits, &mut sink).unwrap();
            assert!(summary.invalid.is_empty(), "{}", summary.invalid);
            let counts = store.append(&batch, now.plus_ms(LENGTH));
            assert_eq!(counts.appended, summary.samples + summary.histograms, "{counts:?}");
        }
        Self { store }
    }

    pub(super) fn query(&self, text: &str, grid: &Grid) -> (Answer, Annotations) {
        let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let mut budget = Budget::new(50_000_000, || false);
        let answers = query.needs(grid).into_iter().map(|request| {
            let wanted = |labels| request.matchers().iter().all(|matcher| matcher.matches(labels));
            let all = self.store.series_from(window::Cursor::default()).map(|(_, view)| view);
            let mut views: Vec<_> = all.filter(|view| wanted(view.labels)).collect();
            views.sort_by(|a, b| a.labels.cmp(b.labels));
            request.evaluate(views.into_iter(), &mut Budget::unlimited())
        });
        let answers = answers.map(|part| part.map(|part| LeafMatrix::merge(vec![part])));
        let value = answers
            .collect::<Result<Vec<_>, _>>()
            .and_then(|answers| query.evaluate_annotated(grid, answers, &mut budget));
        match value {
            Err(error) => (Answer::Error(error.to_string()), Annotations::default()),
            Ok((value, annotations)) => (answer(value, grid), annotations),
        }
    }
}

fn answer(value: QueryValue, grid: &Grid) -> Answer {
    match value {
        QueryValue::Scalar(value) => Answer::Scalar(value),
        QueryValue::String(text) => panic!("{text}: not asked for"),
        QueryValue::Vector(elements) => Answer::Series(
            elements
                .iter()
                .map(|(labels, point)| (named(labels), vec![(grid.start.0, shown(point))]))
                .collect(),
        ),
        QueryValue::Matrix(series) => {
            let points = |points: &[(TimestampMs, Point)]| {
                points.iter().map(|(at, point)| (at.0, shown(point))).collect()
            };
            let series: BTreeMap<_, _> =
                series.iter().map(|series| (named(&series.labels), points(&series.points))).collect();
            Answer::Series(series)
        }
    }
}

fn shown(point: &Point) -> Shown {
    match point {
        Point::Float(value) => Shown::Float(*value),
        Point::Histogram(histogram) => {
            Shown::Histogram { count: histogram.count, sum: histogram.sum, buckets: buckets(histogram) }
        }
    }
}

fn buckets(histogram: &NativeHistogram) -> Vec<ShownBucket> {
    let filled = histogram.ranges().filter(|range| range.count != 0.0);
    let shown = filled.map(|range| ShownBucket {
        boundaries: match (range.lower_inclusive, range.upper_inclusive) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        },
        lower: range.lower,
        upper: range.upper,
        count: range.count,
    });
    shown.collect()
}

fn named(labels: &LabelSet) -> Labels {
    labels.iter().map(|label| (label.name.to_owned(), label.value.to_owned())).collect()
}
