//! What detectors gather to train on, brought to disk beside the steps.
//!
//! ```text
//! stepper --what changed, every write_interval--> row keeper (a thread) --append, fdatasync--> journal of each detector
//!    ^----------------- who has to tell everything again ---------+
//! ```
//!
//! No step waits for the disk: while a write takes longer than the interval nothing is taken, and what changes meanwhile is
//! told next time. A write that fails costs nothing but the rows of the next restart, and is made up for by the next that does not.

use super::stepper::Stepper;
use crate::{
    config::Config,
    feature_store::{self, DetectorStore, FeatureStore, InUse, Written},
    pipeline::Evaluator,
    telemetry::{DetectorLabel, Metrics},
    train::GatherUpdate,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

/// How long the end of the process waits for the last write.
const LAST_WRITE: Duration = Duration::from_secs(10);

/// What changed, by detector.
type Updates = Vec<(String, GatherUpdate)>;

/// The stepper's side.
pub(super) struct RowKeeper {
    interval: Duration,
    due: Instant,
    updates: mpsc::Sender<Updates>,
    /// The detectors, and whether their next update must be complete.
    wants_everything: Arc<BTreeMap<String, AtomicBool>>,
    /// The detectors of which was said that there is not room enough.
    said_short: BTreeSet<String>,
    ended: oneshot::Receiver<()>,
}

/// The thread's side: one detector.
struct Kept {
    store: DetectorStore,
    is_failing: bool,
}

// === impl RowKeeper ===

impl RowKeeper {
    /// Gives every detector of `config` that trains itself what was kept of it, before the first step, and starts the thread that keeps
    /// what comes.
    ///
    /// # Errors
    /// When another process has the folder.
    pub(super) fn start(
        config: &Config,
        store: &feature_store::Config,
        evaluator: &mut Evaluator,
        metrics: &Arc<Metrics>,
    ) -> Result<Option<Self>, InUse> {
        let folder = FeatureStore::open(&store.path)?;
        let mut kept = BTreeMap::new();
        for detector in config.detectors.iter().filter(|detector| detector.model.is_none()) {
            say_bound(config, store, detector);
            let own = folder.detector(&detector.schema, store.max_bytes);
            let name = own.detector().to_owned();
            kept.insert(name, read_back(own, evaluator, metrics));
        }
        let wants_everything: BTreeMap<String, AtomicBool> = kept
            .iter()
            .map(|(name, kept)| (name.clone(), AtomicBool::new(kept.store.wants_everything())))
            .collect();
        let wants_everything = Arc::new(wants_everything);
        // One is written while the next one waits; no more are taken.
        let (updates, received) = mpsc::channel(1);
        let (end, ended) = oneshot::channel();
        let (wanting, metrics) = (Arc::clone(&wants_everything), Arc::clone(metrics));
        let keep = move || {
            // As long as somebody writes.
            let _folder = folder;
            run(kept, received, &wanting, &metrics);
            // Nobody may wait for it any more.
            _ = end.send(());
        };
        if let Err(error) = thread::Builder::new().name("row keeper".to_owned()).spawn(keep) {
            tracing::error!(%error, "no thread to keep rows: what is gathered to train on is lost at the next restart");
            return Ok(None);
        }
        let due = Instant::now() + store.write_interval;
        let said_short = BTreeSet::new();
        Ok(Some(Self { interval: store.write_interval, due, updates, wants_everything, said_short, ended }))
    }

    /// When to ask it again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Whether the next update of a detector must be complete.
    fn wants_everything(&self) -> impl Fn(&str) -> bool + Send + 'static {
        let wanting = Arc::clone(&self.wants_everything);
        move |detector| wanting.get(detector).is_some_and(|wanting| wanting.load(Ordering::Acquire))
    }

    /// Says once of each detector that it can keep less than it should.
    fn say_who_is_short(&mut self, evaluator: &Evaluator) {
        for judge in evaluator.judges().filter(|judge| judge.is_short_of_room()) {
            if self.said_short.insert(judge.name().to_owned()) {
                tracing::warn!(
                    detector = judge.name(),
                    rows = judge.training_row_count(),
                    "training.max_bytes leaves no room for the rows that it takes to know every entity; models know some of them less well"
                );
            }
        }
    }
}

