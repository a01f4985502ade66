//! Puts questions to all shards, piece by piece, and gathers what they find.

use super::QueryError;
use crate::{
    promql::Budget,
    shards::{Finding, Piece, Question, Read, Shards},
    window::Cursor,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::Instant,
};

/// When a query must end. Dropped, it ends whatever asks [`Self::expired`]: nobody waits any more.
#[derive(Debug)]
pub(super) struct Deadline {
    at: Instant,
    dropped: Arc<AtomicBool>,
}

/// Every finding of one shard, question by question.
type OfShard = Result<Vec<Vec<Finding>>, QueryError>;

/// What each question found in all shards. The order of the findings is that of the shards and their
/// series.
///
/// All shards are asked at once; each has one piece of the query to look at at a time.
pub(super) async fn gather(
    shards: &[Shards],
    questions: Vec<Question>,
    deadline: &Deadline,
    max_points: usize,
) -> Result<Vec<Vec<Finding>>, QueryError> {
    let questions: Arc<[Arc<Question>]> = questions.into_iter().map(Arc::new).collect();
    let points = Arc::new(Points { held: AtomicUsize::new(0), most: max_points });
    // Dropped with this future, the set aborts its tasks.
    let mut asking = JoinSet::new();
    for (number, reads) in shards.iter().flat_map(Shards::reads).enumerate() {
        let budget = Budget::new(max_points, deadline.expired());
        let asker = Asker { reads: reads.clone(), budget, points: Arc::clone(&points) };
        let questions = Arc::clone(&questions);
        asking.spawn(async move { (number, asker.ask_all(&questions).await) });
    }
    let mut answers: Vec<(usize, Vec<Vec<Finding>>)> = Vec::new();
    while let Some(done) = deadline.limit("query execution", asking.join_next()).await? {
        let (number, answer) = done.map_err(QueryError::Broken)?;
        answers.push((number, answer?));
    }
    answers.sort_unstable_by_key(|(number, _)| *number);
    let mut gathered: Vec<Vec<Finding>> = questions.iter().map(|_| Vec::new()).collect();
    for (_, of_shard) in answers {
        for (all, findings) in gathered.iter_mut().zip(of_shard) {
            all.extend(findings);
        }
    }
    Ok(gathered)
}

/// The points that the shards have found so far for one query.
struct Points {
    held: AtomicUsize,
    most: usize,
}

/// Asks one shard.
struct Asker {
    reads: mpsc::Sender<Read>,
    budget: Budget,
    points: Arc<Points>,
}

// === impl Asker ===

impl Asker {
    async fn ask_all(mut self, questions: &[Arc<Question>]) -> OfShard {
        let mut findings = Vec::with_capacity(questions.len());
        for question in questions {
            let answer;
            (self, answer) = self.ask(question).await?;
            findings.push(answer);
        }
        Ok(findings)
    }

    /// All pieces of one question.
    async fn ask(self, question: &Arc<Question>) -> Result<(Self, Vec<Finding>), QueryError> {
        let Self { reads, mut budget, points } = self;
        let mut findings = Vec::new();
        let mut from = Some(Cursor::default());
        while let Some(cursor) = from {
            let held = budget.held();
            let (reply, answer) = oneshot::channel();
            let read = Read { question: Arc::clone(question), from: cursor, budget, reply };
            reads.send(read).await.map_err(|_| QueryError::NoAnswer)?;
            let piece: Piece = answer.await.map_err(|_| QueryError::NoAnswer)?;
            (from, budget) = (piece.next, piece.budget);
            findings.push(piece.finding?);
            points.add(budget.held().saturating_sub(held))?;
        }
        Ok((Self { reads, budget, points }, findings))
    }
}

// === impl Points ===

impl Points {
    fn add(&self, points: usize) -> Result<(), QueryError> {
        let before = self.held.fetch_add(points, Ordering::Relaxed);
        if before.saturating_add(points) > self.most { Err(QueryError::TooManySamples) } else { Ok(()) }
    }
}

// === impl Deadline ===

impl Deadline {
    pub(super) fn after(timeout: Duration) -> Self {
        Self { at: Instant::now() + timeout, dropped: Arc::default() }
    }

    /// What `work` gives, unless the time is over before; `stage` says what the query was doing.
    pub(super) async fn limit<T>(
        &self,
        stage: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, QueryError> {
        tokio::time::timeout_at(self.at, work).await.map_err(|_| QueryError::TimedOut(stage))
    }

    /// Says whether the time is over or nobody waits any more.
    pub(super) fn expired(&self) -> impl FnMut() -> bool + Send + use<> {
        let (at, dropped) = (self.at, Arc::clone(&self.dropped));
        move || dropped.load(Ordering::Relaxed) || Instant::now() >= at
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
    }
}
