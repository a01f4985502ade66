//! Models that wait for their trial beside the one in use.

use super::{ModelDirectory, ModelSource, StoredVersion, reload::read_model};
use crate::model::Model;
use std::{
    collections::BTreeMap,
    fs, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// At most one model a detector: whoever brings a newer one before the trial of the older has begun means that one.
///
/// What waits here or is on trial lies on disk as well ([`ModelDirectory::nominate`]), so that a trial that a restart broke off begins again.
#[derive(Debug, Default)]
pub struct Candidates {
    waiting: Mutex<BTreeMap<String, Arc<Model>>>,
}

/// A candidate that cannot be tried; it is among the rejected now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedCandidate {
    /// Its detector.
    pub detector: String,
    /// Its version.
    pub version: String,
    /// Why not, in words.
    pub reason: String,
}

// === impl Candidates ===

impl Candidates {
    /// Takes the candidates that lie on disk. Those that cannot be used are put among the rejected, with the reason; one that is in use already is
    /// taken away. Blocking: it reads files.
    ///
    /// # Errors
    /// When the folder of a detector cannot be read or written.
    pub fn read(
        &self,
        sources: &[ModelSource],
        directory: &ModelDirectory,
    ) -> io::Result<Vec<RefusedCandidate>> {
        let mut refused = Vec::new();
        // A model that the config names by its file has no successors.
        for source in sources.iter().filter(|source| source.fixed.is_none()) {
            let detector = source.schema.detector();
            let Some(StoredVersion { name, file, .. }) = directory.candidate(detector)? else { continue };
            if directory.current(detector)?.is_some_and(|current| current.file_name() == file.file_name()) {
                directory.withdraw(detector, &name)?;
                continue;
            }
            match read_model(&file, &source.schema) {
                Ok(model) => self.offer(detector, Arc::new(model)),
                Err(error) => {
                    let reason = error.to_string();
                    directory.reject(detector, &name, &fs::read(&file)?, &reason)?;
                    directory.withdraw(detector, &name)?;
                    refused.push(RefusedCandidate { detector: detector.to_owned(), version: name, reason });
                }
            }
        }
        Ok(refused)
    }

    /// Lets a model wait for its trial, in the place of one that waited.
    pub fn offer(&self, detector: &str, model: Arc<Model>) {
        self.lock().insert(detector.to_owned(), model);
    }

    /// Lets a model that was taken wait again, unless a newer one does by now.
    pub fn give_back(&self, detector: &str, model: Arc<Model>) {
        self.lock().entry(detector.to_owned()).or_insert(model);
    }

    /// The model of `detector` that waits; it waits no longer.
    #[must_use]
    pub fn take(&self, detector: &str) -> Option<Arc<Model>> {
        self.lock().remove(detector)
    }

    /// Forgets a version that waits: its trial is over.
    pub fn forget(&self, detector: &str, version: &str) {
        let mut waiting = self.lock();
        if waiting.get(detector).is_some_and(|model| model.version() == version) {
            waiting.remove(detector);
        }
    }
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Model>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        calibrate::Thresholds,
        features::{FeatureColumn, FeatureSchema, InputLayout, SchemaSettings},
        score::iforest::Hyperparams,
        series::{LabelSet, TimestampMs},
        train::{TrainSettings, TrainingRows, fit},
    };
    use ndarray::Array2;

    fn schema(feature: &str) -> FeatureSchema {
        let features = vec![FeatureColumn { name: feature.to_owned(), expression: feature.to_owned() }];
        let settings = SchemaSettings { detector: "node".to_owned(), features, ..SchemaSettings::default() };
        FeatureSchema::new(settings).unwrap()
    }

    fn model(feature: &str, version: &str) -> Model {
        let schema = schema(feature);
        let columns = InputLayout { n_features: 1 }.n_columns();
        let rows = TrainingRows {
            entities: vec![LabelSet::from_pairs([("instance", "a")]).unwrap()],
            at: (0..300).map(|step| TimestampMs(step * schema.step_ms())).collect(),
            entity_of: vec![0; 300],
            values: Array2::from_shape_fn((300, columns), |(row, column)| ((row * 7 + column) % 11) as f64),
        };
        let settings = TrainSettings {
            hyperparams: Hyperparams { n_trees: 5, ..Hyperparams::default() },
            contamination: 0.0,
            thresholds: Thresholds::default(),
            forget_after: None,
            drifted: None,
            version: version.to_owned(),
            created_at: TimestampMs(0),
        };
        fit(schema, &rows, &settings).unwrap()
    }

    struct Site {
        _root: tempfile::TempDir,
        directory: ModelDirectory,
        sources: Vec<ModelSource>,
        candidates: Candidates,
    }

    impl Site {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let directory = ModelDirectory::new(root.path(), 3);
            let sources = vec![ModelSource { schema: schema("cpu"), fixed: None }];
            Self { _root: root, directory, sources, candidates: Candidates::default() }
        }

        fn read(&self) -> Vec<RefusedCandidate> {
            self.candidates.read(&self.sources, &self.directory).unwrap()
        }
    }

    #[test]
    fn what_lies_on_disk_waits_until_it_is_taken() {
        let site = Site::new();
        assert_eq!(site.read(), []);
        site.directory.nominate("node", "v2", &model("cpu", "v2").encode().unwrap()).unwrap();
        assert_eq!(site.read(), []);
        let taken = site.candidates.take("node").unwrap();
        assert_eq!(taken.version(), "v2");
        assert!(site.candidates.take("node").is_none());
        // It lies there until its trial is over, so a look meanwhile finds it again, and it is not tried twice.
        assert_eq!(site.read(), []);
        site.candidates.forget("node", "v2");
        assert!(site.candidates.take("node").is_none());

        // Somebody brings a newer one while the first waits on.
        site.candidates.offer("node", Arc::new(model("cpu", "v3")));
        site.candidates.give_back("node", taken);
        assert_eq!(site.candidates.take("node").unwrap().version(), "v3");
    }

    #[test]
    fn what_cannot_be_tried_is_rejected_with_the_reason() {
        let site = Site::new();
        for (bytes, reason) in [
            (b"no model".to_vec(), "v2.ewm"),
            (model("memory", "v2").encode().unwrap(), "it is for another schema"),
        ] {
            site.directory.nominate("node", "v2", &bytes).unwrap();
            let [refused] = &site.read()[..] else { panic!("one is refused") };
            assert!(refused.reason.contains(reason), "{refused:?}");
            assert!(site.candidates.take("node").is_none());
            assert_eq!(site.directory.candidate("node").unwrap(), None);
            assert_eq!(site.directory.rejected("node").unwrap()[0].reason, refused.reason);
        }
    }

    /// A crash between putting it in use and taking it away.
    #[test]
    fn what_is_in_use_already_is_not_tried() {
        let site = Site::new();
        let bytes = model("cpu", "v2").encode().unwrap();
        site.directory.publish("node", "v2", &bytes).unwrap();
        site.directory.nominate("node", "v2", &bytes).unwrap();
        assert_eq!(site.read(), []);
        assert!(site.candidates.take("node").is_none());
        assert_eq!(site.directory.candidate("node").unwrap(), None);
    }

    #[test]
    fn a_detector_with_a_fixed_model_tries_none() {
        let mut site = Site::new();
        site.sources[0].fixed = Some("fixed.ewm".into());
        site.directory.nominate("node", "v2", &model("cpu", "v2").encode().unwrap()).unwrap();
        assert_eq!(site.read(), []);
        assert!(site.candidates.take("node").is_none());
    }
}
