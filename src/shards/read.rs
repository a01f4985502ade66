//! Looks at the series of a shard, a piece at a time.
//!
//! A query may concern every series and long ranges of each, and the task that owns them has samples to
//! take meanwhile. So it looks at some series, replies, and turns to its other messages; whoever asked
//! sends the next piece. Each series is seen at one moment, but not all at the same one: samples that
//! arrive while a query runs may be seen in one series and not in another. A series that is dropped meanwhile and
//! begins again is seen once at the most.

mod samples;

use crate::{
    promql::{Budget, EvalError, LeafMatrix, LeafRequest},
    series::{LabelMatcher, LabelSet, TimestampMs},
    window::{Cursor, SeriesView, Store},
};
pub use samples::{HeldSamples, SamplesQuestion};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// How long one piece may hold up the samples behind it; the series at hand is finished.
const MAX_PIECE_TIME: Duration = Duration::from_millis(5);

/// Most series that one piece answers for: what a reader is sent at once stays small.
const MAX_PIECE_SERIES: usize = 2048;

/// Series whose labels are compared between two looks at the clock.
const SCAN_BETWEEN_LOOKS: usize = 256;

/// What is asked of every shard.
#[derive(Debug)]
pub enum Question {
    /// The part of a query that concerns one selector.
    Leaf(LeafRequest),
    /// Which series there are.
    Series(SeriesQuestion),
    /// What some series hold.
    Samples(SamplesQuestion),
}

/// Which series satisfy one of some selectors and have a sample in a stretch of time.
#[derive(Debug)]
pub struct SeriesQuestion {
    /// Lists of matchers; all of one list must hold. No list at all means every series.
    pub any_of: Vec<Vec<LabelMatcher>>,
    /// The first instant that counts.
    pub from: TimestampMs,
    /// The last one.
    pub until: TimestampMs,
}

/// What a piece found out.
#[derive(Debug)]
pub enum Finding {
    /// The answer to [`Question::Leaf`] for the series of this piece.
    Leaf(LeafMatrix),
    /// The answer to [`Question::Series`].
    Series(Vec<LabelSet>),
    /// The answer to [`Question::Samples`] for the first of its series; at least for one.
    Samples(Vec<HeldSamples>),
}

/// A request to look at one piece.
#[derive(Debug)]
pub struct Read {
    /// What is asked.
    pub question: Arc<Question>,
    /// Where to go on; the default is the beginning.
    pub from: Cursor,
    /// What the reader may still cost; it comes back with the reply.
    pub budget: Budget,
    /// Where the reply goes. When nobody waits for it any more, nothing is looked at.
    pub reply: oneshot::Sender<Piece>,
}

/// The reply to a [`Read`].
#[derive(Debug)]
pub struct Piece {
    /// What was found, or why the query cannot go on.
    pub finding: Result<Finding, EvalError>,
    /// Where the next piece begins; `None` when this was the last.
    pub next: Option<Cursor>,
    /// The budget, charged.
    pub budget: Budget,
}

// === impl Read ===

impl Read {
    /// Looks at the series from `from` on for a bounded time, and replies.
    ///
    /// What anybody may ask must not end the shard: a panic is logged, and the reader gets no reply.
    pub fn serve(mut self, store: &Store) {
        if self.reply.is_closed() {
            return;
        }
        let look = || look(&self.question, store, self.from, &mut self.budget);
        // The store is only read, and the budget goes with the reply.
        match catch_unwind(AssertUnwindSafe(look)) {
            // The reader may have gone meanwhile.
            Ok((finding, next)) => _ = self.reply.send(Piece { finding, next, budget: self.budget }),
            Err(_) => tracing::error!(question = ?self.question, "a query panicked while it read series"),
        }
    }
}

fn look(
    question: &Question,
    store: &Store,
    from: Cursor,
    budget: &mut Budget,
) -> (Result<Finding, EvalError>, Option<Cursor>) {
    let mut next = None;
    let finding = match question {
        Question::Leaf(request) => {
            let wanted = |view: &SeriesView<'_>| all_hold(request.matchers(), view.labels);
            request.evaluate(walk(store, from, wanted, &mut next), budget).map(Finding::Leaf)
        }
        Question::Series(question) => {
            let series = walk(store, from, |view| question.holds(view), &mut next);
            Ok(Finding::Series(series.map(|view| view.labels.clone()).collect()))
        }
        Question::Samples(question) => question.look(store, budget).map(Finding::Samples),
    };
    (finding, next)
}

// === impl SeriesQuestion ===

impl SeriesQuestion {
    fn holds(&self, view: &SeriesView<'_>) -> bool {
        let selected = self.any_of.is_empty() || self.any_of.iter().any(|list| all_hold(list, view.labels));
        let just_before = self.from.plus_ms(-1);
        selected && view.first_after(just_before).is_some_and(|first| first <= self.until)
    }
}

fn all_hold(matchers: &[LabelMatcher], labels: &LabelSet) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels))
}

