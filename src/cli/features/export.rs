//! `emberwatch features export`: the rows of a detector as CSV.

use super::{StoreArgs, layout, read, remark, shown};
use crate::{
    cli::{instant, progress_of_rows},
    features::{CALENDAR_COLUMNS, InputLayout, Statistic},
    series::LabelSet,
};
use anyhow::{Context as _, anyhow};
use std::{
    io::{Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
};

/// Write the rows of a detector as CSV: timestamp, entity, and what a model reads of each feature.
///
/// A row has eight columns for each feature, as they are after the windows: NAME_value (at the step), NAME_mean, NAME_max, NAME_spread,
/// NAME_trend (over the window), NAME_deviation (last three steps against the window before), NAME_short (mean of the last three steps),
/// NAME_jump (value against the window before); then sine and cosine of the hour of the day and of the day of the week. An empty cell is a
/// missing value. That is no table for `train`, which makes the windows itself: with --values there is one column a feature, its value at
/// the step, under its own name, as `extract` writes it; but rows are a sample of the steps.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// Whose rows
    #[arg(long, value_name = "NAME")]
    detector: String,

    /// Where the table is written
    #[arg(long, value_name = "FILE.csv")]
    out: PathBuf,

    /// Only the values of the features at the steps, for `inspect` and notebooks
    #[arg(long)]
    values: bool,
}

/// Writes the rows, by time, then entity.
///
/// # Errors
/// When there are none, they cannot be read, or the file cannot be written.
pub fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let journals = args.store.journals(Some(&args.detector))?;
    let (detector, file) = journals.into_iter().next().context("no rows")?;
    let stored = read(detector, file)?;
    let (header, journal) = stored.journal.map_err(|damage| anyhow!("{}: {damage}", shown(&stored.file)))?;
    let (layout, names) = layout(header, &journal);
    let columns = if args.values { value_columns(layout, names) } else { all_columns(layout, &names) };

    let mut rows: Vec<_> = journal
        .gathered
        .rows
        .iter()
        .flat_map(|(entity, own)| own.iter().map(move |(at, values)| (*at, entity, values)))
        .collect();
    // Stable: the entities ascend already.
    rows.sort_by_key(|(at, _, _)| *at);
    let unwritable = || format!("cannot write {}", args.out.display());
    let bar = progress_of_rows(rows.len(), "writing");
    let mut csv = csv::Writer::from_path(&args.out).with_context(unwritable)?;
    let write = |csv: &mut csv::Writer<std::fs::File>| {
        csv.write_record(
            ["timestamp", "entity"].into_iter().chain(columns.iter().map(|(name, _)| name.as_str())),
        )?;
        for (at, entity, values) in &rows {
            csv.write_field(instant(*at))?;
            csv.write_field(name(entity))?;
            for (_, column) in &columns {
                csv.write_field(cell(values[*column]))?;
            }
            csv.write_record(None::<&[u8]>)?;
            bar.inc(1);
        }
        csv.flush()?;
        csv::Result::Ok(())
    };
    write(&mut csv).with_context(unwritable)?;
    bar.finish_and_clear();
    let mut out = stdout().lock();
    writeln!(out, "wrote {} rows of {} columns to {}", rows.len(), columns.len(), args.out.display())?;
    if let Some(remark) = remark(&journal.end) {
        writeln!(out, "{remark}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The value of each feature, under its name.
fn value_columns(layout: InputLayout, names: Vec<String>) -> Vec<(String, usize)> {
    let column = |(feature, name)| (name, layout.column(feature, Statistic::Value));
    names.into_iter().enumerate().map(column).collect()
}

/// Every column of a row, in its order.
fn all_columns(layout: InputLayout, names: &[String]) -> Vec<(String, usize)> {
    const CALENDAR: [&str; CALENDAR_COLUMNS] = ["hour_sin", "hour_cos", "weekday_sin", "weekday_cos"];
    let of_feature = |(feature, name): (usize, &String)| {
        Statistic::ALL
            .map(|statistic| (format!("{name}_{}", word(statistic)), layout.column(feature, statistic)))
    };
    let calendar = CALENDAR.into_iter().map(str::to_owned).zip(layout.calendar()..);
    names.iter().enumerate().flat_map(of_feature).chain(calendar).collect()
}

fn word(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Value => "value",
        Statistic::Mean => "mean",
        Statistic::Max => "max",
        Statistic::Spread => "spread",
        Statistic::Trend => "trend",
        Statistic::Deviation => "deviation",
        Statistic::Short => "short",
        Statistic::Jump => "jump",
    }
}

/// An entity of one label by its value, as tables have it; one of several by all of them.
fn name(entity: &LabelSet) -> String {
    let mut labels = entity.iter();
    match (labels.next(), labels.next()) {
        (Some(only), None) => only.value.to_owned(),
        _ => entity.to_string(),
    }
}

/// The shortest number that is read back as the same bits.
fn cell(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_where_the_model_reads_them() {
        let layout = InputLayout { n_features: 2 };
        let names = ["a".to_owned(), "b".to_owned()];
        let all = all_columns(layout, &names);
        assert!(all.iter().map(|(_, column)| *column).eq(0..layout.n_columns()));
        assert_eq!(
            (all[0].0.as_str(), all[7].0.as_str(), all[8].0.as_str()),
            ("a_value", "a_jump", "b_value")
        );
        assert_eq!(all[16].0, "hour_sin");
        assert_eq!(value_columns(layout, names.to_vec()), [("a".to_owned(), 0), ("b".to_owned(), 8)]);
    }

    #[test]
    fn entities_are_named_as_in_tables() {
        let one = LabelSet::from_pairs([("instance", "a:9100")]).unwrap();
        let two = LabelSet::from_pairs([("instance", "a"), ("job", "b")]).unwrap();
        assert_eq!((name(&one), name(&two)), ("a:9100".to_owned(), two.to_string()));
        assert_eq!((cell(f64::NAN), cell(0.1)), (String::new(), "0.1".to_owned()));
    }
}
