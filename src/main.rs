//! The `emberwatch` binary.

fn main() {}
