//! Simulated machines with known faults: samples as Prometheus would scrape them, and the truth beside them.
//!
//! ```text
//! schedule (seed) --> faults --+--> fleet --> scraped samples      what a detector sees
//!                              +--> labels                         what it is judged by
//! ```
//!
//! Pure and seeded: the same seed, start and faults give the same samples to the last bit. Nothing here knows a
//! detector, and no size of an effect was chosen by what one finds: a [`fault::Strength`] is a share of what the machine has left.
//! `docs/fault-simulator.md` is the definition in words, with its sources. Two users: the demo plays a calm fleet
//! ([`fleet::Fleet::new`]), and the table of faults in `docs/quality.md` is measured on one with the everyday
//! life of production ([`fleet::Fleet::with_routine`]).

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod fault;

pub mod fleet;

pub mod schedule;
