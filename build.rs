//! Generates the protobuf types from `proto/`, without a system `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    generate_wire_types()
}

/// Remote-Write 1.0 and 2.0: plain messages, no services.
fn generate_wire_types() -> Result<(), Box<dyn Error>> {
    let files = protox::compile(["remote.proto", "write_v2.proto"], ["proto"])?;
    prost_build::Config::new().compile_fds(files)?;
    Ok(())
}
