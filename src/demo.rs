//! The demo.

pub mod faults;

pub mod fleet;
