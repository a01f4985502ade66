//! `emberwatch demo`: the whole loop in a terminal, with nothing else installed.

use crate::{
    app::{self, Options},
    config::{self, format_duration},
    demo::{
        self, BoxError, Settings, Sidecar, SidecarSettings,
        screen::{Mode, Screen},
    },
    query,
    telemetry::{self, LogSettings},
};
use clap::Args;
use std::{
    env,
    io::{self, IsTerminal},
    path::Path,
    process::ExitCode,
    time::Duration,
};
use tracing::level_filters::LevelFilter;

/// Size of a terminal that does not say its size.
const WIDTH: usize = 80;
const HEIGHT: usize = 24;

/// Show the whole loop, with nothing else installed: a simulated fleet with injected faults, watched by a real sidecar.
///
/// Simulated nodes with node_exporter's metrics send Remote-Write over loopback to a sidecar in this
/// process. It learns from the first simulated day, then faults are injected, and the terminal
/// shows which node is anomalous, how rare that is, why, and since when. At the end: how many faults
/// were found, missed, and how many false alarms there were.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct DemoArgs {
    /// Number of simulated nodes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=200))]
    nodes: u16,

    /// Seed of everything random: nodes, noise, faults, forest.
    #[arg(long, default_value_t = 42)]
    seed: u64,

    /// Simulated days without faults, to learn from.
    #[arg(long, default_value_t = 1.0, value_parser = parse_days)]
    training_days: f64,

    /// Simulated days with faults, after the training days.
    #[arg(long, default_value_t = 1.0, value_parser = parse_days)]
    days: f64,

    /// Number of faults to inject; as many as fit into the days.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=1000))]
    faults: u16,

    /// Seconds that the demo takes; 0 is as fast as it goes.
    #[arg(long, value_name = "SECONDS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    duration: u64,

    /// One line an event instead of a table; the default when the output is not a terminal.
    #[arg(long)]
    plain: bool,
}

/// Plays the demo on standard output.
///
/// # Errors
/// When a part of it fails to start or breaks; the result of a weak detector is not an error.
pub fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    telemetry::init_log(LogSettings { level: LevelFilter::WARN, ..LogSettings::default() });
    let stdout = io::stdout();
    let mode = if args.plain || !stdout.is_terminal() {
        Mode::Lines
    } else {
        Mode::Table { width: size("COLUMNS", WIDTH), height: size("LINES", HEIGHT) }
    };
    // Models of simulated machines are of no use to anybody afterwards.
    let models = tempfile::tempdir()?;
    let start = async |settings: SidecarSettings| start_sidecar(&settings, models.path()).await;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(demo::run(&args.settings(), Screen::new(stdout, mode), start))?;
    Ok(ExitCode::SUCCESS)
}

/// The sidecar as anybody would run it, from a config, on a free loopback port.
async fn start_sidecar(settings: &SidecarSettings, models: &Path) -> Result<Sidecar, BoxError> {
    let config = config::parse(&sidecar_config(settings, models))?;
    let options = Options {
        listen: "127.0.0.1:0".parse()?,
        enable_lifecycle: false,
        query: query::Limits::default(),
        hash_seed: settings.seed,
    };
    let sidecar = app::Sidecar::start(config, options).await?;
    let base_url = format!("http://{}", sidecar.address());
    Ok(Sidecar { base_url, stop: Box::pin(sidecar.stop()) })
}

fn sidecar_config(settings: &SidecarSettings, models: &Path) -> String {
    let SidecarSettings { remote_write_url, step, training, seed } = settings;
    format!(
        "step: {}
remote_write:
  - url: {remote_write_url}
models:
  path: {models:?}
training:
  warm_up: {}
  seed: {seed}
  store: false
detectors:
  - name: node
    preset: node_exporter
    window: 30m
  - name: http
    preset: http
    window: 30m
",
        format_duration(*step),
        format_duration(*training),
    )
}

impl DemoArgs {
    fn settings(&self) -> Settings {
        Settings {
            n_nodes: usize::from(self.nodes),
            seed: self.seed,
            training_days: self.training_days,
            days: self.days,
            n_faults: usize::from(self.faults),
            duration: Duration::from_secs(self.duration),
        }
    }
}

/// A number of days, more than zero and at most a year.
fn parse_days(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(days) if days > 0.0 && days <= 366.0 => Ok(days),
        Ok(days) => Err(format!("{days} is not more than 0 and at most 366")),
        Err(error) => Err(error.to_string()),
    }
}

fn size(variable: &str, otherwise: usize) -> usize {
    let told = env::var(variable).ok().and_then(|text| text.parse().ok());
    told.filter(|n| *n > 0).unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Debug, Parser)]
    #[command(name = "demo")]
    struct Demo {
        #[command(flatten)]
        args: DemoArgs,
    }

    #[test]
    fn the_flags_hold_together() {
        Demo::command().debug_assert();
    }

    #[test]
    fn the_help_says_what_everything_is_for() {
        let help = Demo::command().term_width(100).render_long_help().to_string();
        insta::assert_snapshot!(help, @r"
        Show the whole loop, with nothing else installed: a simulated fleet with injected faults, watched by
        a real sidecar.

        Simulated nodes with node_exporter's metrics send Remote-Write over loopback to a sidecar in this
        process. It learns from the first simulated day, then faults are injected, and the terminal shows
        which node is anomalous, how rare that is, why, and since when. At the end: how many faults were
        found, missed, and how many false alarms there were.

        Usage: demo [OPTIONS]

        Options:
              --nodes <NODES>
                  Number of simulated nodes
                  
                  [default: 10]

              --seed <SEED>
                  Seed of everything random: nodes, noise, faults, forest
                  
                  [default: 42]

              --training-days <TRAINING_DAYS>
                  Simulated days without faults, to learn from
                  
                  [default: 1]

              --days <DAYS>
                  Simulated days with faults, after the training days
                  
                  [default: 1]

              --faults <FAULTS>
                  Number of faults to inject; as many as fit into the days
                  
                  [default: 10]

              --duration <SECONDS>
                  Seconds that the demo takes; 0 is as fast as it goes
                  
                  [default: 100]

              --plain
                  One line an event instead of a table; the default when the output is not a terminal

          -h, --help
                  Print help (see a summary with '-h')
        ");
    }

    #[test]
    fn the_default_is_ten_nodes_for_two_days_in_a_hundred_seconds() {
        let settings = Demo::try_parse_from(["demo"]).unwrap().args.settings();
        let expected = Settings {
            n_nodes: 10,
            seed: 42,
            training_days: 1.0,
            days: 1.0,
            n_faults: 10,
            duration: Duration::from_secs(100),
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn what_cannot_be_played_is_refused() {
        for bad in [["--nodes", "0"], ["--days", "0"], ["--days", "NaN"], ["--training-days", "400"]] {
            assert!(Demo::try_parse_from(["demo"].into_iter().chain(bad)).is_err(), "{bad:?}");
        }
    }
}
