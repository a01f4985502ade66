//! Reads a range of some series, whole.

use super::{Api, Config, HistoryError, promql, remote_read};
use crate::{
    client::{Answer, Backoff, Client, TlsError, bounded_text, parse_retry_after},
    series::{LabelMatcher, SampleBatch, TimestampMs, series_hash},
    wire::{Limits, read::ReadSeries},
};
use http::{StatusCode, header::RETRY_AFTER};
use jiff::Timestamp;
use std::{
    ops::RangeInclusive,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// The most of a store's text that reaches a message.
const MAX_TEXT_BYTES: usize = 1024;

/// Asks one store.
#[derive(Clone, Debug)]
pub struct Reader {
    asking: Arc<Asking>,
    /// Seed of the series hashes of the batches.
    hash_seed: u64,
}

/// What the requests share.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) config: Config,
    pub(super) client: Client,
    /// The store has chunks that are not known here.
    pub(super) samples_only: AtomicBool,
}

/// What was read of a range.
#[derive(Debug, Default)]
pub struct Found {
    /// The samples and native histograms. A series that several selectors select is there once for each.
    pub batch: SampleBatch,
    /// How much it is.
    pub counts: Counts,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Series of a range, those counted again that several selectors select.
    pub series: u64,
    /// Samples and native histograms.
    pub samples: u64,
    /// What broke a rule, or cannot be had this way, and was left out.
    pub left_out: u64,
}

// === impl Reader ===

impl Reader {
    /// A reader of the store.
    ///
    /// # Errors
    /// When a file of `tls_config` cannot be used.
    pub fn new(config: Config, hash_seed: u64) -> Result<Self, TlsError> {
        let client = Client::new(&config.client, config.max_concurrency)?;
        let asking = Asking { config, client, samples_only: AtomicBool::new(false) };
        Ok(Self { asking: Arc::new(asking), hash_seed })
    }

    /// So many samples may be read at once.
    pub(super) fn max_samples(&self) -> u64 {
        self.asking.config.max_samples as u64
    }

    /// What the store has in `range`, both ends included, of the series that one of `selectors` selects (lists of matchers that all
    /// hold). Requests that fail for now are repeated, as long as the configuration says.
    ///
    /// # Errors
    /// When the store does not answer, refuses, or has more than a slice may hold.
    pub async fn read(
        &self,
        selectors: &[Vec<LabelMatcher>],
        range: RangeInclusive<TimestampMs>,
    ) -> Result<Found, HistoryError> {
        let groups = self.asking.config.max_concurrency.min(selectors.len());
        // Dropped with this future, the set ends its requests.
        let mut requests = JoinSet::new();
        for group in 0..groups {
            let selectors: Vec<_> = selectors.iter().skip(group).step_by(groups).cloned().collect();
            let (asking, range, hash_seed) = (Arc::clone(&self.asking), range.clone(), self.hash_seed);
            requests.spawn(async move { (group, asking.patiently(&selectors, &range, hash_seed).await) });
        }
        let mut found = Vec::new();
        while let Some(done) = requests.join_next().await {
            let (group, answer) = done.map_err(|error| HistoryError::Broken(error.to_string()))?;
            found.push((group, answer?));
        }
        // Which request is answered first is chance, and must not show.
        found.sort_unstable_by_key(|(group, _)| *group);
        let mut all = Found::default();
        for (_, part) in found {
            all.add(&part);
        }
        if all.counts.samples > self.max_samples() {
            return Err(self.asking.too_much(&range));
        }
        Ok(all)
    }
}

// === impl Asking ===

impl Asking {
    /// Asks until there is an answer, the store refuses, or the time for that is over.
    async fn patiently(
        &self,
        selectors: &[Vec<LabelMatcher>],
        range: &RangeInclusive<TimestampMs>,
        hash_seed: u64,
    ) -> Result<Found, HistoryError> {
        let deadline = Instant::now() + self.config.retry_for;
        let backoff = Backoff::try_new(Duration::from_millis(100), Duration::from_secs(5));
        let mut attempt = 0;
        loop {
            let asked = match self.config.api {
                Api::RemoteRead => remote_read::read(self, selectors, range, hash_seed).await,
                Api::Query => promql::read(self, selectors, range, hash_seed).await,
            };
            let error = match asked {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            attempt += 1;
            let Some(wait) = backoff.map(|backoff| backoff.wait(attempt, error.retry_after())) else {
                return Err(error);
            };
            if !error.may_pass() || Instant::now() + wait > deadline {
                return Err(error);
            }
            tracing::debug!(%error, attempt, "reading history failed, asking again");
            tokio::time::sleep(wait).await;
        }
    }

    /// What an answer must not break; a request may have all that a slice may hold.
    pub(super) fn limits(&self) -> Limits {
        let limits = Limits::for_reading();
        Limits { max_samples: self.config.max_samples.min(limits.max_samples), ..limits }
    }

    pub(super) fn too_much(&self, range: &RangeInclusive<TimestampMs>) -> HistoryError {
        HistoryError::TooMuch {
            what: "samples",
            limit: self.config.max_samples,
            from: range.start().0,
            until: range.end().0,
        }
    }
}

/// The answer if it says yes.
pub(super) async fn accepted(answer: Answer) -> Result<Answer, HistoryError> {
    let status = answer.head.status;
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let after = answer.head.headers.get(RETRY_AFTER);
    let after = after.and_then(|value| parse_retry_after(value, Timestamp::now()));
    let text = bounded_text(&answer.text(2 * MAX_TEXT_BYTES).await, MAX_TEXT_BYTES);
    Err(HistoryError::Status { status, text, after })
}

// === impl Found ===

impl Found {
    pub(super) fn take(&mut self, series: ReadSeries<'_>, hash_seed: u64) {
        let hash = series_hash(series.labels, hash_seed);
        let samples = series.samples.iter().copied();
        if series.histograms.is_empty() {
            self.batch.push(hash, series.labels, samples);
        } else {
            self.batch.push_with_histograms(hash, series.labels, samples, series.histograms.iter().cloned());
        }
        self.counts.series += 1;
        self.counts.samples += (series.samples.len() + series.histograms.len()) as u64;
    }

    fn add(&mut self, other: &Self) {
        for entry in other.batch.iter() {
            let samples = entry.samples.iter().copied();
            if entry.histograms.is_empty() {
                self.batch.push(entry.hash, entry.labels, samples);
            } else {
                let histograms = entry.histograms.iter().cloned();
                self.batch.push_with_histograms(entry.hash, entry.labels, samples, histograms);
            }
        }
        self.counts.add(&other.counts);
    }
}

// === impl Counts ===

impl Counts {
    /// Adds what was read elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.series += other.series;
        self.samples += other.samples;
        self.left_out += other.left_out;
    }
}
