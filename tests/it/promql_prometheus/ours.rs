//! Our side: the samples in a number of stores.

use super::{
    answer::{Answer, Labels},
    data::{LENGTH, Series},
};
use emberwatch::{
    promql::{Annotations, Budget, Grid, LeafMatrix, Point, Query, QueryValue},
    series::{LabelSet, SampleBatch, TimestampMs, series_hash},
    window::{self, Store},
};

/// The series, spread over shards as the sidecar spreads them.
pub(super) struct Sharded {
    stores: Vec<Store>,
}

impl Sharded {
    pub(super) fn new(series: &Series, shards: usize, now: TimestampMs) -> Self {
        let config = window::Config { retention_ms: 2 * LENGTH, ..window::Config::default() };
        let mut batches: Vec<_> = (0..shards).map(|_| SampleBatch::default()).collect();
        for (labels, samples) in series {
            let hash = series_hash(labels.canonical_text(), 7);
            let shard = (hash % shards as u128) as usize;
            batches[shard].push(hash, labels.canonical_text(), samples.iter().copied());
        }
        let filled = |batch: &SampleBatch| {
            let mut store = Store::new(config, Vec::new());
            store.append(batch, now.plus_ms(2 * LENGTH));
            store
        };
        Self { stores: batches.iter().map(filled).collect() }
    }

    pub(super) fn answer(&self, text: &str, grid: &Grid) -> (Answer, Annotations) {
        let query = match Query::parse(text) {
            Ok(query) => query,
            Err(error) => return (Answer::Error(error.to_string()), Annotations::default()),
        };
        let mut budget = Budget::new(5_000_000, || false);
        let value = query
            .needs(grid)
            .iter()
            .map(|request| {
                let part = |store: &Store| {
                    let wanted = |labels| request.matchers().iter().all(|matcher| matcher.matches(labels));
                    let all = store.series_from(window::Cursor::default()).map(|(_, view)| view);
                    let mut views: Vec<_> = all.filter(|view| wanted(view.labels)).collect();
                    views.sort_by(|a, b| a.labels.cmp(b.labels));
                    request.evaluate(views.into_iter(), &mut Budget::unlimited())
                };
                self.stores.iter().map(part).collect::<Result<_, _>>().map(LeafMatrix::merge)
            })
            .collect::<Result<Vec<_>, _>>()
            .and_then(|answers| query.evaluate_annotated(grid, answers, &mut budget));
        match value {
            Ok((value, annotations)) => (shown(value), annotations),
            Err(error) => (Answer::Error(error.to_string()), Annotations::default()),
        }
    }
}

fn shown(value: QueryValue) -> Answer {
    let float = |point: &Point| point.float().unwrap();
    match value {
        QueryValue::Scalar(value) => Answer::Scalar(value),
        QueryValue::String(text) => Answer::String(text),
        QueryValue::Vector(elements) => {
            Answer::Vector(elements.iter().map(|(labels, point)| (named(labels), float(point))).collect())
        }
        QueryValue::Matrix(series) => {
            assert!(series.is_sorted_by(|a, b| a.labels < b.labels), "not in label order: {series:?}");
            let points = |points: &[(TimestampMs, Point)]| {
                points.iter().map(|(at, point)| (at.0, float(point))).collect()
            };
            Answer::Matrix(series.iter().map(|s| (named(&s.labels), points(&s.points))).collect())
        }
    }
}

fn named(labels: &LabelSet) -> Labels {
    labels.iter().map(|label| (label.name.to_owned(), label.value.to_owned())).collect()
}
