//! Reading models from disk: all of them or none.

use super::{LiveModels, ModelDirectory};
use crate::{features::FeatureSchema, model::Model};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where the model of a detector comes from.
#[derive(Clone, Debug)]
pub struct ModelSource {
    /// What the detector looks at; the model must look at the same.
    pub schema: FeatureSchema,
    /// A file that the config names; `None`: the current version in the model directory, if any.
    pub fixed: Option<PathBuf>,
}

/// Why a model was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The pointer to the current version is unusable.
    #[error("detector {detector:?}: {source}")]
    Pointer {
        /// The detector.
        detector: String,
        /// What is wrong.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("detector {detector:?}: cannot read {}: {source}", file.display())]
    Read {
        /// The detector.
        detector: String,
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is no model, or a damaged one, or for another schema.
    #[error("detector {detector:?}: {}: {reason}", file.display())]
    Unusable {
        /// The detector.
        detector: String,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A model that a reload put in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// The detector.
    pub detector: String,
    /// Version of its model.
    pub version: String,
}

/// Reads and checks the model of every source, then swaps them all in.
///
/// A detector without a model on disk keeps what it has. Blocking: it reads files.
///
/// # Errors
/// Every model that could not be taken; then nothing has changed.
pub fn reload(
    sources: &[ModelSource],
    directory: &ModelDirectory,
    live: &LiveModels,
) -> Result<Vec<Reloaded>, Vec<ReloadError>> {
    let mut models = Vec::new();
    let mut errors = Vec::new();
    for source in sources {
        match read(source, directory) {
            Ok(model) => models.extend(model.map(|model| (source.schema.detector(), model))),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let swap = |(detector, model): (&str, Model)| {
        let version = model.version().to_owned();
        live.swap(detector, Arc::new(model));
        Reloaded { detector: detector.to_owned(), version }
    };
    Ok(models.into_iter().map(swap).collect())
}

fn read(source: &ModelSource, directory: &ModelDirectory) -> Result<Option<Model>, ReloadError> {
    let detector = source.schema.detector();
    let current = || {
        let pointer = |source| ReloadError::Pointer { detector: detector.to_owned(), source };
        directory.current(detector).map_err(pointer)
    };
    let Some(file) = source.fixed.clone().map_or_else(current, |file| Ok(Some(file)))? else {
        return Ok(None);
    };
    read_model(&file, &source.schema).map(Some)
}

/// A model file for a detector with this schema.
pub(super) fn read_model(file: &Path, schema: &FeatureSchema) -> Result<Model, ReloadError> {
    let (detector, file) = (schema.detector().to_owned(), file.to_owned());
    let bytes = match fs::read(&file) {
        Ok(bytes) => bytes,
        Err(source) => return Err(ReloadError::Read { detector, file, source }),
    };
    let model = match Model::decode(&bytes) {
        Ok(model) => model,
        Err(error) => return Err(ReloadError::Unusable { detector, file, reason: error.to_string() }),
    };
    match model.difference(schema) {
        None => Ok(model),
        Some(difference) => {
            let reason = format!("it is for another schema: {difference}");
            Err(ReloadError::Unusable { detector, file, reason })
        }
    }
}
