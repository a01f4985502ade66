//! `emberwatch model diff`: how two models differ.

use super::facts::{Facts, FeatureFacts};
use crate::cli::read_model;
use std::{
    io::{Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
};

/// Show how two models differ: a line for everything that is not the same. The exit code is 1 where they differ.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// The one model file
    #[arg(value_name = "A")]
    a: PathBuf,

    /// The other one
    #[arg(value_name = "B")]
    b: PathBuf,
}

/// Shares of importance closer than this are the same.
const SAME_SHARE: f64 = 0.005;

/// Compares the models and prints what differs.
///
/// # Errors
/// When a file is no model, or nothing can be written.
pub fn run(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let ((a, a_bytes), (b, b_bytes)) = (read_model(&args.a)?, read_model(&args.b)?);
    let differences = differences(&Facts::of(&a, a_bytes), &Facts::of(&b, b_bytes));
    let mut out = stdout().lock();
    if differences.is_empty() {
        writeln!(out, "no difference")?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in &differences {
        writeln!(out, "{line}")?;
    }
    if let Some(difference) = a.difference(b.schema()) {
        writeln!(out, "\nneither can take the place of the other: {difference}")?;
    }
    Ok(ExitCode::FAILURE)
}

fn differences(a: &Facts, b: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    let names = a.lines().map(|(name, _)| name);
    let only_in_b = b.lines().map(|(name, _)| name).filter(|name| a.line(name).is_none());
    for name in names.chain(only_in_b) {
        let (a, b) = (a.line(name).unwrap_or("none"), b.line(name).unwrap_or("none"));
        if a != b {
            lines.push(format!("{name}: {a} -> {b}"));
        }
    }
    for feature in &a.features {
        match b.feature(&feature.name) {
            Some(other) => lines.extend(feature_difference(feature, other)),
            None => lines.push(format!("feature {}: only in the first", feature.name)),
        }
    }
    let only_in_b = b.features.iter().filter(|feature| a.feature(&feature.name).is_none());
    lines.extend(only_in_b.map(|feature| format!("feature {}: only in the second", feature.name)));
    lines
}

fn feature_difference(a: &FeatureFacts, b: &FeatureFacts) -> Option<String> {
    let mut changes = Vec::new();
    if a.expression != b.expression {
        changes.push(format!("{:?} -> {:?}", a.expression, b.expression));
    }
    if (a.importance - b.importance).abs() >= SAME_SHARE {
        let (from, to) = (a.importance * 100.0, b.importance * 100.0);
        changes.push(format!("importance {from:.1} % -> {to:.1} %"));
    }
    let (from, to) = (a.expected_text(), b.expected_text());
    if from != to {
        changes.push(format!("in normal operation {from} -> {to}"));
    }
    (!changes.is_empty()).then(|| format!("feature {}: {}", a.name, changes.join("; ")))
}
