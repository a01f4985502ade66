//! What a detector looks at: features in their order, the entity's labels, step and window.

use super::{CheckedReading, InvalidReading, METRIC_LABEL, SeriesReading, Zone};
use crate::series::LabelSet;
use std::fmt::Write as _;

/// Limits that keep a hostile model file or a slip in a config from taking the memory. Two statistics of
/// each feature and the calendar must fit the 256 columns of a forest.
const MAX_FEATURES: usize = 126;
const MAX_LABELS: usize = 32;
const MAX_NAME_BYTES: usize = 256;
const MAX_EXPRESSION_BYTES: usize = 16 * 1024;
const MAX_WINDOW_STEPS: usize = 20_160;
const MAX_STEP_MS: i64 = 24 * 3_600_000;
const MAX_UTC_OFFSET_MINUTES: i32 = 24 * 60;

/// One feature: a column of the matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureColumn {
    /// Its name, unique in the schema.
    pub name: String,
    /// The PromQL expression it comes from; empty when it was read from a CSV column.
    pub expression: String,
}

/// A schema as it is written down, unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaSettings {
    /// Name of the detector.
    pub detector: String,
    /// Labels that name an entity.
    pub by: Vec<String>,
    /// Distance of two evaluations.
    pub step_ms: i64,
    /// Length of the feature window, in steps.
    pub window_steps: usize,
    /// What is added to UTC before hour and day are read; 0 beside a time zone.
    pub utc_offset_minutes: i32,
    /// The IANA name of the time zone in which hour and day are read; none for a fixed offset.
    pub time_zone: Option<String>,
    /// The features, in the order of the columns.
    pub features: Vec<FeatureColumn>,
    /// Where every series is an entity with one feature: how it is read. Then no labels name an entity; all do.
    pub series: Option<SeriesReading>,
}

impl Default for SchemaSettings {
    /// One minute a step, half an hour a window, UTC, no features.
    fn default() -> Self {
        Self {
            detector: "default".to_owned(),
            by: vec!["instance".to_owned()],
            step_ms: 60_000,
            window_steps: 30,
            utc_offset_minutes: 0,
            time_zone: None,
            features: Vec::new(),
            series: None,
        }
    }
}

/// A checked schema: at least one feature, unique names, everything within its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureSchema {
    settings: SchemaSettings,
    /// What offset and time zone of the settings amount to.
    zone: Zone,
    series: Option<CheckedReading>,
}

