//! What tests against running processes share: finding and running peers and the sidecar, talking HTTP
//! to them, writing samples to them, reading their metrics.

#![allow(dead_code, reason = "shared by several test binaries, and each uses its part")]

pub(crate) mod exporter;

pub(crate) mod http;

pub(crate) mod metrics;

pub(crate) mod noise;

pub(crate) mod peers;

pub(crate) mod process;

pub(crate) mod prometheus;

pub(crate) mod python;

pub(crate) mod remote_write;
