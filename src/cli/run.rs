//! `emberwatch run`: the sidecar.

use super::read_config;
use crate::{
    app::{Options, Sidecar},
    config::{self, Config},
    query,
    server::ListenAddress,
    telemetry::{self, LogFormat, LogSettings},
};
use anyhow::Context as _;
use clap::Args;
use std::{
    hash::{BuildHasher as _, RandomState},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;

/// Run the sidecar (the default): take remote_write, score every step, write the scores back
///
/// SIGHUP reloads the models, SIGTERM and SIGINT stop after the queued scores are written back.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// The config file; without it the defaults hold: node_exporter's metrics, no write-back
    #[arg(long = "config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,

    /// Address to listen on for remote_write, the API and metrics
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = ":9201")]
    listen_address: ListenAddress,

    /// Allow reloading by POST /-/reload
    #[arg(long = "web.enable-lifecycle")]
    enable_lifecycle: bool,

    #[command(flatten)]
    query: QueryArgs,

    /// Least level that is logged: error, warn, info, debug or trace
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    log_level: LevelFilter,

    /// How log lines look: text or json
    #[arg(long = "log.format", value_name = "FORMAT", default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// What queries of the API may cost. Names and defaults are Prometheus' own.
#[derive(Args, Clone, Debug)]
struct QueryArgs {
    /// Queries of the API that run at once; the others wait for their turn
    #[arg(long = "query.max-concurrency", value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    max_concurrency: u16,

    /// Samples that one query may hold in memory
    #[arg(long = "query.max-samples", value_name = "N", default_value_t = 50_000_000)]
    max_samples: usize,

    /// Longest time for one query
    #[arg(long = "query.timeout", value_name = "DURATION", default_value = "2m", value_parser = duration)]
    timeout: Duration,

    /// How old the newest sample of a series may be to count
    #[arg(long = "query.lookback-delta", value_name = "DURATION", default_value = "5m", value_parser = duration)]
    lookback: Duration,
}

impl QueryArgs {
    fn limits(&self) -> query::Limits {
        let Self { max_concurrency, max_samples, timeout, lookback } = *self;
        query::Limits { max_concurrency: usize::from(max_concurrency), max_samples, timeout, lookback }
    }
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    config::parse_duration(text).ok_or("write a duration such as 30s, 2m or 1h30m")
}

/// Runs the sidecar until it is told to stop.
///
/// # Errors
/// When the config is wrong or the sidecar cannot start.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    telemetry::init_log(LogSettings { level: args.log_level, format: args.log_format });
    let config = read_config(args.config_file.as_deref())?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(serve(config, args))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config, args: &RunArgs) -> anyhow::Result<()> {
    // Before the start, so that a signal during it is not lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let options = Options {
        listen: args.listen_address.clone(),
        enable_lifecycle: args.enable_lifecycle,
        query: args.query.limits(),
        hash_seed: RandomState::new().hash_one("series"),
    };
    let sidecar = Sidecar::start(config, options).await?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                // What is wrong has been logged where it was found.
                _ = sidecar.reload().await;
            }
        }
    }
    tracing::info!("stopping");
    sidecar.stop().await;
    Ok(())
}
