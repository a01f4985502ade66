//! Labels: when something was in an incident, as a person wrote it down.

use super::{
    TableError,
    error::Problem,
    source::{Source, number},
    timestamp,
};
use crate::series::TimestampMs;
use indicatif::ProgressBar;
use std::{collections::BTreeMap, path::Path};

/// What the column of times may be called, the first that is there.
const TIMES: [&str; 3] = ["timestamp", "ts", "time"];

/// What the column of labels may be called, the first that is there.
const LABELS: [&str; 2] = ["label", "is_anomaly"];

/// A time in which an entity was in an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledTime {
    /// As it was written; `None` is every entity.
    pub entity: Option<String>,
    /// The first instant.
    pub from: TimestampMs,
    /// The first instant behind it.
    pub until: TimestampMs,
}

/// Reads labels in one of two forms: incidents, with the columns `from` and `to`, both of which belong to them; or rows, with `timestamp`
/// and `label` (0 or 1), of which each holds until the next is due. Either may have a column `entity`; without it, or where it is empty,
/// every entity is meant.
///
/// # Errors
/// At the first thing that cannot be read, with its place.
pub fn read_labels(path: &Path, progress: &ProgressBar) -> Result<Vec<LabelledTime>, TableError> {
    let (mut source, names) = Source::open(path, progress)?;
    let place = |name: &str| names.iter().position(|known| known == name);
    let entity = place("entity");
    let first_of = |wanted: &[&str]| wanted.iter().find_map(|name| place(name));
    let form = match (place("from"), place("to"), first_of(&TIMES), first_of(&LABELS)) {
        (Some(from), Some(to), ..) => Form::Incidents { from, to },
        (_, _, Some(at), Some(label)) => Form::Rows { at, label },
        _ => return Err(TableError::line(path, 1, Problem::NoLabels(names))),
    };
    let mut rows = LabelRows::default();
    let mut times = Vec::new();
    while let Some((line, record)) = source.next()? {
        let entity = entity.map(|place| record[place].to_owned()).filter(|name| !name.is_empty());
        let take = || match form {
            Form::Incidents { from, to } => {
                let (from, to) = (timestamp::parse(&record[from])?, timestamp::parse(&record[to])?);
                if to < from {
                    return Err(Problem::EndsBeforeItBegins);
                }
                times.push(LabelledTime { entity, from, until: to.plus_ms(1) });
                Ok(())
            }
            Form::Rows { at, label } => {
                let (at, value) = (timestamp::parse(&record[at])?, number(&names[label], &record[label])?);
                if value.is_nan() {
                    return Err(Problem::MissingNumber { column: names[label].clone() });
                }
                rows.take(entity, at, value > 0.5);
                Ok(())
            }
        };
        take().map_err(|problem| TableError::line(path, line, problem))?;
    }
    times.extend(rows.times());
    Ok(times)
}

/// How labels are written, with the places of their columns.
#[derive(Clone, Copy)]
enum Form {
    Incidents { from: usize, to: usize },
    Rows { at: usize, label: usize },
}

/// Rows with their labels, by entity.
#[derive(Default)]
struct LabelRows(BTreeMap<Option<String>, Vec<(TimestampMs, bool)>>);

// === impl LabelRows ===

impl LabelRows {
    fn take(&mut self, entity: Option<String>, at: TimestampMs, label: bool) {
        self.0.entry(entity).or_default().push((at, label));
    }

    /// The labelled rows, each as long as two rows of its entity usually lie apart.
    fn times(self) -> impl Iterator<Item = LabelledTime> {
        self.0.into_iter().flat_map(|(entity, mut rows)| {
            rows.sort_by_key(|(at, _)| *at);
            let mut distances: Vec<i64> = rows.windows(2).map(|pair| pair[1].0.since_ms(pair[0].0)).collect();
            distances.sort_unstable();
            let length_ms = distances.get(distances.len() / 2).copied().unwrap_or(1).max(1);
            let labelled = rows.into_iter().filter(|(_, label)| *label);
            labelled.map(move |(from, _)| LabelledTime {
                entity: entity.clone(),
                from,
                until: from.plus_ms(length_ms),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(text: &str) -> Result<Vec<(Option<String>, i64, i64)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.csv");
        fs::write(&path, text).unwrap();
        let times = read_labels(&path, &ProgressBar::hidden()).map_err(|error| error.to_string())?;
        Ok(times.into_iter().map(|time| (time.entity, time.from.0, time.until.0)).collect())
    }

    #[test]
    fn incidents_have_both_their_ends() {
        let times = read("entity,from,to\na,60,1970-01-01T00:02:00Z\n,180,180\n").unwrap();
        assert_eq!(times, [(Some("a".to_owned()), 60_000, 120_001), (None, 180_000, 180_001)]);
        assert_eq!(read("from,to\n60,120\n").unwrap(), [(None, 60_000, 120_001)]);
    }

    /// Of two entities in turn, a row a minute; the label of the last holds as long as the others.
    #[test]
    fn a_labelled_row_holds_until_the_next_is_due() {
        let text = "time,entity,label\n60,a,0\n60,b,1\n120,a,1\n120,b,0\n180,a,1\n180,b,0\n";
        let name = |name: &str| Some(name.to_owned());
        let expected =
            [(name("a"), 120_000, 180_000), (name("a"), 180_000, 240_000), (name("b"), 60_000, 120_000)];
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(read("timestamp,is_anomaly\n60,1\n").unwrap(), [(None, 60_000, 60_001)]);
        assert_eq!(read("timestamp,label\n60,0\n").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_what_to_write() {
        for (text, expected) in [
            ("timestamp,value\n1,2\n", "labels.csv, line 1: there are neither columns \"from\" and \"to\""),
            ("from,to\n60,120\n60,59\n", "labels.csv, line 3: \"to\" lies before \"from\""),
            ("timestamp,label\n60,\n", "line 2: column \"label\" is empty or NaN"),
            ("timestamp,label\nyesterday,1\n", "line 2: column \"timestamp\": \"yesterday\" is neither"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(expected), "{text:?}: {said}");
        }
    }
}
