//! New models: fitted on a thread of their own, tried beside the one in use, put in its place or kept as rejected.
//!
//! Which step is the first that a model scores is decided by the pipeline, in the time of the data; here is the thread, the disk, the log.

use super::stepper::Stepper;
use crate::{
    model::Model,
    pipeline::{TrainingJob, TrialEnd},
    series::TimestampMs,
    telemetry::{DetectorOutcomeLabels, Metrics},
    train::TrainError,
};
use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc, thread, time::Instant};
use tokio::sync::oneshot;

/// How much the thread gives way to others, as `nice`.
const NICENESS: i32 = 10;

/// The models that are being fitted, by detector.
#[derive(Debug, Default)]
pub(super) struct Trainings {
    running: BTreeMap<String, oneshot::Receiver<Fitted>>,
}

/// What came of a training.
#[derive(Debug)]
struct Fitted {
    rows: usize,
    seconds: f64,
    model: Result<Model, TrainError>,
}

// === impl Trainings ===

impl Trainings {
    /// Fits a model on a thread of its own, which gives way to everything else.
    pub(super) fn begin(&mut self, job: TrainingJob, metrics: &Metrics) {
        let detector = job.detector().to_owned();
        metrics.set_training_state(&detector, "training");
        let rows = job.row_count();
        let (reply, fitted) = oneshot::channel();
        let fit = move || {
            give_way();
            let begun = Instant::now();
            let model = job.run();
            // Nobody waits for it any more when the process stops.
            _ = reply.send(Fitted { rows, seconds: begun.elapsed().as_secs_f64(), model });
        };
        match thread::Builder::new().name("training".to_owned()).spawn(fit) {
            Ok(_) => _ = self.running.insert(detector, fitted),
            // Its absence is what whoever waits for it finds.
            Err(error) => tracing::error!(detector, %error, "no thread to train a model on"),
        }
    }

    /// Whether a model of `detector` is being fitted.
    pub(super) fn is_training(&self, detector: &str) -> bool {
        self.running.contains_key(detector)
    }

    /// The model of `detector`, once it is fitted; none where that failed.
    async fn finish(&mut self, detector: &str) -> Option<Model> {
        let Some(Ok(Fitted { rows, seconds, model })) = (match self.running.remove(detector) {
            Some(fitted) => Some(fitted.await),
            None => None,
        }) else {
            tracing::error!(detector, "training broke off, the old model stays");
            return None;
        };
        match model {
            Ok(model) => {
                tracing::info!(
                    detector,
                    version = model.version(),
                    rows,
                    seconds,
                    "trained a model from the stream"
                );
                Some(model)
            }
            Err(error) => {
                tracing::warn!(detector, rows, %error, "training failed, the old model stays");
                None
            }
        }
    }
}

/// Lowers the priority of this thread; where that is not allowed it runs as all do.
pub(super) fn give_way() {
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), NICENESS) {
        tracing::debug!(%error, "the training thread keeps its priority");
    }
}

// === impl Stepper ===

impl Stepper {
    /// Ends the trials that are over before step `at` is judged, and hands over the models that must be there; waits for those that are
    /// not fitted yet.
    pub(super) async fn succeed(&mut self, at: TimestampMs) {
        let models = Arc::clone(&self.models);
        for end in self.evaluator.ended_trials(at, |detector| models.load(detector)) {
            self.end_trial(end).await;
            self.show_models();
        }
        for detector in self.evaluator.awaited_before(at) {
            let candidate = self.trainings.finish(&detector).await.map(Arc::new);
            if candidate.is_none() {
                self.count_model(&detector, "failed");
            }
            let live = self.models.load(&detector);
            match (self.evaluator.deliver(&detector, candidate.clone(), live.as_deref()), candidate) {
                (Some(model), _) => self.put_in_use(&detector, model).await,
                (None, Some(candidate)) => self.on_trial(&detector, candidate).await,
                (None, None) => {}
            }
            self.show_models();
        }
        self.take_lessons();
        self.nominate(at).await;
    }

