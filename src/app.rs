//! The running sidecar: which tasks there are, and how they are wired.
//!
//! ```text
//! connections --batches--> shard tasks --progress--> stepper --steps--> write-back task
//!                              ^------- leaves at T ----+  |---snapshot--> API
//!                                                          |---rows------> row keeper --> disk
//! signals, POST /-/reload --> reload --models--------------+
//! ```
//!
//! One task owns each piece of state; what crosses between them is a bounded channel, a swapped
//! pointer, or a report. Start and stop are here, once.

mod backfill;

mod board;

mod outlet;

mod own_series;

mod past_training;

mod row_keeper;

mod shard_task;

mod status;

mod stepper;

mod successor;

use crate::{
    api::{self, AnomalySnapshot, Api, DetectorReport, Readiness, ReloadRequest},
    client::TlsError,
    config::{self, Config, format_duration},
    feature_store,
    history::Reader,
    lifecycle::{Candidates, LiveModels, ModelDirectory, ModelSource, RefusedCandidate, ReloadError, reload},
    maintenance::Registry,
    metadata::MetadataStore,
    pipeline::{ClockConfig, Detector, Evaluator, InvalidDetector, StepClock},
    query::{self, Engine},
    receive::{self, Receiver},
    series::TimestampMs,
    server::{self, ListenAddress},
    shards::Shards,
    telemetry::Metrics,
    window::Store,
    writeback,
};
use arc_swap::ArcSwap;
use backfill::Past;
use board::ProgressBoard;
use outlet::{DetectorTag, Outlet};
use own_series::OwnSeries;
use past_training::PastTraining;
use row_keeper::RowKeeper;
use status::Status;
use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use stepper::Stepper;
use successor::Trainings;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

/// What is said at start beside the config.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: ListenAddress,
    /// Whether `POST /-/reload` is allowed; SIGHUP always is.
    pub enable_lifecycle: bool,
    /// What queries of the API may cost.
    pub query: query::Limits,
    /// Seed of the series hashes, drawn at random once a process so that nobody can aim at collisions.
    pub hash_seed: u64,
}

