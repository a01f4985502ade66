//! `emberwatch features show`: how many rows there are, of when, and what is in them.

use super::{StoreArgs, Stored, layout, read, remark, shown};
use crate::{
    cli::{instant, number::short},
    config::format_size,
    features::Statistic,
    series::TimestampMs,
    train::journal::{End, Header, Journal},
};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    io::{Write as _, stdout},
    process::ExitCode,
};

/// Show what detectors gathered to train on: how many rows, of which time, and for each feature the range of its values.
///
/// A sidecar may be running. Ends with 1 where a journal is damaged.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// Only this detector
    #[arg(long, value_name = "NAME")]
    detector: Option<String>,

    /// The same as JSON
    #[arg(long)]
    json: bool,
}

/// What is said of a journal.
struct Facts {
    rows: usize,
    entities: usize,
    first: Option<TimestampMs>,
    last: Option<TimestampMs>,
    last_training: Option<TimestampMs>,
    features: Vec<FeatureFacts>,
}

/// The values of a feature at the steps of the rows.
struct FeatureFacts {
    name: String,
    /// Least, middle and largest, where there is any.
    range: Option<[f64; 3]>,
    /// Share of the rows without one.
    missing: f64,
}

/// Prints what is in the journals.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let mut is_damaged = false;
    let (mut text, mut all) = (String::new(), Vec::new());
    for (detector, file) in args.store.journals(args.detector.as_deref())? {
        let stored = read(detector, file)?;
        is_damaged |= match &stored.journal {
            Ok((_, journal)) => matches!(journal.end, End::Damaged(_)),
            Err(_) => true,
        };
        if args.json {
            all.push(as_json(&stored));
        } else {
            // Writing to a String cannot fail.
            _ = write!(text, "{}{}", if text.is_empty() { "" } else { "\n" }, as_text(&stored));
        }
    }
    let mut out = stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)?;
    } else {
        write!(out, "{text}")?;
    }
    Ok(if is_damaged { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn as_text(stored: &Stored) -> String {
    let mut text = format!("{}: {}\n", stored.detector, shown(&stored.file));
    let mut line = |name: &str, value: &str| _ = writeln!(text, "  {name:<14} {value}");
    line("size", &format_size(stored.bytes));
    let (header, journal) = match &stored.journal {
        Ok(journal) => journal,
        Err(damage) => {
            line("damaged", &damage.to_string());
            return text;
        }
    };
    let facts = Facts::of(*header, journal);
    line("rows", &format!("{} of {} entities", facts.rows, facts.entities));
    if let (Some(first), Some(last)) = (facts.first, facts.last) {
        line("from", &instant(first));
        line("to", &instant(last));
    }
    line("last training", &facts.last_training.map_or_else(|| "none yet".to_owned(), instant));
    line("schema", &format!("{:016x}, {} columns a row", header.fingerprint, header.n_columns));
    if let Some(remark) = remark(&journal.end) {
        line("remark", &remark);
    }
    let widest = facts.features.iter().map(|feature| feature.name.chars().count()).max().unwrap_or(0).max(7);
    _ = writeln!(
        text,
        "\n  {:<widest$}  {:>10}  {:>10}  {:>10}  {:>8}",
        "FEATURE", "MIN", "MEDIAN", "MAX", "MISSING"
    );
    for feature in &facts.features {
        let [min, median, max] =
            feature.range.map_or_else(|| ["-"; 3].map(str::to_owned), |range| range.map(short));
        let missing = format!("{:.1} %", feature.missing * 100.0);
        _ = writeln!(text, "  {:<widest$}  {min:>10}  {median:>10}  {max:>10}  {missing:>8}", feature.name);
    }
    text
}

fn as_json(stored: &Stored) -> Value {
    let (header, journal) = match &stored.journal {
        Ok(journal) => journal,
        Err(damage) => {
            return json!({
                "detector": stored.detector,
                "file": shown(&stored.file),
                "bytes": stored.bytes,
                "remark": damage.to_string(),
            });
        }
    };
    let facts = Facts::of(*header, journal);
    let feature = |feature: &FeatureFacts| {
        let [min, median, max] = feature.range.map_or([None; 3], |range| range.map(Some));
        json!({ "name": feature.name, "min": min, "median": median, "max": max, "missing": feature.missing })
    };
    json!({
        "detector": stored.detector,
        "file": shown(&stored.file),
        "bytes": stored.bytes,
        "rows": facts.rows,
        "entities": facts.entities,
        "first": facts.first.map(instant),
        "last": facts.last.map(instant),
        "last_training": facts.last_training.map(instant),
        "fingerprint": format!("{:016x}", header.fingerprint),
        "columns": header.n_columns,
        "remark": remark(&journal.end),
        "features": facts.features.iter().map(feature).collect::<Vec<_>>(),
    })
}

// === impl Facts ===

impl Facts {
    fn of(header: Header, journal: &Journal) -> Self {
        let gathered = &journal.gathered;
        let (layout, names) = layout(header, journal);
        let rows = || gathered.rows.iter().flat_map(|(_, own)| own);
        let feature = |(number, name): (usize, String)| {
            let column = layout.column(number, Statistic::Value);
            let values = rows().map(|(_, columns)| columns[column]).filter(|value| !value.is_nan());
            FeatureFacts::of(name, values.collect(), gathered.n_rows())
        };
        Self {
            rows: gathered.n_rows(),
            entities: gathered.rows.len(),
            first: rows().map(|(at, _)| *at).min(),
            last: rows().map(|(at, _)| *at).max(),
            last_training: gathered.state.last_job,
            features: names.into_iter().enumerate().map(feature).collect(),
        }
    }
}

// === impl FeatureFacts ===

impl FeatureFacts {
    /// Of two in the middle the larger one is the median.
    fn of(name: String, mut values: Vec<f64>, rows: usize) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let missing = if rows == 0 { 0.0 } else { (rows - values.len()) as f64 / rows as f64 };
        let range = match values.as_slice() {
            [] => None,
            [min, .., max] => Some([*min, values[values.len() / 2], *max]),
            [only] => Some([*only; 3]),
        };
        Self { name, range, missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_has_a_range_and_a_share_of_missing_values() {
        let facts = |values: &[f64], rows| {
            let facts = FeatureFacts::of("f".to_owned(), values.to_vec(), rows);
            (facts.range, facts.missing)
        };
        assert_eq!(facts(&[3.0, -1.0, 2.0], 4), (Some([-1.0, 2.0, 3.0]), 0.25));
        assert_eq!(facts(&[4.0, 1.0], 2), (Some([1.0, 4.0, 4.0]), 0.0));
        assert_eq!(facts(&[7.0], 1), (Some([7.0; 3]), 0.0));
        assert_eq!((facts(&[], 5), facts(&[], 0)), ((None, 1.0), (None, 0.0)));
    }
}
