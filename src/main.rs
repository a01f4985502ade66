//! The `emberwatch` binary.

use clap::Parser as _;
use emberwatch::cli::Cli;
use std::{
    io::{Write as _, stderr},
    process::ExitCode,
};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(|error| {
        // Nothing is left to do when not even this can be written.
        let _ = writeln!(stderr(), "error: {error:#}");
        ExitCode::FAILURE
    })
}