    /// Begins the trials of models that wait for one, where nothing else is tried.
    async fn nominate(&mut self, at: TimestampMs) {
        let detectors: Vec<String> = self.evaluator.judges().map(|judge| judge.name().to_owned()).collect();
        for detector in detectors {
            let Some(candidate) = self.candidates.take(&detector) else { continue };
            let live = self.models.load(&detector);
            match self.evaluator.nominate(&detector, Arc::clone(&candidate), live.as_deref(), at) {
                Ok(Some(model)) => self.put_in_use(&detector, model).await,
                Ok(None) => self.on_trial(&detector, candidate).await,
                // What is under way ends first.
                Err(candidate) => self.candidates.give_back(&detector, candidate),
            }
            self.show_models();
        }
    }

    /// Keeps a model on disk whose trial has begun: should this process end, the next one tries it again.
    async fn on_trial(&self, detector: &str, model: Arc<Model>) {
        let version = model.version();
        tracing::info!(detector, version, "the new model is on trial beside the one in use");
        let directory = self.directory.clone();
        self.on_disk(detector, model, move |detector, version, bytes| {
            directory.nominate(detector, version, bytes)
        })
        .await;
    }

    /// Does what came of a trial.
    async fn end_trial(&mut self, end: TrialEnd) {
        let detector = end.model.schema().detector().to_owned();
        let version = end.model.version().to_owned();
        let TrialEnd { candidate, live, .. } = end;
        let rows = candidate.rows + candidate.alert_rows;
        tracing::info!(
            detector,
            version,
            rows,
            medium = candidate.medium,
            medium_live = live.medium,
            alert_rows = candidate.alert_rows,
            seen = candidate.seen,
            seen_live = live.seen,
            "the trial of the new model is over"
        );
        match end.outcome {
            Ok(()) => self.put_in_use(&detector, end.model).await,
            Err(reason) => {
                let reason = reason.to_string();
                tracing::warn!(detector, version, reason, "the new model is rejected, the old one stays");
                self.count_model(&detector, "rejected");
                let directory = self.directory.clone();
                self.on_disk(&detector, end.model, move |detector, version, bytes| {
                    let file = directory.reject(detector, version, bytes, &reason)?;
                    directory.withdraw(detector, version).map(|()| file)
                })
                .await;
            }
        }
        self.candidates.forget(&detector, &version);
    }

    async fn put_in_use(&mut self, detector: &str, model: Arc<Model>) {
        self.count_model(detector, "in_use");
        let directory = self.directory.clone();
        self.on_disk(detector, Arc::clone(&model), move |detector, version, bytes| {
            let file = directory.publish(detector, version, bytes)?;
            directory.withdraw(detector, version).map(|()| file)
        })
        .await;
        self.models.swap(detector, model);
    }

    /// Writes a model by `write`, on a thread that may wait for the disk.
    async fn on_disk(
        &self,
        detector: &str,
        model: Arc<Model>,
        write: impl FnOnce(&str, &str, &[u8]) -> io::Result<PathBuf> + Send + 'static,
    ) {
        let owner = detector.to_owned();
        let saved = tokio::task::spawn_blocking(move || {
            let bytes = model.encode().map_err(|error| error.to_string())?;
            write(&owner, model.version(), &bytes).map_err(|error| error.to_string())
        });
        match saved.await {
            Ok(Ok(file)) => tracing::info!(detector, file = %file.display(), "saved the model"),
            Ok(Err(error)) => {
                tracing::error!(detector, error, "cannot save the model, it will be lost at the next start");
            }
            Err(error) => tracing::error!(detector, %error, "saving the model broke off"),
        }
    }

    pub(super) fn count_model(&self, detector: &str, outcome: &'static str) {
        let labels = DetectorOutcomeLabels { detector: detector.to_owned(), outcome };
        self.metrics.models_trained.get_or_create(&labels).inc();
    }
}
