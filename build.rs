//! Compiles the protocol buffer files in `proto/`, without a system `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    compile_model()
}

/// The payload of a model file, for `src/model/encoding.rs`.
fn compile_model() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto/model.proto");
    let descriptors = protox::compile(["model.proto"], ["proto"])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
