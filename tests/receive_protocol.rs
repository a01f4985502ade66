//! The receiver and the endpoints beside it, through a real socket; HTTP/1.1 byte by byte.
//!
//! Tests are named after the lines of the Remote-Write specifications that they hold; behind the
//! receiver stand the real window stores.

#[cfg(test)]
#[path = "receive_protocol/harness.rs"]
mod harness;

#[cfg(test)]
#[path = "receive_protocol/messages.rs"]
mod messages;

#[cfg(test)]
#[path = "receive_protocol/negotiation.rs"]
mod negotiation;

#[cfg(test)]
#[path = "receive_protocol/outcomes.rs"]
mod outcomes;

#[cfg(test)]
#[path = "receive_protocol/limits.rs"]
mod limits;

#[cfg(test)]
#[path = "receive_protocol/connections.rs"]
mod connections;

#[cfg(test)]
#[path = "receive_protocol/endpoints.rs"]
mod endpoints;

#[cfg(test)]
#[path = "receive_protocol/grpc.rs"]
mod grpc;

#[cfg(test)]
#[path = "receive_protocol/maintenance.rs"]
mod maintenance;
