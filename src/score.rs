//! Detectors: from a row of numbers to a number that grows with strangeness.
//!
//! Three kinds live here. [`iforest`] is the Isolation Forest of Liu, Ting and Zhou; [`nearest`] the distance to
//! the nearest of a few ordinary rows; [`deviation`] turns
//! the robust deviations of all features into a few order statistics, so that a forest sees *one*
//! extreme feature among many, which it hardly does in the raw row.
//!
//! Promised: the same rows, settings and seed give the same numbers to the last bit, whatever the
//! batch size or the number of threads. Scores have no unit and no common scale; `calibrate` gives
//! them a meaning.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod deviation;

pub mod iforest;

pub mod nearest;
