//! Leaves and what follows them: 10,000 series, a sample every 15 s.
//!
//! One iteration is one step of one expression; divide by [`SERIES`] for the cost of a series.

use divan::{Bencher, black_box};
use emberwatch::{
    promql::{Budget, Grid, LeafMatrix, Memo, Plan},
    series::{LabelSet, METRIC_NAME, Sample, TimestampMs},
    window::SeriesView,
};

const SERIES: usize = 10_000;

const SCRAPE_MS: i64 = 15_000;

/// Scrapes of each series: the five minutes of the range and some before it.
const SAMPLES: i64 = 25;

const AT: TimestampMs = TimestampMs(SAMPLES * SCRAPE_MS);

fn main() {
    divan::main();
}

/// `rate(..[5m])` of every series: what a shard does.
#[divan::bench]
fn rate_of_10k_series(bencher: Bencher<'_, '_>) {
    let series = counters(|n| vec![("instance", format!("host-{n}:9100"))]);
    let plan = plan("rate(requests_total[5m])");
    bencher.bench_local(|| first_leaf(&plan, black_box(&series)));
}

/// `sum by (job)` of rates: what is left to do when the shards are done.
#[divan::bench]
fn sum_by_of_10k_rates(bencher: Bencher<'_, '_>) {
    let series =
        counters(|n| vec![("instance", format!("host-{n}:9100")), ("job", format!("job-{}", n % 100))]);
    evaluate("sum by (job) (rate(requests_total[5m]))", bencher, &series);
}

/// `histogram_quantile` of 1,000 histograms with 10 buckets.
#[divan::bench]
fn histogram_quantile_of_10k_buckets(bencher: Bencher<'_, '_>) {
    const BOUNDS: [&str; 10] = ["0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf"];
    let series =
        counters(|n| vec![("instance", format!("host-{}:9100", n / 10)), ("le", BOUNDS[n % 10].to_owned())]);
    evaluate("histogram_quantile(0.95, rate(requests_total[5m]))", bencher, &series);
}

/// Benches the evaluation of an expression of one leaf, the leaf itself left out.
fn evaluate(text: &str, bencher: Bencher<'_, '_>, series: &[(LabelSet, Vec<Sample>)]) {
    let plan = plan(text);
    let answer = LeafMatrix::merge(vec![first_leaf(&plan, series)]);
    let mut memo = Memo::default();
    bencher.bench_local(|| plan.evaluate(black_box(&[&answer]), AT, &mut memo));
}

#[expect(clippy::unwrap_used, reason = "no budget, no failure")]
fn first_leaf(plan: &Plan, series: &[(LabelSet, Vec<Sample>)]) -> LeafMatrix {
    let request = plan.leaves()[0].request(&Grid::instant(AT));
    request.evaluate(views(series), &mut Budget::unlimited()).unwrap()
}

#[expect(clippy::unwrap_used, reason = "the expressions stand above")]
fn plan(text: &str) -> Plan {
    Plan::parse(text).unwrap()
}

/// Counters by ascending labels; `labels` gives those of series `n`.
#[expect(clippy::unwrap_used, reason = "the labels stand above")]
fn counters(labels: impl Fn(usize) -> Vec<(&'static str, String)>) -> Vec<(LabelSet, Vec<Sample>)> {
    let mut series: Vec<_> = (0..SERIES)
        .map(|n| {
            let pairs = labels(n).into_iter().chain([(METRIC_NAME, "requests_total".to_owned())]);
            let sample = |k: i64| Sample::new(k * SCRAPE_MS, (n as f64 + 1.0) * k as f64);
            (LabelSet::from_pairs(pairs).unwrap(), (0..SAMPLES).map(sample).collect())
        })
        .collect();
    series.sort_by(|a: &(LabelSet, Vec<Sample>), b| a.0.cmp(&b.0));
    series
}

fn views(series: &[(LabelSet, Vec<Sample>)]) -> impl Iterator<Item = SeriesView<'_>> {
    series.iter().map(|(labels, samples)| SeriesView {
        labels,
        samples: samples.as_slice().into(),
        histograms: &[],
    })
}
