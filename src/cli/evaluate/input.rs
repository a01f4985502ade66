//! Scores and labels from files, joined.

use crate::{
    evaluate::{Extras, LabelledScores, Unmeasurable},
    series::TimestampMs,
    table::{ColumnChoice, NumberColumns, parse_timestamp, read_columns},
};
use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Column names that a user chose.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct ColumnNames {
    pub(in crate::cli) score: Option<String>,
    pub(in crate::cli) label: Option<String>,
    /// Without it there are no own alarms.
    pub(in crate::cli) alarm: Option<String>,
}

/// Scores without labels.
#[derive(Clone, Debug)]
pub(in crate::cli) struct ScoreColumns {
    /// Where they come from.
    pub(in crate::cli) name: String,
    pub(in crate::cli) times: Option<Vec<TimestampMs>>,
    /// NaN where there is none.
    pub(in crate::cli) scores: Vec<f64>,
    pub(in crate::cli) alarms: Option<Vec<bool>>,
}

/// Rows ready to be measured.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// Where they come from.
    pub(super) name: String,
    /// Of the rows, where they are known.
    pub(super) times: Option<Vec<TimestampMs>>,
    scores: Vec<f64>,
    labels: Vec<bool>,
    pub(super) own_alarms: Option<Vec<bool>>,
    pub(super) train: Option<Vec<f64>>,
    /// Share of the labelled rows that have a score.
    pub(super) coverage: f64,
}

/// Windows of one data file in a file of the Numenta Anomaly Benchmark: first and last instant.
#[derive(Clone, Debug)]
pub(super) struct Windows(Vec<(TimestampMs, TimestampMs)>);

/// What a manifest lists.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) entries: Vec<ManifestEntry>,
}

/// One series of a manifest.
#[derive(Clone, Debug)]
pub(super) struct ManifestEntry {
    pub(super) name: String,
    scores: PathBuf,
    labels: PathBuf,
    train_scores: Option<PathBuf>,
}

/// Reads scores of normal operation.
pub(super) fn train_scores(
    path: &Path,
    names: &ColumnNames,
    progress: &ProgressBar,
) -> anyhow::Result<Vec<f64>> {
    let read = read_columns(path, &[names.score_choice()], progress)?;
    let scores = read.columns.into_iter().next().unwrap_or_default();
    if scores.iter().all(|score| !score.is_finite()) {
        bail!("{}: not one of the {} scores is a finite number", path.display(), scores.len());
    }
    Ok(scores)
}

// === impl ColumnNames ===

impl ColumnNames {
    fn score_choice(&self) -> ColumnChoice<'_> {
        ColumnChoice {
            chosen: self.score.as_deref(),
            usual: &["score", "anomaly_score", "value"],
            option: "--score-col",
            may_miss: true,
        }
    }

    fn label_choice(&self) -> ColumnChoice<'_> {
        ColumnChoice {
            chosen: self.label.as_deref(),
            usual: &["label", "is_anomaly"],
            option: "--label-col",
            may_miss: false,
        }
    }

    fn alarm_choice(&self) -> Option<ColumnChoice<'_>> {
        let chosen = self.alarm.as_deref()?;
        Some(ColumnChoice { chosen: Some(chosen), usual: &[], option: "--pred-col", may_miss: true })
    }
}

// === impl ScoreColumns ===

impl ScoreColumns {
    pub(super) fn read(path: &Path, names: &ColumnNames, progress: &ProgressBar) -> anyhow::Result<Self> {
        let choices: Vec<_> =
            [Some(names.score_choice()), names.alarm_choice()].into_iter().flatten().collect();
        let NumberColumns { times, columns } = read_columns(path, &choices, progress)?;
        let mut columns = columns.into_iter();
        let scores = columns.next().unwrap_or_default();
        let alarms = columns.next().map(|column| column.into_iter().map(is_set).collect());
        Ok(Self { name: path.display().to_string(), times, scores, alarms })
    }

    /// Joins them with the labels of a file: by time where both have times, else row by row.
    pub(super) fn with_labels(
        self,
        labels: &Path,
        names: &ColumnNames,
        progress: &ProgressBar,
    ) -> anyhow::Result<Series> {
        let read = read_columns(labels, &[names.label_choice()], progress)?;
        let values: Vec<bool> = read.columns.into_iter().flatten().map(is_set).collect();
        match (&self.times, read.times) {
            (Some(own), Some(times)) => {
                let places = self.places(own, &times);
                if places.iter().all(Option::is_none) {
                    bail!("{}: none of its timestamps is in {}", labels.display(), self.name);
                }
                Ok(self.taken(&places, values, times))
            }
            (_, _) if values.len() != self.scores.len() => bail!(
                "{} has {} labels, {} has {} scores, and they have no column \"timestamp\" in common by which to \
                 join them",
                labels.display(),
                values.len(),
                self.name,
                self.scores.len()
            ),
            (_, times) => Ok(self.labelled(values, times)),
        }
    }

    /// Labels the rows whose time lies in one of the windows.
    pub(super) fn with_windows(self, windows: &Windows) -> anyhow::Result<Series> {
        let times = self.times.clone();
        let times = times.with_context(|| format!("{} has no column \"timestamp\"", self.name))?;
        let labels = times.iter().map(|at| windows.hold(*at)).collect();
        Ok(self.labelled(labels, Some(times)))
    }

