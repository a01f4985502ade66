//! From expression results to the numbers a detector reads.
//!
//! At every step the results of the feature expressions are joined into one [`FeatureMatrix`]
//! (entity x feature). [`FeatureWindows`] remembers the last steps of every entity and turns them
//! into [`Inputs`]: value, mean, max, spread, trend and deviation of every feature, and the hour of
//! the day and the day of the week. The stream and the CSV files of `train` and `score` go through
//! the same code, so a backtest is production.
//!
//! What is promised: a missing value is NaN from end to end, never a zero; every statistic is
//! calculated anew from the values in the window, oldest first, so it does not depend on when the
//! process started beyond the window. What is not done here: scaling (the model's part) and
//! evaluating the expressions (`promql`).

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod gate;

mod holidays;

mod inputs;

mod matrix;

mod preset;

mod schema;

mod season;

mod series;

mod window;

mod zone;

pub use gate::{Direction, Gate, InvalidGate, InvalidRange, OrdinaryRange, ValidRange};
pub use holidays::{Holiday, Holidays, InvalidHoliday};
pub use inputs::{CALENDAR_COLUMNS, InputLayout, Inputs, Statistic};
pub use matrix::{FeatureMatrix, join};
pub use preset::{
    DEFAULT_RATE_INTERVAL, PRESETS, Preset, PresetFeature, RATE_INTERVAL, preset, with_rate_interval,
};
pub use schema::{FeatureColumn, FeatureSchema, InvalidSchema, SchemaDifference, SchemaSettings};
pub use season::{Calendar, DayKind, Hour, SeasonSettings, SeasonalBaselines, SeasonalInputs, Usual};
pub use series::{CheckedReading, InvalidReading, METRIC_LABEL, SERIES_FEATURE, SeriesReading};
pub use window::{FeatureWindows, SHORT_STEPS, StepBackwards};
pub use zone::{LocalTime, Zone};
