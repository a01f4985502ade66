//! The past of a detector's series, for the subcommands that read it: which detector, which store or files, from when to when.

mod files;

use super::{bar, instant};
use crate::{
    config::{self, Config, Detector},
    exposition::Recording,
    history::{self, Api, Counts, Reader, Slice, Slices},
    pipeline::{Extraction, Vectors, names},
    series::{LabelMatcher, TimestampMs},
    window::{self, AppendCounts},
};
use anyhow::{Context as _, anyhow, bail};
use std::{
    hash::{BuildHasher as _, RandomState},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// How far back the first step is where nothing is said of it and a store has the past.
const DEFAULT_FROM_MS: i64 = 30 * 86_400_000;

/// Which store or files, and which part of their past.
#[derive(Debug, clap::Args)]
pub(super) struct PastArgs {
    /// Address of the store, such as http://localhost:9090, instead of the one under `history:`
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// How the store is asked, with --url: remote_read, or query for one without remote read, such as VictoriaMetrics
    #[arg(long, value_name = "API", default_value = "remote_read", value_parser = parse_api)]
    api: Api,

    /// Files with the samples, instead of a store: OpenMetrics with timestamps, or Prometheus' text format with them (.gz: compressed)
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "config", conflicts_with_all = ["url", "api"])]
    pub(super) openmetrics: Vec<PathBuf>,

    /// Most samples that are kept of --openmetrics, of the series that are read; 16 to 32 bytes of memory each
    #[arg(long, default_value_t = 50_000_000, value_name = "N", requires = "openmetrics")]
    max_samples: usize,

    /// First step: so long before --until, such as 30d, or an instant such as 2026-11-01T00:00:00Z or Unix seconds [default: 30d; of
    /// --openmetrics the first sample]
    #[arg(long, value_name = "WHEN", value_parser = parse_when)]
    pub(super) from: Option<When>,

    /// Last step: an instant, or so long before now [default: now; of --openmetrics the last sample]
    #[arg(long, value_name = "WHEN", value_parser = parse_when)]
    pub(super) until: Option<When>,
}

/// An instant as a user writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// So many milliseconds before something.
    Before(i64),
    /// At this instant.
    At(TimestampMs),
}

/// The past of some series.
pub(super) struct Past {
    source: Source,
    range: RangeInclusive<TimestampMs>,
}

/// Where the past is.
enum Source {
    Store(Reader),
    Files(Recording),
}

// === impl PastArgs ===

impl PastArgs {
    /// The past of what a detector reads; `file` is where the config stands. A store is not
    /// asked yet, files are read.
    pub(super) fn open(&self, file: &Path, config: &Config, detector: &Detector) -> anyhow::Result<Past> {
        if self.openmetrics.is_empty() {
            let store = self.store(file, config)?;
            let source = Source::Store(Reader::new(store, RandomState::new().hash_one("series"))?);
            return Ok(Past { source, range: self.range(None)? });
        }
        // Of a config with alerts these are among them.
        let wanted =
            Extraction::new(config.compile(detector)?, window::Config::default(), TimestampMs(0)).selectors();
        let recording = files::record(&self.openmetrics, wanted, self.max_samples)?;
        let Some(recorded) = recording.range() else {
            let (read, name) = (recording.counts().read, detector.schema.detector());
            bail!("--openmetrics: none of the {read} samples is of a series that detector {name:?} reads");
        };
        Ok(Past { range: self.range(Some(recorded))?, source: Source::Files(recording) })
    }

    /// The steps asked for, as of now or of what is recorded.
    fn range(
        &self,
        recorded: Option<RangeInclusive<TimestampMs>>,
    ) -> anyhow::Result<RangeInclusive<TimestampMs>> {
        let until = match (self.until, &recorded) {
            (Some(When::At(at)), _) => at,
            (Some(When::Before(ms)), _) => now()?.plus_ms(-ms),
            (None, Some(recorded)) => *recorded.end(),
            (None, None) => now()?,
        };
        let from = match (self.from, &recorded) {
            (Some(When::At(at)), _) => at,
            (Some(When::Before(ms)), _) => until.plus_ms(-ms),
            (None, Some(recorded)) => *recorded.start(),
            (None, None) => until.plus_ms(-DEFAULT_FROM_MS),
        };
        if from > until {
            bail!("--from, {}, is after --until, {}", instant(from), instant(until));
        }
        Ok(from..=until)
    }

    /// The store that is meant.
    fn store(&self, file: &Path, config: &Config) -> anyhow::Result<history::Config> {
        match (&self.url, &config.history) {
            (Some(url), _) => {
                let settings = history::Settings { api: self.api, ..history::Settings::new(url) };
                history::Config::try_new(settings).map_err(|problems| {
                    anyhow!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
                })
            }
            (None, Some(history)) => Ok(history.store.clone()),
            (None, None) => {
                let file = file.display();
                bail!(
                    "{file} names no store: write `history: {{url: http://localhost:9090}}`, or give --url or --openmetrics"
                )
            }
        }
    }
}

/// What was left out of what was read, and why, a line each.
pub(super) fn left_out(counts: &Counts, appended: &AppendCounts) -> Vec<String> {
    let broken = (counts.left_out > 0).then(|| {
        format!("left out: {} samples that break a rule or cannot be had by this api", counts.left_out)
    });
    let refused = appended.refused().into_iter().filter(|(_, count)| *count > 0);
    let refused = refused.map(|(reason, count)| format!("left out: {count} samples ({reason})"));
    broken.into_iter().chain(refused).collect()
}

