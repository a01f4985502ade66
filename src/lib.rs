//! Emberwatch: an anomaly-detection sidecar for Prometheus.
//!
//! It takes a `remote_write` stream, keeps rolling windows in memory, scores every entity at every
//! step with an Isolation Forest, and writes `anomaly_score` and `anomaly_severity` back by
//! `remote_write`, so that plain Alertmanager rules do the alerting.
//!
//! ```text
//! Prometheus --remote_write--> receive -> wire -> window        raw samples, minutes deep
//!                                                   |  every step, at the time of the data
//!                                                 promql        instant query at T
//!                                                   |
//!                                                 features      one vector per entity, hours deep
//!                                                   |
//!                                                 score         isolation forest
//!                                                   |
//!                                                 calibrate     raw score -> tail probability -> severity
//!                                                   |
//!                                                 explain       contributions, sentence
//!                                                   |
//! Prometheus <--remote_write-- writeback            |           + api (HTTP, gRPC)
//! ```
//!
//! The modules stand in the order in which a sample travels. Words first, then the pure core (no
//! clock, file, socket or unseeded randomness: bytes, timestamps and seeds are arguments), then the
//! IO shell. Dependencies point one way; `tests/architecture.rs` holds the table.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

// --- words ---

pub mod series;

// --- pure core ---

pub mod wire;

pub mod exposition;

pub mod window;

pub mod promql;

pub mod features;

pub mod score;

pub mod calibrate;

pub mod explain;

pub mod model;

pub mod train;

pub mod evaluate;

pub mod inspect;

pub mod pipeline;

pub mod simulate;

// --- IO shell ---

pub mod telemetry;

pub mod files;

pub mod feature_store;

pub mod client;

pub mod config;

pub mod shards;

pub mod metadata;

pub mod maintenance;

pub mod receive;

pub mod writeback;

pub mod history;

pub mod table;

pub mod query;

pub mod api;

pub mod server;

pub mod lifecycle;

pub mod app;

pub mod demo;

pub mod cli;
