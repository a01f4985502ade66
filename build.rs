//! Generates the protobuf types from `proto/`, without a system `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    // Remote-Write 1.0 and 2.0: plain messages, no services.
    generate(&["remote.proto", "write_v2.proto"])?;
    // The payload of a model file, for `src/model/encoding.rs`.
    generate(&["model.proto"])?;
    // The records of a feature store, for `src/train/journal.rs`.
    generate(&["features.proto"])?;
    // What a forest needs of the ONNX format, for `src/model/onnx.rs`.
    generate(&["onnx.proto"])?;
    // The gRPC interface, for `src/api/grpc.rs`; the client is for its callers, over any connection.
    let descriptors = protox::compile(["emberwatch.proto"], ["proto"])?;
    tonic_prost_build::configure().build_transport(false).btree_map(".").compile_fds(descriptors)?;
    Ok(())
}

fn generate(files: &[&str]) -> Result<(), Box<dyn Error>> {
    let descriptors = protox::compile(files, ["proto"])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
