//! `emberwatch features`: what detectors gathered to train on, one file a subcommand.

pub mod export;

pub mod show;

use super::{progress, read_config};
use crate::{
    feature_store,
    features::{InputLayout, Statistic},
    train::journal::{self, Damage, End, Header, Journal},
};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Show and export the rows that detectors gathered to train on.
#[derive(Debug, Args)]
pub struct FeaturesArgs {
    #[command(subcommand)]
    command: FeaturesCommand,
}

#[derive(Debug, Subcommand)]
enum FeaturesCommand {
    Show(show::ShowArgs),
    Export(export::ExportArgs),
}

/// Where the rows are.
#[derive(Debug, Args)]
struct StoreArgs {
    /// Where the rows are: training.path of the config [default: features]
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    path: Option<PathBuf>,

    /// The config file that says where the rows are
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The journal of a detector.
struct Stored {
    detector: String,
    file: PathBuf,
    bytes: u64,
    /// Or why there is none.
    journal: Result<(Header, Journal), Damage>,
}

/// Runs the chosen subcommand.
///
/// # Errors
/// With what went wrong, to be shown to the user.
pub fn run(args: &FeaturesArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        FeaturesCommand::Show(args) => show::run(args),
        FeaturesCommand::Export(args) => export::run(args),
    }
}

// === impl StoreArgs ===

impl StoreArgs {
    fn folder(&self) -> anyhow::Result<PathBuf> {
        match (&self.path, &self.config) {
            (Some(path), _) => Ok(path.clone()),
            (None, None) => Ok(feature_store::Config::default().path),
            (None, Some(file)) => {
                let store = read_config(Some(file))?.training.store;
                let none = || format!("{}: training.store is false, no rows are kept", file.display());
                Ok(store.with_context(none)?.path)
            }
        }
    }

    /// The journals there, or that of one detector; at least one.
    fn journals(&self, detector: Option<&str>) -> anyhow::Result<Vec<(String, PathBuf)>> {
        let folder = self.folder()?;
        let unreadable = || format!("cannot read the feature store {}", folder.display());
        let mut journals = feature_store::journals(&folder).with_context(unreadable)?;
        let names: Vec<&str> = journals.iter().map(|(name, _)| name.as_str()).collect();
        let have = if names.is_empty() {
            "there are none".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        };
        if let Some(detector) = detector {
            journals.retain(|(name, _)| name == detector);
        }
        match (journals.is_empty(), detector) {
            (true, Some(detector)) => {
                bail!("no rows of detector {detector:?} in {}: {have}", folder.display())
            }
            (true, None) => bail!("no rows in {} yet", folder.display()),
            (false, _) => Ok(journals),
        }
    }
}

/// Reads a journal, also one that a sidecar writes to.
fn read(detector: String, file: PathBuf) -> anyhow::Result<Stored> {
    let journal = || {
        let source = File::open(&file)?;
        let bytes = source.metadata()?.len();
        let bar = progress(std::slice::from_ref(&file));
        let mut source = BufReader::with_capacity(1 << 16, bar.wrap_read(source));
        let journal = match journal::read_header(&mut source)? {
            Ok(header) => Ok((header, journal::read(header, source)?)),
            Err(damage) => Err(damage),
        };
        bar.finish_and_clear();
        std::io::Result::Ok((bytes, journal))
    };
    let (bytes, journal) = journal().with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Stored { detector, file, bytes, journal })
}

/// What is behind the last whole write, in words.
fn remark(end: &End) -> Option<String> {
    match end {
        End::Whole => None,
        End::Torn { bytes } => {
            Some(format!("{bytes} bytes of a write that goes on, or was broken off, are left out"))
        }
        End::Damaged(damage) => Some(format!("damaged: {damage}; what is behind it is left out")),
    }
}

/// The features of a journal by name, as far as it names them, and where their columns are.
fn layout(header: Header, journal: &Journal) -> (InputLayout, Vec<String>) {
    let n_features = header.n_columns / Statistic::ALL.len();
    let names = (0..n_features).map(|feature| {
        journal.about.features.get(feature).cloned().unwrap_or_else(|| format!("feature {}", feature + 1))
    });
    (InputLayout { n_features }, names.collect())
}

/// `path` for people.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