/// The detector of a config that is meant.
pub(super) fn chosen<'a>(
    file: &Path,
    name: Option<&str>,
    config: &'a Config,
) -> anyhow::Result<&'a Detector> {
    let names: Vec<&str> = config.detectors.iter().map(|detector| detector.schema.detector()).collect();
    let file = file.display();
    match (name, &*config.detectors) {
        (None, [only]) => Ok(only),
        (None, _) => bail!("{file} has the detectors {}; choose one with --detector", names.join(", ")),
        (Some(name), detectors) => detectors
            .iter()
            .find(|detector| detector.schema.detector() == name)
            .with_context(|| format!("{file} has no detector {name:?}; it has {}", names.join(", "))),
    }
}

// === impl Past ===

impl Past {
    /// The steps asked for.
    pub(super) fn range(&self) -> &RangeInclusive<TimestampMs> {
        &self.range
    }

    /// What has it, for a message.
    pub(super) fn place(&self) -> &'static str {
        match self.source {
            Source::Store(_) => "store",
            Source::Files(_) => "files",
        }
    }

    /// What there is to say of files that were read, a line each.
    pub(super) fn said(&self) -> Vec<String> {
        match &self.source {
            Source::Store(_) => Vec::new(),
            Source::Files(recording) => files::said(recording.counts()),
        }
    }

    /// The vectors of a detector at every step of `range`, slice by slice; gives how much was read and what became of it.
    ///
    /// `each` gets what is new after a slice, and the first step that is not among it.
    pub(super) fn vectors(
        &self,
        config: &Config,
        detector: &Detector,
        range: RangeInclusive<TimestampMs>,
        mut each: impl FnMut(Vec<Vectors>, TimestampMs) -> anyhow::Result<()>,
    ) -> anyhow::Result<(Counts, AppendCounts)> {
        let window = config.storage.past_window();
        let mut extraction = Extraction::new(config.compile(detector)?, window, *range.start());
        let mut appended = AppendCounts::default();
        let all = extraction.wants_from()..=*range.end();
        let counts = self.read(extraction.selectors(), all, "extracting", |slice| {
            appended.add(&extraction.append(&names::without_own(&slice.batch)));
            let vectors: Vec<Vectors> =
                std::iter::from_fn(|| extraction.vectors(*slice.range.end())).collect();
            each(vectors, extraction.next_step())
        })?;
        Ok((counts, appended))
    }

    /// Reads `range` of the series of `selectors` and hands over slice after slice; gives how much it was. The bar advances by the time of
    /// the data.
    pub(super) fn read(
        &self,
        selectors: Vec<Vec<LabelMatcher>>,
        range: RangeInclusive<TimestampMs>,
        what: &'static str,
        mut each: impl FnMut(&Slice) -> anyhow::Result<()>,
    ) -> anyhow::Result<Counts> {
        let begin = *range.start();
        let minutes = |at: TimestampMs| u64::try_from(at.since_ms(begin) / 60_000).unwrap_or(0);
        let bar = bar(minutes(*range.end()), what, "{msg} {wide_bar} {percent}% ({eta} left)");
        let mut counts = Counts::default();
        let mut each = |slice: &Slice| {
            counts.add(&slice.counts);
            each(slice)?;
            bar.set_position(minutes(*slice.range.end()));
            Ok(())
        };
        match &self.source {
            Source::Store(reader) => ask(reader.clone(), selectors, range, each)?,
            Source::Files(recording) => {
                recording.slices(&selectors, range).map(files::slice).try_for_each(|slice| each(&slice))?;
            }
        }
        bar.finish_and_clear();
        Ok(counts)
    }
}

/// Reads slice after slice from a store.
fn ask(
    reader: Reader,
    selectors: Vec<Vec<LabelMatcher>>,
    range: RangeInclusive<TimestampMs>,
    mut each: impl FnMut(&Slice) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let slices = Slices::new(reader, selectors.into(), range);
    let mut slices = {
        let _inside = runtime.enter();
        slices.read_ahead()
    };
    while let Some(slice) = slices.blocking_recv() {
        each(&slice.context("cannot read the past")?)?;
    }
    Ok(())
}

fn now() -> anyhow::Result<TimestampMs> {
    Ok(TimestampMs(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?))
}

fn parse_api(text: &str) -> Result<Api, &'static str> {
    match text {
        "remote_read" => Ok(Api::RemoteRead),
        "query" => Ok(Api::Query),
        _ => Err("write remote_read or query"),
    }
}

fn parse_when(text: &str) -> Result<When, &'static str> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Ok(When::At(TimestampMs((seconds * 1000.0).round() as i64)));
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(When::At(TimestampMs(at.as_millisecond())));
    }
    let duration = config::parse_duration(text);
    let duration = duration
        .ok_or("write a duration such as 30d, or an instant such as 2026-11-01T00:00:00Z or Unix seconds")?;
    Ok(When::Before(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_is_a_duration_or_an_instant() {
        assert_eq!(parse_when("30d"), Ok(When::Before(30 * 86_400_000)));
        assert_eq!(parse_when("1h30m"), Ok(When::Before(5_400_000)));
        assert_eq!(parse_when("1970-01-02T00:00:00Z"), Ok(When::At(TimestampMs(86_400_000))));
        assert_eq!(parse_when("86400.5"), Ok(When::At(TimestampMs(86_400_500))));
        assert!(parse_when("yesterday").is_err());
    }
}
