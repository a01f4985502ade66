use super::*;
use crate::{
    series::{METRIC_NAME, Sample, SampleBatch, TimestampMs, series_hash},
    shards::{Mailbox, ShardMessage},
    window::{self, Store},
};

const SEED: u64 = 7;

const SERIES: i64 = 5000;

/// Shards that hold `m{n="0"}`, `m{n="1"}`, ... with one sample at 0 each, and serve reads.
fn serving(count: usize) -> Shards {
    let (shards, mailboxes) = Shards::new(count, 4, SEED);
    for (shard, mailbox) in mailboxes.into_iter().enumerate() {
        let mut batch = SampleBatch::default();
        for n in 0..SERIES {
            let labels = LabelSet::from_pairs([(METRIC_NAME, "m"), ("n", &n.to_string())]).unwrap();
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
