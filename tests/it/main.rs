//! All integration tests, in one binary: one link, one support library.
//!
//! Tests against real peers (Prometheus, Alertmanager, ...) find their binaries through
//! `support::peers` and say so when they skip. (`cfg(test)` always holds here; it tells clippy that
//! helpers are test code as well.)

#[cfg(test)]
mod alerts;

#[cfg(test)]
mod annotations;

#[cfg(test)]
mod backtest;

#[cfg(test)]
mod drift;

#[cfg(test)]
mod evaluate_command;

#[cfg(test)]
mod exposition;

#[cfg(test)]
mod extract;

#[cfg(test)]
mod history;

#[cfg(test)]
mod planned;

#[cfg(test)]
mod promql_corpus;

#[cfg(test)]
mod promql_native;

#[cfg(test)]
mod promql_prometheus;

#[cfg(test)]
mod query_api;

#[cfg(test)]
mod read_api;

#[cfg(test)]
mod remote_read;

#[cfg(test)]
mod replay_determinism;

#[cfg(test)]
mod scikit_learn;

#[cfg(test)]
mod season;

#[cfg(test)]
mod series_kinds;

#[cfg(test)]
mod succession;

#[cfg(test)]
#[path = "../support/support.rs"]
mod support;

#[cfg(test)]
mod validate;

#[cfg(test)]
mod writeback_prometheus;

#[cfg(test)]
mod writeback_receiver;
