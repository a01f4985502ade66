//! The models that score now.

use crate::model::Model;
use arc_swap::ArcSwapOption;
use std::{collections::BTreeMap, sync::Arc};

/// One pointer a detector, swapped whole. A step loads each pointer once, so no step is scored by
/// two models and a swap never waits.
#[derive(Debug, Default)]
pub struct LiveModels {
    by_detector: BTreeMap<String, ArcSwapOption<Model>>,
}

impl LiveModels {
    /// Places for these detectors, empty.
    #[must_use]
    pub fn new<'a>(detectors: impl IntoIterator<Item = &'a str>) -> Self {
        let place = |name: &str| (name.to_owned(), ArcSwapOption::empty());
        Self { by_detector: detectors.into_iter().map(place).collect() }
    }

    /// The model of `detector`, if it has one.
    #[must_use]
    pub fn load(&self, detector: &str) -> Option<Arc<Model>> {
        self.by_detector.get(detector).and_then(ArcSwapOption::load_full)
    }

    /// Puts `model` in place for the steps to come; detectors that do not exist are passed over.
    pub fn swap(&self, detector: &str, model: Arc<Model>) {
        if let Some(place) = self.by_detector.get(detector) {
            place.store(Some(model));
        }
    }
}