    /// For each of `times` the row with that time, of several the one with the highest score.
    fn places(&self, own: &[TimestampMs], times: &[TimestampMs]) -> Vec<Option<usize>> {
        let mut rows: BTreeMap<TimestampMs, usize> = BTreeMap::new();
        // A score that is not finite is none.
        let score = |row: usize| Some(self.scores[row]).filter(|score| score.is_finite());
        for (row, at) in own.iter().enumerate() {
            let best = rows.entry(*at).or_insert(row);
            if score(row) > score(*best) {
                *best = row;
            }
        }
        times.iter().map(|at| rows.get(at).copied()).collect()
    }

    /// The rows at `places`; a place that is none has neither score nor alarm.
    fn taken(self, places: &[Option<usize>], labels: Vec<bool>, times: Vec<TimestampMs>) -> Series {
        let found = places.iter().flatten().count();
        let score = |place: &Option<usize>| place.map_or(f64::NAN, |row| self.scores[row]);
        let own =
            |alarms: Vec<bool>| places.iter().map(|place| place.is_some_and(|row| alarms[row])).collect();
        Series {
            name: self.name,
            times: Some(times),
            scores: places.iter().map(score).collect(),
            coverage: found as f64 / places.len() as f64,
            own_alarms: self.alarms.map(own),
            labels,
            train: None,
        }
    }

    /// The rows as they stand; as many labels.
    fn labelled(self, labels: Vec<bool>, times: Option<Vec<TimestampMs>>) -> Series {
        Series {
            name: self.name,
            times: times.or(self.times),
            scores: self.scores,
            labels,
            own_alarms: self.alarms,
            train: None,
            coverage: 1.0,
        }
    }
}

fn is_set(value: f64) -> bool {
    value > 0.5
}

// === impl Series ===

impl Series {
    /// Without the first `n` rows.
    pub(super) fn without_first(mut self, n: usize) -> Self {
        fn cut<T>(rows: &mut Vec<T>, n: usize) {
            rows.drain(..n.min(rows.len()));
        }
        cut(&mut self.scores, n);
        cut(&mut self.labels, n);
        self.own_alarms.iter_mut().for_each(|alarms| cut(alarms, n));
        self.times.iter_mut().for_each(|times| cut(times, n));
        self
    }

    pub(super) fn rows(&self) -> Result<LabelledScores, Unmeasurable> {
        LabelledScores::new(self.scores.clone(), self.labels.clone())
    }

    pub(super) fn extras(&self, threshold: Option<f64>) -> Extras<'_> {
        Extras { train: self.train.as_deref(), own_alarms: self.own_alarms.as_deref(), threshold }
    }
}

// === impl Windows ===

impl Windows {
    pub(super) fn read(path: &Path, key: &str) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        let mut files: BTreeMap<String, Vec<(String, String)>> = serde_json::from_str(&text)
            .with_context(|| format!("{shown}: expected {{\"file\": [[\"start\", \"end\"], ...], ...}}"))?;
        let Some(windows) = files.remove(key) else {
            let keys: Vec<&str> = files.keys().map(String::as_str).collect();
            bail!("{shown} has no file {key:?}; it has {}", keys.join(", "));
        };
        let window = |(start, end): &(String, String)| {
            Ok::<_, crate::table::Problem>((parse_timestamp(start)?, parse_timestamp(end)?))
        };
        let windows: Result<_, _> = windows.iter().map(window).collect();
        Ok(Self(windows.with_context(|| format!("{shown}: {key}"))?))
    }

    fn hold(&self, at: TimestampMs) -> bool {
        self.0.iter().any(|(start, end)| (*start..=*end).contains(&at))
    }
}

// === impl Manifest ===

impl Manifest {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        const COLUMNS: &str = "name,scores,labels,train_scores";
        let shown = path.display();
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut csv = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_path(path)
            .with_context(|| format!("cannot read {shown}"))?;
        let header = csv.headers().with_context(|| format!("cannot read {shown}"))?.clone();
        let place = |column: &str| header.iter().position(|name| name == column);
        let needed = |column: &str| {
            place(column).with_context(|| {
                format!("{shown}, line 1: there is no column {column:?}; expected {COLUMNS}")
            })
        };
        let (name, scores, labels) = (needed("name")?, needed("scores")?, needed("labels")?);
        let train_scores = place("train_scores");
        let mut entries: Vec<ManifestEntry> = Vec::new();
        for record in csv.records() {
            let record = record.with_context(|| format!("cannot read {shown}"))?;
            let line = record.position().map_or(0, csv::Position::line);
            if entries.iter().any(|entry| entry.name == record[name]) {
                bail!("{shown}, line {line}: another series is called {:?} too", &record[name]);
            }
            let train_scores = train_scores.map(|column| &record[column]).filter(|path| !path.is_empty());
            entries.push(ManifestEntry {
                name: record[name].to_owned(),
                scores: folder.join(&record[scores]),
                labels: folder.join(&record[labels]),
                train_scores: train_scores.map(|path| folder.join(path)),
            });
        }
        if entries.is_empty() {
            bail!("{shown} lists no series; expected rows of {COLUMNS}");
        }
        Ok(Self { entries })
    }

    /// Every file that is listed.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let files = |entry: &ManifestEntry| {
            let ManifestEntry { scores, labels, train_scores, .. } = entry.clone();
            [Some(scores), Some(labels), train_scores].into_iter().flatten()
        };
        self.entries.iter().flat_map(files).collect()
    }
}

// === impl ManifestEntry ===

impl ManifestEntry {
    pub(super) fn read(&self, columns: &ColumnNames, progress: &ProgressBar) -> anyhow::Result<Series> {
        let scores = ScoreColumns::read(&self.scores, columns, progress)?;
        let mut series = scores.with_labels(&self.labels, columns, progress)?;
        if let Some(train) = &self.train_scores {
            series.train = Some(train_scores(train, columns, progress)?);
        }
        Ok(series)
    }
}
