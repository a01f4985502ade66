//! The walk against the generated types: on real requests of each sender, on random valid messages,
//! on damaged ones, and on noise.
//!
//! [`disagreement`] compares everything: series, labels, samples to the bit, counts, reasons. It
//! names the two differences that are wanted.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail the test")]

#[path = "wire_reference/captured.rs"]
mod captured;

#[path = "wire_reference/messages.rs"]
mod messages;

#[path = "wire_reference/random.rs"]
mod random;
