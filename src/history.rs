//! The past of series, read from the store that has it: Prometheus, Thanos, Mimir, VictoriaMetrics.
//!
//! ```text
//! selectors, range -> Slices --range, range, ...--> Reader --request--> store
//!                        |                            remote read (chunks or samples), or queries
//!                        +<------ a batch a slice <-----+
//! ```
//!
//! It promises:
//! - what is read of a slice is whole, sample by sample what the store has, or an error: an answer that breaks off halfway leaves nothing
//!   behind and is asked for again;
//! - memory is bounded by the samples of a slice: one that holds more than wished is cut in half;
//! - a store that is away or busy is asked again with growing pauses, for a limited time; one that refuses is not.
//!
//! It does not know what the samples are for, and keeps nothing between two slices but where it stands: whoever goes on from an
//! instant that was reached gets the same as if nothing had broken off.

mod config;

mod error;

mod promql;

mod reader;

mod remote_read;

mod slices;

pub use config::{Api, Config, InvalidConfig, Settings};
pub use error::HistoryError;
pub use reader::{Counts, Found, Reader};
pub use slices::{Slice, Slices};
