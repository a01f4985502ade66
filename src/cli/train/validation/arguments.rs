//! How a user asks for a validation.

use super::{Outcome, page, report};
use anyhow::{Context as _, bail};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// Share of the time of the rows that is validated where there are labels and nothing else is said.
const DEFAULT_SHARE: f64 = 0.2;

/// Whether and how a model is validated before it is kept; docs/evaluate.md says what the figures mean.
#[derive(Debug, clap::Args)]
pub(in crate::cli::train) struct ValidateArgs {
    /// With --config: train on the earlier rows first, judge the last SHARE of their time by that model as a running sidecar would, and
    /// say how good it was; 0: not at all [default: 0.2 with labels, else 0]
    #[arg(long, requires = "config", value_name = "SHARE", value_parser = parse_share)]
    validate: Option<f64>,

    /// With --config: when which entity was in an incident. A CSV file with the columns from,to, or timestamp,label as for evaluate, and
    /// optionally entity. Incidents are not trained on, ten minutes before to half an hour after (`alerts:` in the config)
    #[arg(long, requires = "config", value_name = "FILE")]
    labels: Option<PathBuf>,

    /// With --config: alerts in the store or the files are the labels, read as the sidecar reads them (`alerts:` in the config)
    #[arg(long, requires = "config", conflicts_with = "labels")]
    labels_from_alerts: bool,

    /// Which model is kept after a validation
    #[arg(long = "final", requires = "config", value_name = "ROWS", default_value = "all")]
    kept: Final,

    /// Write all figures of the validation to this file, as JSON
    #[arg(long, requires = "config", value_name = "FILE.json")]
    json: Option<PathBuf>,

    /// Write a page with plots of it to this file
    #[arg(long, requires = "config", value_name = "FILE.html")]
    html: Option<PathBuf>,

    /// Write the scores of the validated rows to this file, with their alarms and labels
    #[arg(long, requires = "config", value_name = "FILE.csv")]
    scores: Option<PathBuf>,
}

/// Which rows the model that is kept was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli::train) enum Final {
    /// one that is trained on all rows, with the same settings
    All,
    /// the one that was validated
    Train,
}

// === impl ValidateArgs ===

impl ValidateArgs {
    /// The share that is validated; none where nothing is.
    ///
    /// # Errors
    /// When something is to be written of a validation that is not made.
    pub(in crate::cli::train) fn share(&self) -> anyhow::Result<Option<f64>> {
        let is_labelled = self.labels.is_some() || self.labels_from_alerts;
        let share = self.validate.unwrap_or(if is_labelled { DEFAULT_SHARE } else { 0.0 });
        let is_told = self.json.is_some() || self.html.is_some() || self.scores.is_some();
        if share == 0.0 && is_told {
            bail!(
                "--json, --html and --scores tell of a validation, and there is none: give --validate 0.2, or labels"
            );
        }
        Ok((share > 0.0).then_some(share))
    }

    pub(in crate::cli::train) fn labels(&self) -> Option<&Path> {
        self.labels.as_deref()
    }

    pub(in crate::cli::train) fn labels_from_alerts(&self) -> bool {
        self.labels_from_alerts
    }

    pub(in crate::cli::train) fn kept(&self) -> Final {
        self.kept
    }

    /// Prints what was found, and writes what was asked for.
    pub(in crate::cli::train) fn write(&self, outcome: &Outcome, out: &mut impl Write) -> anyhow::Result<()> {
        write!(out, "{}", report::text(outcome))?;
        let mut write_to = |path: &Path, text: &str| {
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
            writeln!(out, "written to {}", path.display())?;
            anyhow::Ok(())
        };
        if let Some(path) = &self.json {
            write_to(path, &(serde_json::to_string_pretty(&report::json(outcome))? + "\n"))?;
        }
        if let Some(path) = &self.html {
            write_to(path, &page::html(outcome)?)?;
        }
        if let Some(path) = &self.scores {
            report::scores(outcome, path)?;
            writeln!(out, "written to {}", path.display())?;
        }
        Ok(())
    }
}

fn parse_share(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok().filter(|share: &f64| (0.0..=0.9).contains(share));
    share.ok_or("write a share from 0 to 0.9, such as 0.2")
}
