use super::*;
use crate::{
    series::{LabelMatcher, METRIC_NAME, MatchOp, Sample, SampleBatch, TimestampMs, series_hash},
    shards::{Mailbox, ShardMessage},
    window::{self, Store},
};

const SEED: u64 = 7;

const SERIES: i64 = 5000;

/// Shards that hold `m{n="0"}`, `m{n="1"}`, ... with one sample at 0 each, and serve reads.
fn serving(count: usize) -> Shards {
    serving_metric(count, "m")
}

fn serving_metric(count: usize, metric: &str) -> Shards {
    let (shards, mailboxes) = Shards::new(count, 4, SEED);
    for (shard, mailbox) in mailboxes.into_iter().enumerate() {
        let mut batch = SampleBatch::default();
        for n in 0..SERIES {
            let labels = LabelSet::from_pairs([(METRIC_NAME, metric), ("n", &n.to_string())]).unwrap();
            let hash = series_hash(labels.canonical_text(), SEED);
            if shards.shard_of(hash) == shard {
                batch.push(hash, labels.canonical_text(), [Sample::new(0, n as f64)]);
            }
        }
        let mut store = Store::new(window::Config::default(), Vec::new());
        store.append(&batch, TimestampMs(0));
        tokio::spawn(serve(store, mailbox));
    }
    shards
}

async fn serve(store: Store, mut mailbox: Mailbox) {
    while let Some(message) = mailbox.recv().await {
        if let ShardMessage::Read(read) = message {
            read.serve(&store);
        }
    }
}

fn engine(shards: Shards, limits: Limits) -> Engine {
    Engine::new(vec![shards], limits, &Metrics::new())
}

async fn ask(engine: &Engine, text: &str) -> Result<QueryValue, QueryError> {
    engine.evaluate(request(text, Duration::MAX), |value, _| value).await
}

fn request(text: &str, timeout: Duration) -> Request {
    let query = Query::parse(text).unwrap();
    Request { query, grid: Grid::instant(TimestampMs(0)), timeout, lookback: Limits::default().lookback }
}

fn everything() -> SeriesQuestion {
    SeriesQuestion { any_of: Vec::new(), from: TimestampMs::MIN, until: TimestampMs::MAX }
}