/// Why the sidecar did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The socket could not be opened.
    #[error("cannot listen: {0}")]
    Listen(#[from] io::Error),
    /// A detector cannot be.
    #[error("detector {detector:?}: {source}")]
    Detector {
        /// Its name.
        detector: String,
        /// Why not.
        source: InvalidDetector,
    },
    /// The target of the scores cannot be reached as configured.
    #[error("remote_write: {0}")]
    RemoteWrite(TlsError),
    /// The store of the past cannot be reached as configured.
    #[error("history: {0}")]
    History(TlsError),
    /// The rows to train on are those of another process.
    #[error(transparent)]
    FeatureStore(#[from] feature_store::InUse),
    /// A model on disk cannot be used.
    #[error("cannot load the models: {}", joined(.0))]
    Models(Vec<ReloadError>),
}

/// A running sidecar. Dropping it does not stop it; [`Sidecar::stop`] does.
#[must_use = "a sidecar that is not stopped loses what it has not written back"]
pub struct Sidecar {
    address: SocketAddr,
    reloads: mpsc::Sender<ReloadRequest>,
    readiness: Readiness,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    stepper: JoinHandle<Stepper>,
    writeback: Option<writeback::Handle>,
}

// === impl Sidecar ===

impl Sidecar {
    /// Starts all tasks. Serves as soon as this returns.
    ///
    /// # Errors
    /// When the address is taken, a detector cannot be compiled, or a model file is unusable.
    pub async fn start(config: Config, options: Options) -> Result<Self, StartError> {
        let listener = options.listen.bind().await?;
        let address = listener.local_addr()?;
        let metrics = Arc::new(Metrics::new());
        let (stop, stopped) = watch::channel(false);

        let detectors = detectors(&config)?;
        let names: Vec<&str> = config.detectors.iter().map(|d| d.schema.detector()).collect();
        let models = Arc::new(LiveModels::new(names.iter().copied()));
        let directory = ModelDirectory::new(&config.models.path, config.models.keep_versions);
        let sources: Vec<ModelSource> = config
            .detectors
            .iter()
            .map(|d| ModelSource { schema: d.schema.clone(), fixed: d.model.clone() })
            .collect();
        let loaded = reload(&sources, &directory, &models).map_err(StartError::Models)?;
        for model in &loaded {
            tracing::info!(detector = model.detector, version = model.version, "loaded a model");
        }
        note_successful_reload(&metrics);
        let candidates = Arc::new(Candidates::default());
        read_candidates(&candidates, &sources, &directory);

        let maintenance = maintenance(&config);
        let (mut evaluator, table) = Evaluator::new(detectors);
        let row_keeper = match &config.training.store {
            Some(store) => RowKeeper::start(&config, store, &mut evaluator, &metrics)?,
            None => None,
        };
        let (shards, mailboxes) =
            Shards::new(config.storage.shards, config.storage.shard_queue_capacity, options.hash_seed);
        let board = Arc::new(ProgressBoard::new(shards.count()));
        let window = config.storage.shard_window(table.retention_ms());
        for (shard, mailbox) in mailboxes.into_iter().enumerate() {
            let store = Store::new(window, table.selectors()).read_aside(table.aside());
            tokio::spawn(shard_task::run_shard(shard, store, mailbox, Arc::clone(&board)));
        }

        let own_window = config.storage.own_window(table.retention_ms());
        let own_series = OwnSeries::spawn(own_window, options.hash_seed);
        let queryable = vec![shards.clone(), own_series.shards().clone()];
        let engine = Arc::new(Engine::new(queryable, options.query, &metrics));

        let writeback = config.remote_write.clone().map(|target| {
            // Its task ends when it is flushed at stop.
            writeback::spawn(target, metrics.remote_write.clone()).map(|(handle, _task)| handle)
        });
        let writeback = writeback.transpose().map_err(StartError::RemoteWrite)?;
        let snapshot = Arc::new(ArcSwap::from_pointee(AnomalySnapshot::default()));
        let detector_reports: Arc<ArcSwap<Vec<DetectorReport>>> = Arc::default();
        let tags = config
            .detectors
            .iter()
            .map(|d| DetectorTag { name: d.schema.detector().to_owned(), thresholds: d.thresholds })
            .collect();
        let outlet = Outlet::new(
            tags,
            config.external_labels.clone(),
            writeback.clone(),
            Arc::clone(&snapshot),
            Arc::clone(&metrics),
        );
        let clock = StepClock::new(ClockConfig {
            step_ms: milliseconds(config.step),
            settle_timeout: config.settle_timeout,
        });
        let past = past(&config, table.retention_ms(), options.hash_seed)?;
        if !past.as_ref().is_some_and(Past::fills_at_start) {
            say_warm_up(&config);
        }
        let stepper = Stepper {
            clock,
            table: Arc::new(table),
            evaluator,
            shards: shards.clone(),
            board,
            models: Arc::clone(&models),
            maintenance: Arc::clone(&maintenance),
            directory: directory.clone(),
            outlet,
            own_series,
            metrics: Arc::clone(&metrics),
            status: Status::new(Arc::clone(&detector_reports), config.training.triggers.min_f1),
            trainings: Trainings::default(),
            candidates: Arc::clone(&candidates),
            past_training: PastTraining::new(&config, past.as_ref().map(|past| past.reader.clone())),
            row_keeper,
            past,
            lessons: None,
        };
        let readiness = Readiness::default();
        // From the first request on.
        stepper.shards.set_filling(stepper.past.as_ref().is_some_and(Past::fills_at_start));
        let stepper = tokio::spawn(step(stepper, stopped.clone(), readiness.clone()));

        let (reloads, reload_requests) = mpsc::channel(1);
        let reloader = Reloader { sources, directory, models, candidates, metrics: Arc::clone(&metrics) };
        tokio::spawn(reloader.run(reload_requests));

        let api = Api {
            metrics: Arc::clone(&metrics),
            readiness: readiness.clone(),
            anomalies: snapshot,
            detectors: detector_reports,
            maintenance,
            reload: options.enable_lifecycle.then(|| reloads.clone()),
        };
        let metadata = Arc::new(MetadataStore::default());
        let receiver =
            Receiver::new(config.receive.clone(), shards, Arc::clone(&metadata), Arc::clone(&metrics));
        let routes = receive::router(Arc::new(receiver))
            .merge(api::router(api))
            .merge(api::read::router(
                Arc::clone(&engine),
                config.external_labels.clone(),
                Arc::clone(&metrics),
            ))
            .merge(api::prometheus::router(engine, metadata));
        let routes = api::instrument(routes, &metrics);
        let shutdown = async move {
            let mut stopped = stopped;
            // A sender that is gone means stop as well.
            _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let serve = server::serve(listener, routes, server::Config::default(), metrics, shutdown);
        let server = tokio::spawn(serve);
        tracing::info!(%address, detectors = names.join(", "), "listening");
        Ok(Self { address, reloads, readiness, stop, server, stepper, writeback })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads all models again; on any error everything stays as it was.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub async fn reload(&self) -> Result<(), String> {
        let (reply, result) = tokio::sync::oneshot::channel();
        let gone = |_| "shutting down".to_owned();
        self.reloads.send(reply).await.map_err(|_| gone(()))?;
        result.await.map_err(|_| gone(()))?
    }

    /// Stops in the order of the data: no more requests, no more steps, stale markers for every score
    /// series that stands, then write-back until its deadline.
    pub async fn stop(self) {
        self.readiness.set(false);
        _ = self.stop.send(true);
        if let Err(error) = self.server.await {
            tracing::error!(%error, "the server ended badly");
        }
        match self.stepper.await {
            Ok(mut stepper) => {
                stepper.end();
                stepper.end_rows().await;
            }
            Err(error) => tracing::error!(%error, "the evaluation of steps ended badly"),
        }
        if let Some(writeback) = self.writeback {
            writeback.flush().await;
        }
        tracing::info!("stopped");
    }
}

/// The store of the past, if the config names one.
fn past(config: &Config, lookback_ms: i64, hash_seed: u64) -> Result<Option<Past>, StartError> {
    let past = |history: &config::History| {
        Ok(Past {
            reader: Reader::new(history.store.clone(), hash_seed).map_err(StartError::History)?,
            back_ms: milliseconds(history.backfill),
            lookback_ms,
            step_ms: milliseconds(config.step),
            tried_until: None,
        })
    };
    config.history.as_ref().map(past).transpose()
}

/// The planned work of the config, and what was added to it before this start.
fn maintenance(config: &Config) -> Arc<Registry> {
    let file = config.state.join("maintenance.json");
    Arc::new(Registry::open(config.maintenance.clone(), file, TimestampMs(milliseconds(since_epoch()))))
}

/// Says how long it takes until entities are judged, where only the stream fills the windows.
fn say_warm_up(config: &Config) {
    for detector in &config.detectors {
        let name = detector.schema.detector();
        // An entity is judged once half of its window is filled.
        let window = format_duration(Duration::from_millis(detector.schema.window_ms().unsigned_abs() / 2));
        let model = detector.model.is_none().then(|| format_duration(config.training.warm_up));
        tracing::info!(
            detector = name,
            windows_warm_after = window,
            first_model_after = model,
            "the windows fill from the stream alone; with `history:` they would be full at once"
        );
    }
}

/// Fills the windows if there is something to fill them with, then is ready, and evaluates step after step.
async fn step(mut stepper: Stepper, mut stop: watch::Receiver<bool>, readiness: Readiness) -> Stepper {
    stepper.backfill(&mut stop).await;
    stepper.shards.set_filling(false);
    if !*stop.borrow() {
        readiness.set(true);
        tracing::info!("ready to receive");
        stepper.learn_the_past();
    }
    stepper.run(stop).await
}

/// The detectors of a config, compiled.
fn detectors(config: &Config) -> Result<Vec<Detector>, StartError> {
    let compile = |detector: &crate::config::Detector| {
        let name = detector.schema.detector().to_owned();
        config.compile(detector).map_err(|source| StartError::Detector { detector: name, source })
    };
    config.detectors.iter().map(compile).collect()
}

/// Serves requests to reload, one after the other.
struct Reloader {
    sources: Vec<ModelSource>,
    directory: ModelDirectory,
    models: Arc<LiveModels>,
    candidates: Arc<Candidates>,
    metrics: Arc<Metrics>,
}

impl Reloader {
    async fn run(self, mut requests: mpsc::Receiver<ReloadRequest>) {
        let this = Arc::new(self);
        while let Some(reply) = requests.recv().await {
            let worker = Arc::clone(&this);
            let result = tokio::task::spawn_blocking(move || worker.reload()).await;
            let result = result.unwrap_or_else(|error| Err(format!("reloading broke off: {error}")));
            // Whoever asked may have gone; the result is in the log and in the metrics.
            _ = reply.send(result);
        }
    }

    fn reload(&self) -> Result<(), String> {
        match reload(&self.sources, &self.directory, &self.models) {
            Ok(reloaded) => {
                note_successful_reload(&self.metrics);
                for model in reloaded {
                    tracing::info!(detector = model.detector, version = model.version, "reloaded the model");
                }
                read_candidates(&self.candidates, &self.sources, &self.directory);
                Ok(())
            }
            Err(errors) => {
                self.metrics.model_last_reload_successful.set(0);
                let reason = joined(&errors);
                tracing::error!(reason, "reload failed, every model stays as it was");
                Err(reason)
            }
        }
    }
}

/// Lets the models that are to be tried wait for their trial. One that cannot be tried stops nothing: none of them scores yet.
fn read_candidates(candidates: &Candidates, sources: &[ModelSource], directory: &ModelDirectory) {
    match candidates.read(sources, directory) {
        Ok(refused) => refused.iter().for_each(|RefusedCandidate { detector, version, reason }| {
            tracing::error!(detector, version, reason, "a model that was to be tried is rejected");
        }),
        Err(error) => tracing::error!(%error, "cannot read the models that are to be tried"),
    }
}

fn note_successful_reload(metrics: &Metrics) {
    metrics.model_last_reload_successful.set(1);
    metrics.model_last_reload_success_timestamp.set(since_epoch().as_secs_f64());
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn joined(errors: &[ReloadError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
