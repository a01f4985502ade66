//! The config file: from YAML to checked settings.
//!
//! Only this module knows YAML. Every field has a default that works, so the empty file is a valid
//! config; what is wrong is reported all at once, each problem with its line, its path and what to
//! write instead. Keys are Prometheus' own wherever the idea is the same. `docs/configuration.md`
//! lists every key. It reads no file itself, and nothing it returns needs to be checked again.

mod alerts;

mod budget;

mod calendar;

mod check;

mod detectors;

mod features;

mod history;

mod http_client;

mod maintenance;

mod problem;

mod remote_write;

mod rules;

mod section;

mod series;

mod settings;

mod training;

mod units;

mod yaml;

pub use budget::format_rate;
pub use problem::{Position, Problem, Problems};
pub use settings::{Config, Detector, History, Models, Storage, Training};
pub use units::{format_duration, format_size, parse_duration};

/// Reads and checks a config.
///
/// # Errors
/// Every problem found, in the order of the text; at least one.
pub fn parse(text: &str) -> Result<Config, Problems> {
    let root = yaml::parse(text).map_err(|problem| Problems(vec![problem]))?;
    let notes = section::Notes::default();
    let config = check::config(section::Section::new(&root, String::new(), &notes));
    let mut problems = notes.into_inner();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => {
            problems.sort_by_key(|problem| problem.at);
            Err(Problems(problems))
        }
    }
}

#[cfg(test)]
mod tests;
