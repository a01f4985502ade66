//! `emberwatch model show`: what stands in a model file.

use super::facts::Facts;
use crate::cli::{read_model, svg};
use anyhow::Context as _;
use std::{
    fs,
    io::{Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
};

/// Show what stands in a model file: when and from what it was made, its parts, and for each feature its importance
/// and its range in normal operation.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The model file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The same as JSON
    #[arg(long)]
    json: bool,

    /// Also draw the importance of the features
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
}

/// Widest bar of the table, in characters.
const BAR: f64 = 24.0;

/// Prints the model.
///
/// # Errors
/// When the file is no model, or nothing can be written.
pub fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let (model, bytes) = read_model(&args.file)?;
    let facts = Facts::of(&model, bytes);
    let mut out = stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &facts.json())?;
        writeln!(out)?;
    } else {
        writeln!(out, "{}", args.file.display())?;
        for (name, value) in facts.lines() {
            writeln!(out, "  {name:<14} {value}")?;
        }
        writeln!(out)?;
        write!(out, "{}", table(&facts))?;
    }
    if let Some(path) = &args.svg {
        let title = format!("Importance of the features of {}", facts.version);
        let bars: Vec<(&str, f64)> =
            facts.features.iter().map(|feature| (feature.name.as_str(), feature.importance)).collect();
        fs::write(path, svg::bars(&title, &bars))
            .with_context(|| format!("cannot write {}", path.display()))?;
        if !args.json {
            writeln!(out, "\nimportance drawn to {}", path.display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(facts: &Facts) -> String {
    let widest = facts.features.iter().map(|feature| feature.name.chars().count()).max().unwrap_or(0).max(7);
    let largest = facts.features.iter().map(|feature| feature.importance).fold(0.0, f64::max);
    let mut text = format!(
        "  {:<widest$}  {:<32}  {:<26}  EXPRESSION\n",
        "FEATURE", "IMPORTANCE", "IN NORMAL OPERATION"
    );
    for feature in &facts.features {
        let length = if largest > 0.0 { (feature.importance / largest * BAR).round() as usize } else { 0 };
        let importance = format!("{:>5.1} % {}", feature.importance * 100.0, "█".repeat(length));
        let line = format!(
            "  {:<widest$}  {importance:<32}  {:<26}  {}",
            feature.name,
            feature.expected_text(),
            feature.expression
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
