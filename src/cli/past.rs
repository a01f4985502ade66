//! The past of a detector's series, for the subcommands that read it: which detector, which store, from when to when.

use super::{bar, instant};
use crate::{
    config::{self, Config, Detector},
    history::{self, Api, Counts, Reader, Slice, Slices},
    pipeline::{Extraction, Vectors, names},
    series::{LabelMatcher, TimestampMs},
    window::{self, AppendCounts},
};
use anyhow::{Context as _, anyhow, bail};
use std::{
    hash::{BuildHasher as _, RandomState},
    ops::RangeInclusive,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// Which store, and which part of its past.
#[derive(Debug, clap::Args)]
pub(super) struct PastArgs {
    /// Address of the store, such as http://localhost:9090, instead of the one under `history:`
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// How the store is asked, with --url: remote_read, or query for one without remote read, such as VictoriaMetrics
    #[arg(long, value_name = "API", default_value = "remote_read", value_parser = parse_api)]
    api: Api,

    /// First step: so long before --until, such as 30d, or an instant such as 2026-11-01T00:00:00Z or Unix seconds
    #[arg(long, value_name = "WHEN", default_value = "30d", value_parser = parse_when)]
    pub(super) from: When,

    /// Last step: an instant, or so long before now [default: now]
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

/// A store that is asked for the past.
pub(super) struct Past {
    reader: Reader,
    selectors: Vec<Vec<LabelMatcher>>,
}

// === impl PastArgs ===

impl PastArgs {
    /// The steps asked for, as of now.
    pub(super) fn range(&self) -> anyhow::Result<RangeInclusive<TimestampMs>> {
        let until = match self.until {
            Some(When::At(at)) => at,
            Some(When::Before(ms)) => now()?.plus_ms(-ms),
            None => now()?,
        };
        let from = match self.from {
            When::At(at) => at,
            When::Before(ms) => until.plus_ms(-ms),
        };
        if from > until {
            bail!("--from, {}, is after --until, {}", instant(from), instant(until));
        }
        Ok(from..=until)
    }

    /// The store, to be asked for the series of `selectors`; `file` is where the config stands.
    pub(super) fn store(
        &self,
        file: &Path,
        config: &Config,
        selectors: Vec<Vec<LabelMatcher>>,
    ) -> anyhow::Result<Past> {
        let store = match (&self.url, &config.history) {
            (Some(url), _) => {
                let settings = history::Settings { api: self.api, ..history::Settings::new(url) };
                history::Config::try_new(settings).map_err(|problems| {
                    anyhow!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
                })?
            }
            (None, Some(history)) => history.store.clone(),
            (None, None) => {
                let file = file.display();
                bail!("{file} names no store: write `history: {{url: http://localhost:9090}}`, or give --url")
            }
        };
        let reader = Reader::new(store, RandomState::new().hash_one("series"))?;
        Ok(Past { reader, selectors })
    }

    /// The vectors of a detector at every step from `from` to `until`, slice by slice; gives how much was read and what became of it.
    ///
    /// `each` gets what is new after a slice, and the first step that is not among it.
    pub(super) fn vectors(
        &self,
        file: &Path,
        config: &Config,
        detector: &Detector,
        range: RangeInclusive<TimestampMs>,
        mut each: impl FnMut(Vec<Vectors>, TimestampMs) -> anyhow::Result<()>,
    ) -> anyhow::Result<(Counts, AppendCounts)> {
        let window = window::Config {
            max_series: config.storage.max_series,
            max_bytes: config.storage.max_bytes,
            ..window::Config::default()
        };
        let mut extraction = Extraction::new(config.compile(detector)?, window, *range.start());
        let store = self.store(file, config, extraction.selectors())?;
        let mut appended = AppendCounts::default();
        let all = extraction.wants_from()..=*range.end();
        let counts = store.read(all, "extracting", |slice| {
            appended.add(&extraction.append(&names::without_own(&slice.batch)));
            let vectors: Vec<Vectors> =
                std::iter::from_fn(|| extraction.vectors(*slice.range.end())).collect();
            each(vectors, extraction.next_step())
        })?;
        Ok((counts, appended))
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
    /// Reads `range` and hands over slice after slice; gives how much it was. The bar advances by the time of the data.
    pub(super) fn read(
        self,
        range: RangeInclusive<TimestampMs>,
        what: &'static str,
        mut each: impl FnMut(&Slice) -> anyhow::Result<()>,
    ) -> anyhow::Result<Counts> {
        let begin = *range.start();
        let minutes = |at: TimestampMs| u64::try_from(at.since_ms(begin) / 60_000).unwrap_or(0);
        let bar = bar(minutes(*range.end()), what, "{msg} {wide_bar} {percent}% ({eta} left)");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let mut counts = Counts::default();
        let slices = Slices::new(self.reader, self.selectors.into(), range);
        let mut slices = {
            let _inside = runtime.enter();
            slices.read_ahead()
        };
        while let Some(slice) = slices.blocking_recv() {
            let slice = slice.context("cannot read the past")?;
            counts.add(&slice.counts);
            each(&slice)?;
            bar.set_position(minutes(*slice.range.end()));
        }
        bar.finish_and_clear();
        Ok(counts)
    }
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