/// For all numbers of shards, the answer is the same to the last bit, and each series is listed once.
#[tokio::test]
async fn answers_do_not_depend_on_the_number_of_shards() {
    let mut answers = Vec::new();
    for count in [1, 2, 7] {
        let engine = engine(serving(count), Limits::default());
        let value = ask(&engine, "sum(m ^ 0.3)").await.unwrap();
        let series = engine.series(everything(), |labels| labels.len()).await.unwrap();
        assert_eq!(series, SERIES as usize);
        answers.push(format!("{value:?}"));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn points_are_counted_over_all_shards() {
    let limits = |max_samples| Limits { max_samples, ..Limits::default() };
    // What is read, and its sum.
    let enough = engine(serving(4), limits(SERIES as usize + 1));
    assert!(ask(&enough, "sum(m)").await.is_ok());
    // Each shard alone holds far less.
    let too_few = engine(serving(4), limits(SERIES as usize - 1));
    assert!(matches!(ask(&too_few, "sum(m)").await, Err(QueryError::TooManySamples)));
}

#[tokio::test]
async fn a_query_says_what_it_waited_for() {
    let (shards, _nobody_serves) = Shards::new(1, 4, SEED);
    let engine = engine(shards, Limits { max_concurrency: 1, ..Limits::default() });
    let without_time = || engine.evaluate(request("m", Duration::ZERO), |value, _| value);
    let waiting = without_time().await.unwrap_err();
    assert_eq!(waiting.to_string(), "query timed out in query execution");

    let mut stuck = std::pin::pin!(ask(&engine, "m"));
    tokio::select! {
        biased;
        _ = &mut stuck => panic!("no shard serves"),
        () = tokio::task::yield_now() => {}
    }
    let in_line = without_time().await.unwrap_err();
    assert_eq!(in_line.to_string(), "query timed out in query queue");
}

#[tokio::test]
async fn a_place_is_free_again_when_the_caller_goes() {
    let (shards, mailboxes) = Shards::new(1, 4, SEED);
    let metrics = Metrics::new();
    let limits = Limits { max_concurrency: 1, ..Limits::default() };
    let engine = Engine::new(vec![shards], limits, &metrics);
    {
        let mut stuck = std::pin::pin!(ask(&engine, "m"));
        tokio::select! {
            biased;
            _ = &mut stuck => panic!("no shard serves"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(metrics.queries_running.get(), 1);
    }
    assert_eq!(metrics.queries_running.get(), 0);
    drop(mailboxes);
    assert!(matches!(ask(&engine, "m").await, Err(QueryError::NoAnswer)));
}

// === reading ===

fn all() -> Selection {
    Selection { matchers: Vec::new(), range: TimestampMs(0)..=TimestampMs(9), taken_off: Vec::new() }
}

/// For all numbers of shards, and over several groups of them, a reading gives each series once, in the order of labels,
/// with its samples.
#[tokio::test]
async fn a_reading_gives_each_series_once_in_the_order_of_labels() {
    for counts in [[1, 1], [2, 1], [7, 3]] {
        let shards = vec![serving_metric(counts[0], "m"), serving_metric(counts[1], "a")];
        let engine = Engine::new(shards, Limits::default(), &Metrics::new());
        let of_m = vec![LabelMatcher::new(METRIC_NAME, MatchOp::Equal, "m").unwrap()];
        let selections = vec![all(), Selection { matchers: of_m, ..all() }];
        let mut reading = engine.read(selections).await.unwrap();
        let mut read = Vec::new();
        loop {
            let batch = reading.next_batch().await.unwrap();
            if batch.is_empty() {
                break;
            }
            read.extend(batch);
        }
        assert_eq!(read.len(), 3 * SERIES as usize);
        let place = |series: &SelectedSeries| (series.selection, series.labels.clone());
        assert!(read.is_sorted_by(|a, b| place(a) < place(b)), "{counts:?}");
        for SelectedSeries { labels, held, .. } in &read {
            let value = labels.get("n").unwrap().parse().unwrap();
            assert_eq!(held.samples, [Sample::new(0, value)], "{labels}");
        }
        assert_eq!(read.iter().filter(|series| series.selection == 1).count(), SERIES as usize);
    }
}

/// For labels that a reader will take off, the order is that of the others.
#[tokio::test]
async fn the_order_of_a_reading_leaves_out_what_will_be_taken_off() {
    let metrics = ["b", "a"].map(|metric| serving_metric(1, metric));
    let engine = Engine::new(metrics.to_vec(), Limits::default(), &Metrics::new());
    let selection = Selection { taken_off: vec![METRIC_NAME.to_owned()], ..all() };
    let read = engine.read(vec![selection]).await.unwrap().read_all().await.unwrap();
    assert_eq!(read.len(), 2 * SERIES as usize);
    let number = |series: &SelectedSeries| series.labels.get("n").unwrap().to_owned();
    assert!(read.is_sorted_by(|a, b| number(a) <= number(b)));
}

#[tokio::test]
async fn all_that_is_read_at_once_is_limited() {
    let limits = |max_samples| Limits { max_samples, ..Limits::default() };
    // A point for the sample, and one for the sixteen bytes of the labels; from three digits on they are more.
    let points = 100 * 2 + 4_900 * 3;
    let enough = engine(serving(4), limits(points));
    assert_eq!(enough.read(vec![all()]).await.unwrap().read_all().await.unwrap().len(), SERIES as usize);
    let too_few = engine(serving(4), limits(points - 1));
    let refused = too_few.read(vec![all()]).await.unwrap().read_all().await;
    assert!(matches!(refused, Err(QueryError::TooManySamples)));
    // A batch is a part of it.
    assert!(!too_few.read(vec![all()]).await.unwrap().next_batch().await.unwrap().is_empty());
}

/// For as long as a reading lives it has a place, and not a moment longer; it takes no longer than a query may.
#[tokio::test]
async fn a_reading_has_a_place_and_an_end() {
    let metrics = Metrics::new();
    let limits = Limits { max_concurrency: 1, ..Limits::default() };
    let engine = Engine::new(vec![serving(2)], limits, &metrics);
    let mut reading = engine.read(vec![all()]).await.unwrap();
    reading.next_batch().await.unwrap();
    assert_eq!(metrics.queries_running.get(), 1);
    drop(reading);
    assert_eq!(metrics.queries_running.get(), 0);

    let limits = Limits { timeout: Duration::from_millis(1), ..Limits::default() };
    let (shards, _nobody_serves) = Shards::new(1, 4, SEED);
    let mut reading = self::engine(shards, limits).read(vec![all()]).await.unwrap();
    let error = reading.next_batch().await.unwrap_err();
    assert_eq!(error.to_string(), "query timed out in query execution");
    let stuck = reading.within_time("sending", std::future::pending::<()>()).await.unwrap_err();
    assert_eq!(stuck.to_string(), "query timed out in sending");
}

/// A shard that ends while it is read is an error, not the end of the series.
#[tokio::test]
async fn a_shard_that_ends_breaks_a_reading() {
    let (shards, mailboxes) = Shards::new(1, 4, SEED);
    drop(mailboxes);
    let engine = engine(shards, Limits::default());
    let mut reading = engine.read(vec![all()]).await.unwrap();
    assert!(matches!(reading.next_batch().await, Err(QueryError::NoAnswer)));
}
