//! What tests against real peers share: finding and running them, talking HTTP to them, and
//! writing samples to them.

pub(crate) mod http;

pub(crate) mod peers;

pub(crate) mod process;

pub(crate) mod remote_write;