/// Why settings are not a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchema {
    /// No feature, or too many.
    #[error("a detector needs 1 to {MAX_FEATURES} features, this one has {0}")]
    FeatureCount(usize),
    /// A name is empty or too long.
    #[error("{what} name {name:?} must have 1 to {MAX_NAME_BYTES} bytes")]
    Name {
        /// What is named.
        what: &'static str,
        /// The head of the name.
        name: String,
    },
    /// A name occurs twice.
    #[error("{what} {name:?} is listed twice")]
    Repeated {
        /// What is named.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Too many entity labels.
    #[error("an entity is named by at most {MAX_LABELS} labels, not {0}")]
    LabelCount(usize),
    /// An expression is too long.
    #[error("the expression of {feature:?} has {bytes} bytes, at most {MAX_EXPRESSION_BYTES}")]
    ExpressionTooLong {
        /// The feature.
        feature: String,
        /// The expression's length.
        bytes: usize,
    },
    /// The step is not usable.
    #[error("the step must be 1 ms to one day, not {0} ms")]
    Step(i64),
    /// The window is not usable.
    #[error("the window must have 2 to {MAX_WINDOW_STEPS} steps, not {0}")]
    Window(usize),
    /// The offset is longer than a day.
    #[error("the UTC offset must be within a day, not {0} minutes")]
    UtcOffset(i32),
    /// No such time zone, or one beside an offset.
    #[error("{0:?} is no IANA time zone, or a UTC offset stands beside it")]
    TimeZone(String),
    /// Series cannot be read like this.
    #[error(transparent)]
    Reading(#[from] InvalidReading),
    /// Features or entity labels of a detector that has neither.
    #[error("a detector of series has one feature, without an expression, and no labels that name an entity")]
    SeriesWithFeatures,
}

/// The first thing in which two schemas differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaDifference {
    /// The model knows a feature that the other side does not have.
    #[error("feature {0:?} of the model is missing here")]
    Missing(String),
    /// The other side has a feature that the model does not know.
    #[error("feature {0:?} is unknown to the model")]
    Unknown(String),
    /// Both have the same features in a different order.
    #[error("feature {index} is {model:?} in the model and {here:?} here: the order is part of the schema")]
    Order {
        /// Column, from 0.
        index: usize,
        /// Name in the model.
        model: String,
        /// Name on the other side.
        here: String,
    },
    /// A feature has another expression.
    #[error("feature {feature:?} is {model:?} in the model and {here:?} here")]
    Expression {
        /// The feature.
        feature: String,
        /// Expression in the model.
        model: String,
        /// Expression on the other side.
        here: String,
    },
    /// Entities are named by other labels.
    #[error("entities are named by {model:?} in the model and by {here:?} here")]
    By {
        /// Labels in the model.
        model: Vec<String>,
        /// Labels on the other side.
        here: Vec<String>,
    },
    /// Hours are read in another time zone, or in one on one side only.
    #[error("the time zone is {model:?} in the model and {here:?} here")]
    TimeZone {
        /// Time zone in the model; empty for a fixed offset.
        model: String,
        /// Time zone on the other side.
        here: String,
    },
    /// One side judges single series and the other does not.
    #[error("{}", if *.model { "the model judges single series, and here features are joined by labels" }
        else { "the model joins features by labels, and here single series are judged" })]
    Entities {
        /// Whether the model judges single series.
        model: bool,
    },
    /// Other series are counters, or rates have another range.
    #[error("series are read by {model} in the model and by {here} here")]
    Reading {
        /// Counters, gauges and range in the model.
        model: String,
        /// The same on the other side.
        here: String,
    },
    /// Step, window or offset differ.
    #[error("{what} is {model} in the model and {here} here")]
    Setting {
        /// Which setting, with its unit.
        what: &'static str,
        /// Value in the model.
        model: i64,
        /// Value on the other side.
        here: i64,
    },
}

// === impl FeatureSchema ===