/// Says where the room on disk is for fewer rows than are configured.
fn say_bound(config: &Config, store: &feature_store::Config, detector: &crate::config::Detector) {
    let (most_rows, max_rows) = (store.most_rows(&detector.schema), config.training.max_rows);
    if most_rows < max_rows {
        let detector = detector.schema.detector();
        tracing::warn!(
            detector,
            max_rows,
            most_rows,
            "training.max_bytes has room for fewer rows than training.max_rows; no more are gathered"
        );
    }
}

fn read_back(mut store: DetectorStore, evaluator: &mut Evaluator, metrics: &Metrics) -> Kept {
    let gathered = store.read_back();
    let (rows, entities) = (gathered.n_rows(), gathered.rows.len());
    let label = DetectorLabel { detector: store.detector().to_owned() };
    let told = &metrics.feature_store;
    told.read_rows.get_or_create(&label).inc_by(rows as u64);
    told.rows.get_or_create(&label).set(if store.bytes() > 0 { rows as i64 } else { 0 });
    told.bytes.get_or_create(&label).set(store.bytes() as i64);
    told.writes.get_or_create(&label).inc_by(0);
    told.write_errors.get_or_create(&label).inc_by(0);
    if rows > 0 {
        tracing::info!(detector = label.detector, rows, entities, "read back what was gathered to train on");
    }
    evaluator.keep(&label.detector, gathered);
    Kept { store, is_failing: false }
}

/// Writes what comes until nobody can send any more.
fn run(
    mut kept: BTreeMap<String, Kept>,
    mut received: mpsc::Receiver<Updates>,
    wants_everything: &BTreeMap<String, AtomicBool>,
    metrics: &Metrics,
) {
    while let Some(updates) = received.blocking_recv() {
        for (detector, update) in updates {
            let Some(kept) = kept.get_mut(&detector) else { continue };
            kept.write(&update, metrics);
            if let Some(wanting) = wants_everything.get(&detector) {
                wanting.store(kept.store.wants_everything(), Ordering::Release);
            }
        }
    }
}

// === impl Kept ===

impl Kept {
    fn write(&mut self, update: &GatherUpdate, metrics: &Metrics) {
        let label = DetectorLabel { detector: self.store.detector().to_owned() };
        let (detector, told) = (label.detector.as_str(), &metrics.feature_store);
        match self.store.write(update) {
            Ok(Written::Kept) => {
                told.writes.get_or_create(&label).inc();
                told.rows.get_or_create(&label).set(update.n_rows as i64);
                told.bytes.get_or_create(&label).set(self.store.bytes() as i64);
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!(detector, rows = update.n_rows, "the feature store can be written again");
                }
            }
            Ok(Written::Nothing | Written::Postponed) => {}
            Err(error) => {
                told.write_errors.get_or_create(&label).inc();
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!(
                        detector,
                        %error,
                        "the feature store cannot be written: rows are kept in memory, and tried again"
                    );
                }
            }
        }
    }
}

// === impl Stepper ===

impl Stepper {
    /// Hands what was gathered to the row keeper if it is time and that is free.
    pub(super) async fn keep_rows(&mut self) {
        let Some(keeper) = &mut self.row_keeper else { return };
        let now = Instant::now();
        if now < keeper.due {
            return;
        }
        keeper.due = now + keeper.interval;
        keeper.say_who_is_short(&self.evaluator);
        let Ok(place) = keeper.updates.clone().try_reserve_owned() else { return };
        let wants_everything = keeper.wants_everything();
        place.send(self.with_evaluator(|evaluator| evaluator.take_updates(wants_everything)).await);
    }

    /// Keeps what was gathered last, and waits until it is on disk.
    pub(super) async fn end_rows(&mut self) {
        let Some(keeper) = self.row_keeper.take() else { return };
        let wants_everything = keeper.wants_everything();
        let last = self.with_evaluator(|evaluator| evaluator.take_updates(wants_everything)).await;
        let write = async {
            _ = keeper.updates.send(last).await;
            drop(keeper.updates);
            _ = keeper.ended.await;
        };
        if timeout(LAST_WRITE, write).await.is_err() {
            let error = io::Error::from(io::ErrorKind::TimedOut);
            tracing::error!(%error, "the last rows are not on disk: the feature store was waited for in vain");
        }
    }
}