/// The wanted series from `from` on until the piece is large enough; then `next` is where the first one is that
/// was not looked at.
fn walk<'a>(
    store: &'a Store,
    from: Cursor,
    wanted: impl Fn(&SeriesView<'a>) -> bool,
    next: &mut Option<Cursor>,
) -> impl Iterator<Item = SeriesView<'a>> {
    let begun = Instant::now();
    let mut series = store.series_from(from);
    let (mut looked_at, mut taken, mut look_again) = (0_usize, 0_usize, SCAN_BETWEEN_LOOKS);
    std::iter::from_fn(move || {
        loop {
            let (place, view) = series.next().filter(|_| next.is_none())?;
            if looked_at >= look_again {
                look_again = looked_at + SCAN_BETWEEN_LOOKS;
                if taken >= MAX_PIECE_SERIES || begun.elapsed() >= MAX_PIECE_TIME {
                    *next = Some(place);
                    return None;
                }
            }
            looked_at += 1;
            if wanted(&view) {
                taken += 1;
                // What the reader does with a series can take long.
                look_again = looked_at;
                return Some(view);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        promql::{Grid, Query},
        series::{HistogramSample, METRIC_NAME, MatchOp, NativeHistogram, Sample, SampleBatch, series_hash},
        window,
    };

    const SERIES: usize = 3 * MAX_PIECE_SERIES;

    /// Series 0, 1, ... of `m`, each with one sample at its own number.
    fn store() -> Store {
        let mut store = Store::new(window::Config::default(), Vec::new());
        let mut batch = SampleBatch::default();
        for n in 0..SERIES {
            let labels = LabelSet::from_pairs([(METRIC_NAME, "m"), ("n", &n.to_string())]).unwrap();
            let hash = series_hash(labels.canonical_text(), 7);
            batch.push(hash, labels.canonical_text(), [Sample::new(n as i64, 1.0)]);
        }
        store.append(&batch, TimestampMs(0));
        store
    }

    fn ask(store: &Store, question: Question) -> Vec<Finding> {
        let question = Arc::new(question);
        let mut budget = Budget::unlimited();
        let mut findings = Vec::new();
        let mut from = Some(Cursor::default());
        while let Some(cursor) = from {
            let (reply, mut answer) = oneshot::channel();
            Read { question: Arc::clone(&question), from: cursor, budget, reply }.serve(store);
            let piece = answer.try_recv().unwrap();
            findings.push(piece.finding.unwrap());
            (from, budget) = (piece.next, piece.budget);
        }
        findings
    }

    /// For a question about more series than a piece holds, the pieces together hold each series once.
    #[test]
    fn pieces_together_are_the_whole() {
        let store = store();
        let all = SeriesQuestion { any_of: Vec::new(), from: TimestampMs::MIN, until: TimestampMs::MAX };
        let findings = ask(&store, Question::Series(all));
        assert!(findings.len() >= 3, "{} pieces", findings.len());
        let mut labels: Vec<LabelSet> = findings
            .into_iter()
            .flat_map(|finding| match finding {
                Finding::Series(labels) => labels,
                _ => panic!("not what was asked"),
            })
            .collect();
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), SERIES);
    }

    #[test]
    fn a_query_in_pieces_is_the_query() {
        let store = store();
        let query = Query::parse("count(m)").unwrap();
        let grid = Grid::instant(TimestampMs(SERIES as i64));
        let request = query.needs(&grid).remove(0);
        let parts = ask(&store, Question::Leaf(request)).into_iter().map(|finding| match finding {
            Finding::Leaf(matrix) => matrix,
            _ => panic!("not what was asked"),
        });
        let merged = LeafMatrix::merge(parts.collect());
        let value = query.evaluate(&grid, vec![merged], &mut Budget::unlimited()).unwrap();
        assert!(format!("{value:?}").contains(&format!("{:?}", SERIES as f64)), "{value:?}");
    }

    #[test]
    fn a_series_of_native_histograms_is_there_too() {
        let mut store = Store::new(window::Config::default(), Vec::new());
        let mut batch = SampleBatch::default();
        let labels = LabelSet::from_pairs([(METRIC_NAME, "latency")]).unwrap();
        let hash = series_hash(labels.canonical_text(), 7);
        let histogram = HistogramSample::new(5, NativeHistogram::default());
        batch.push_with_histograms(hash, labels.canonical_text(), [], [histogram]);
        store.append(&batch, TimestampMs(5));
        let found = |from: i64, until: i64| {
            let (from, until) = (TimestampMs(from), TimestampMs(until));
            let findings = ask(&store, Question::Series(SeriesQuestion { any_of: Vec::new(), from, until }));
            let [Finding::Series(found)] = &findings[..] else { panic!("{findings:?}") };
            found.len()
        };
        assert_eq!([found(5, 5), found(0, 4), found(6, 9)], [1, 0, 0]);
    }

    #[test]
    fn a_series_is_there_when_it_has_a_sample_in_the_stretch_of_time() {
        let matcher = |value: &str| vec![LabelMatcher::new("n", MatchOp::Regex, value).unwrap()];
        let question = SeriesQuestion {
            any_of: vec![matcher("1[0-9]"), matcher("3")],
            from: TimestampMs(3),
            until: TimestampMs(11),
        };
        // On a busy machine a piece ends early, and there are several.
        let found = ask(&store(), Question::Series(question)).into_iter().flat_map(|finding| match finding {
            Finding::Series(labels) => labels,
            other => panic!("{other:?}"),
        });
        let numbers: Vec<_> = found.map(|labels| labels.get("n").unwrap().to_owned()).collect();
        assert_eq!(numbers, ["3", "10", "11"]);
    }
}
