//! Samples with timestamps out of text: OpenMetrics 1.0, and Prometheus' text format 0.0.4.
//!
//! ```text
//! line, line, ... -> Exposition --sample--> Recorder --finish--> Recording -> batch a slice of time
//!                    names, labels,          of the series         by series,
//!                    value, time             that are wanted       by time
//! ```
//!
//! It promises:
//! - each line is a sample, says nothing, or is refused with its place; nothing is guessed and nothing passed over in silence;
//! - a sample has the time that stands beside it, to the millisecond, whichever of the two units the text is in;
//! - a recording is the same whatever the order of its lines, as long as no two of them contradict each other; of those that do the first
//!   counts, and the others are counted;
//! - memory is bounded: a line by [`MAX_LINE_BYTES`], a recording by the number of its samples.
//!
//! It keeps no types, help texts or exemplars, and does not read files: lines come in as arguments.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod cursor;

mod error;

mod line;

mod lines;

mod recorder;

mod recording;

#[cfg(test)]
mod tests;

mod time;

pub use error::{ExpositionError, Problem};
pub use lines::{Exposed, Exposition, MAX_LINE_BYTES};
pub use recorder::{Recorder, TooManySamples};
pub use recording::{Recorded, Recording};
pub use time::Unit;
