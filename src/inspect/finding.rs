//! What to worry about.

use super::{Column, MAX_DAYS, Times};

/// A share of rows or values from which on something is worth a word.
const WORTH_A_WORD: f64 = 0.001;
/// A feature of which more is missing is of little use.
const MOSTLY_MISSING: f64 = 0.5;
/// Fewer rows than these of an entity make no model of it.
const LEAST_ROWS_AN_ENTITY: u64 = 128;
/// Unix time 946,684,800: what lies before the year 2000 was not measured by anybody.
const YEAR_2000_MS: i64 = 946_684_800_000;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concern {
    /// Training on it would learn something wrong, or nothing.
    Error,
    /// Part of the data is lost, or may not mean what it seems to.
    Warning,
    /// Good to know.
    Note,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub concern: Concern,
    /// The feature that it is about; none: the rows.
    pub feature: Option<String>,
    /// What was found, with the numbers that prove it.
    pub what: String,
    /// What to do about it.
    pub hint: &'static str,
}

// === impl Concern ===

impl Concern {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Everything, the worst first; of equal ones rows before features, features in their order.
pub(super) fn find(
    rows: u64,
    n_entities: usize,
    times: &Times,
    beyond_days: u64,
    columns: &[Column],
) -> Vec<Finding> {
    let mut found = Vec::new();
    of_rows(&mut found, rows, n_entities, times);
    of_clock(&mut found, times);
    if beyond_days > 0 {
        let what = format!("{beyond_days} rows lie outside of the {MAX_DAYS} days that came first");
        let hint = "they are counted, and not among the days";
        found.push(Finding { concern: Concern::Note, feature: None, what, hint });
    }
    for column in columns {
        of_column(&mut found, column);
    }
    found.sort_by_key(|finding| finding.concern);
    found
}

fn of_rows(found: &mut Vec<Finding>, rows: u64, n_entities: usize, times: &Times) {
    let mut say = |concern, what, hint| found.push(Finding { concern, feature: None, what, hint });
    if rows < LEAST_ROWS_AN_ENTITY.saturating_mul(n_entities.max(1) as u64) {
        let what = format!("{rows} rows of {n_entities} entities");
        say(Concern::Error, what, "a model knows an entity from 128 rows on");
    }
    for (n, what, hint) in [
        (
            times.unreadable,
            "cannot be read: their time, or their number of cells, is wrong",
            "times are Unix seconds or milliseconds, RFC 3339, or a date and time in UTC; such rows are left out",
        ),
        (
            times.repeated,
            "repeat the time of the entity's row before",
            "keep one of them; rows of different machines need a column \"entity\"; training refuses such a table",
        ),
        (
            times.backwards,
            "lie before the entity's row above",
            "sort the rows of each entity by time; training refuses such a table",
        ),
    ] {
        if n > 0 {
            say(Concern::Error, format!("{n} of {} rows {what}", rows + times.unreadable), hint);
        }
    }
    let lost = times.missing_rows as f64 / (rows + times.missing_rows).max(1) as f64;
    if times.gaps > 0 {
        let what = format!("{} gaps, {} rows that are not there", times.gaps, times.missing_rows);
        let concern = if lost >= WORTH_A_WORD { Concern::Warning } else { Concern::Note };
        say(concern, what, "windows begin anew behind a gap that is longer than half of a window");
    }
    if times.off_step as f64 >= WORTH_A_WORD * rows as f64 && times.off_step > 0 {
        let what = format!(
            "{} distances of two rows are no multiple of the step of {} s",
            times.off_step,
            times.step_ms.unwrap_or_default() as f64 / 1000.0
        );
        say(Concern::Warning, what, "windows are counted in steps: take the rows at one step");
    }
}

/// Times that are of another unit, or of a clock that is put forward and back.
fn of_clock(found: &mut Vec<Finding>, times: &Times) {
    let mut say = |what, hint| {
        found.push(Finding { concern: Concern::Warning, feature: None, what, hint });
    };
    if times.hour_back + times.hour_forth > 0 {
        let what = format!(
            "time leaves out an hour {} times and repeats one {} times",
            times.hour_forth, times.hour_back
        );
        say(what, "this looks like local time with its summer time: write the times in UTC");
    }
    if times.range.is_some_and(|(first, _)| first.0 < YEAR_2000_MS) {
        let what = "the first row lies before the year 2000".to_owned();
        say(what, "numbers are Unix seconds, or milliseconds from 100,000,000,000 on");
    }
}

fn of_column(found: &mut Vec<Finding>, column: &Column) {
    let mut say = |concern, what, hint| {
        found.push(Finding { concern, feature: Some(column.name.clone()), what, hint });
    };
    if column.unreadable > 0 {
        let what = format!("cells that are no number: {}", column.unreadable);
        say(Concern::Error, what, "a missing value is an empty cell or NaN; training refuses such a table");
    }
    if column.infinite > 0 {
        let what = format!("infinite values: {}", column.infinite);
        say(Concern::Warning, what, "a ratio whose denominator is zero? They are taken as missing");
    }
    if column.values.present == 0 {
        let what = "no value at all".to_owned();
        say(Concern::Error, what, "leave it out, or look whether its expression selects anything");
        return;
    }
    let missing = column.missing_share();
    if missing > MOSTLY_MISSING {
        let what = format!("{:.1} % missing", missing * 100.0);
        say(Concern::Warning, what, "what is mostly missing is judged for few entities and steps, if at all");
    } else if missing >= WORTH_A_WORD {
        let what = format!("{:.1} % missing", missing * 100.0);
        say(Concern::Note, what, "missing values are taken as ordinary");
    }
    if column.is_constant() {
        let what = format!("always {}", column.values.min);
        say(Concern::Note, what, "it says nothing until it moves; then any change is an anomaly");
    }
    if column.grows_like_a_counter() {
        let what = format!(
            "grows like a counter: {} rises, {} falls, {} of them to less than a tenth (resets)",
            column.rises, column.falls, column.resets
        );
        say(
            Concern::Error,
            what,
            "take its rate: a value that always grows is never again where it was in training",
        );
    }
}
