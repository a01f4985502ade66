//! The decoder, rule by rule, on bytes written by hand.
//!
//! The letters in the test names are the lines of our protocol checklist: A for Remote-Write 1.0, B
//! for 2.0 (and A where 2.0 shares the rule).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail the test")]

#[path = "wire_rules/amplification.rs"]
mod amplification;

#[path = "wire_rules/metadata.rs"]
mod metadata;

#[path = "wire_rules/outcome.rs"]
mod outcome;

#[path = "wire_rules/protobuf_bytes.rs"]
mod protobuf_bytes;

#[path = "wire_rules/v1.rs"]
mod v1;

#[path = "wire_rules/v2.rs"]
mod v2;