impl FeatureSchema {
    /// Checks `settings`.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn new(settings: SchemaSettings) -> Result<Self, InvalidSchema> {
        let features = &settings.features;
        if features.is_empty() || features.len() > MAX_FEATURES {
            return Err(InvalidSchema::FeatureCount(features.len()));
        }
        if settings.by.len() > MAX_LABELS {
            return Err(InvalidSchema::LabelCount(settings.by.len()));
        }
        check_names("detector", std::iter::once(&settings.detector))?;
        check_names("entity label", settings.by.iter())?;
        check_names("feature", features.iter().map(|feature| &feature.name))?;
        if let Some(long) = features.iter().find(|feature| feature.expression.len() > MAX_EXPRESSION_BYTES) {
            let bytes = long.expression.len();
            return Err(InvalidSchema::ExpressionTooLong { feature: long.name.clone(), bytes });
        }
        if !(1..=MAX_STEP_MS).contains(&settings.step_ms) {
            return Err(InvalidSchema::Step(settings.step_ms));
        }
        if !(2..=MAX_WINDOW_STEPS).contains(&settings.window_steps) {
            return Err(InvalidSchema::Window(settings.window_steps));
        }
        if settings.utc_offset_minutes.unsigned_abs() > MAX_UTC_OFFSET_MINUTES.unsigned_abs() {
            return Err(InvalidSchema::UtcOffset(settings.utc_offset_minutes));
        }
        let zone = zone(&settings)?;
        let series = settings.series.clone().map(SeriesReading::check).transpose()?;
        let is_bare = matches!(&features[..], [only] if only.expression.is_empty()) && settings.by.is_empty();
        if series.is_some() && !is_bare {
            return Err(InvalidSchema::SeriesWithFeatures);
        }
        Ok(Self { settings, zone, series })
    }

    /// Name of the detector.
    #[must_use]
    pub fn detector(&self) -> &str {
        &self.settings.detector
    }

    /// Labels that name an entity.
    #[must_use]
    pub fn by(&self) -> &[String] {
        &self.settings.by
    }

    /// Distance of two evaluations.
    #[must_use]
    pub fn step_ms(&self) -> i64 {
        self.settings.step_ms
    }

    /// Length of the feature window in steps.
    #[must_use]
    pub fn window_steps(&self) -> usize {
        self.settings.window_steps
    }

    /// Length of the feature window.
    #[must_use]
    pub fn window_ms(&self) -> i64 {
        self.settings.step_ms.saturating_mul(self.settings.window_steps as i64)
    }

    /// What is added to UTC before hour and day are read.
    #[must_use]
    pub fn utc_offset_minutes(&self) -> i32 {
        self.settings.utc_offset_minutes
    }

    /// The IANA name of the time zone in which hour and day are read; none for a fixed offset.
    #[must_use]
    pub fn time_zone(&self) -> Option<&str> {
        self.settings.time_zone.as_deref()
    }

    /// The local time of hour and day.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The features, in the order of the columns.
    #[must_use]
    pub fn features(&self) -> &[FeatureColumn] {
        &self.settings.features
    }

    /// How series are read, where every one of them is an entity.
    #[must_use]
    pub fn series(&self) -> Option<&CheckedReading> {
        self.series.as_ref()
    }

    /// What a feature of an entity is called: by its column, or, where every series is an entity, by its metric.
    #[must_use]
    pub fn name_of<'a>(&'a self, feature: usize, entity: &'a LabelSet) -> &'a str {
        let metric = self.series.as_ref().and_then(|_| entity.get(METRIC_LABEL));
        metric.unwrap_or(&self.settings.features[feature].name)
    }

    /// Which feature [`Self::name_of`] calls so, if any; where every series is an entity, its only one, whatever the metric.
    #[must_use]
    pub fn place_of(&self, name: &str) -> Option<usize> {
        match self.series {
            Some(_) => Some(0),
            None => self.settings.features.iter().position(|column| column.name == name),
        }
    }

    /// Whether what is called so is the rate of a counter of this name.
    #[must_use]
    pub fn is_rate(&self, name: &str) -> bool {
        self.series.as_ref().is_some_and(|reading| reading.is_counter(name))
    }

    /// A hash of all that decides what a column means: XXH3-64 of [`Self::fingerprint_text`].
    ///
    /// The detector's name is not part of it: renaming a detector changes no input.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(self.fingerprint_text().as_bytes())
    }

    /// The text that is hashed: one `key length:value` a line, the length in bytes, so that no value
    /// can pose as another line. Version 1 of this form never changes; without a time zone it has no line of one, and
    /// lines of series only where each of them is an entity.
    #[must_use]
    pub fn fingerprint_text(&self) -> String {
        let settings = &self.settings;
        let mut text = String::from("emberwatch feature schema 1\n");
        let mut line = |key: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key} {}:{value}", value.len());
        };
        line("step_ms", &settings.step_ms.to_string());
        line("window_steps", &settings.window_steps.to_string());
        line("utc_offset_minutes", &settings.utc_offset_minutes.to_string());
        if let Some(name) = &settings.time_zone {
            line("time_zone", name);
        }
        for label in &settings.by {
            line("by", label);
        }
        for feature in &settings.features {
            line("feature", &feature.name);
            line("expression", &feature.expression);
        }
        if let Some(SeriesReading { counters, gauges, rate_range_ms }) = &settings.series {
            line("series_rate_range_ms", &rate_range_ms.to_string());
            counters.iter().for_each(|pattern| line("series_counter", pattern));
            gauges.iter().for_each(|pattern| line("series_gauge", pattern));
        }
        text
    }

    /// The first thing in which `here` differs from this schema, the model's; `None` when a model
    /// with this schema can score what `here` describes.
    ///
    /// A feature without an expression on either side (read from CSV) matches by its name alone.
    #[must_use]
    pub fn difference(&self, here: &Self) -> Option<SchemaDifference> {
        self.value_difference(here).or_else(|| self.setting_difference(here))
    }

    /// As [`Self::difference`] for a model that looks at the features' values alone: however long windows are
    /// and however far apart the steps.
    #[must_use]
    pub fn value_difference(&self, here: &Self) -> Option<SchemaDifference> {
        self.series_difference(here)
            .or_else(|| self.name_difference(here.features().iter().map(|feature| feature.name.as_str())))
            .or_else(|| self.expression_difference(here))
            .or_else(|| {
                (self.by() != here.by())
                    .then(|| SchemaDifference::By { model: self.by().to_vec(), here: here.by().to_vec() })
            })
    }

    /// The first difference between this schema's feature names and `names`, in their order.
    #[must_use]
    pub fn name_difference<'a>(&self, names: impl Iterator<Item = &'a str>) -> Option<SchemaDifference> {
        let here: Vec<&str> = names.collect();
        let model: Vec<&str> = self.features().iter().map(|feature| feature.name.as_str()).collect();
        if let Some(name) = model.iter().find(|name| !here.contains(name)) {
            return Some(SchemaDifference::Missing((*name).to_owned()));
        }
        if let Some(name) = here.iter().find(|name| !model.contains(name)) {
            return Some(SchemaDifference::Unknown((*name).to_owned()));
        }
        model.iter().zip(&here).position(|(model, here)| model != here).map(|index| SchemaDifference::Order {
            index,
            model: model[index].to_owned(),
            here: here[index].to_owned(),
        })
    }

    fn series_difference(&self, here: &Self) -> Option<SchemaDifference> {
        let (model, here) = match (&self.settings.series, &here.settings.series) {
            (Some(model), Some(here)) => (model, here),
            (None, None) => return None,
            (model, _) => return Some(SchemaDifference::Entities { model: model.is_some() }),
        };
        (model != here)
            .then(|| SchemaDifference::Reading { model: model.to_string(), here: here.to_string() })
    }

    fn expression_difference(&self, here: &Self) -> Option<SchemaDifference> {
        let differing = self.features().iter().zip(here.features()).find(|(model, here)| {
            let stated = !model.expression.is_empty() && !here.expression.is_empty();
            stated && model.expression != here.expression
        });
        differing.map(|(model, here)| SchemaDifference::Expression {
            feature: model.name.clone(),
            model: model.expression.clone(),
            here: here.expression.clone(),
        })
    }

    fn setting_difference(&self, here: &Self) -> Option<SchemaDifference> {
        let (model, here) = (&self.settings, &here.settings);
        let pairs = [
            ("the step in ms", model.step_ms, here.step_ms),
            ("the window in steps", model.window_steps as i64, here.window_steps as i64),
            ("the UTC offset in minutes", model.utc_offset_minutes.into(), here.utc_offset_minutes.into()),
        ];
        if let Some((what, model, here)) = pairs.into_iter().find(|(_, model, here)| model != here) {
            return Some(SchemaDifference::Setting { what, model, here });
        }
        let name = |settings: &SchemaSettings| settings.time_zone.clone().unwrap_or_default();
        (model.time_zone != here.time_zone)
            .then(|| SchemaDifference::TimeZone { model: name(model), here: name(here) })
    }
}

fn zone(settings: &SchemaSettings) -> Result<Zone, InvalidSchema> {
    let Some(name) = &settings.time_zone else { return Ok(Zone::fixed(settings.utc_offset_minutes)) };
    let named = Zone::named(name).filter(|_| settings.utc_offset_minutes == 0);
    named.ok_or_else(|| InvalidSchema::TimeZone(name.chars().take(64).collect()))
}

fn check_names<'a>(what: &'static str, names: impl Iterator<Item = &'a String>) -> Result<(), InvalidSchema> {
    let mut sorted: Vec<&str> = names.map(String::as_str).collect();
    if let Some(name) = sorted.iter().find(|name| name.is_empty() || name.len() > MAX_NAME_BYTES) {
        return Err(InvalidSchema::Name { what, name: name.chars().take(64).collect() });
    }
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(InvalidSchema::Repeated { what, name: pair[0].to_owned() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
