//! From a body to one batch a shard, with buffers that are used again.

use super::heard::{self, Heard};
use crate::{
    metadata::{Hearing, MetadataStore},
    pipeline::names,
    series::{HistogramSample, Sample, SampleBatch, TimestampMs, series_hash},
    shards::{Append, Appended, NoPlace, ShardMessage, Shards},
    wire::{self, Decoder, Limits, MessageType, MetricMetadata, MetricType, Sink, WireError, WriteSummary},
};
use std::sync::{Mutex, PoisonError};
use tokio::{sync::oneshot, time::Instant};

/// Intakes kept for later requests: about as many as decode at the same time.
const MAX_KEPT: usize = 16;

/// An intake that grew beyond this is not kept: one large request must not hold memory for ever.
const MAX_KEPT_BYTES: usize = 4 << 20;

/// The buffers of one request: decompressed message, decoder, a batch for each shard.
#[derive(Debug)]
pub(super) struct Intake {
    message: Vec<u8>,
    decoder: Decoder,
    batches: Vec<SampleBatch>,
    own: OwnOutput,
    heard: Heard,
    news: Vec<News>,
    refused_news: u64,
}

/// Something new about a metric family; bounded by what one request may say.
#[derive(Debug)]
struct News {
    family: String,
    metric_type: MetricType,
    unit: String,
    help: String,
}

/// What a request held of our own output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OwnOutput {
    pub(super) samples: u64,
    pub(super) histograms: u64,
}

/// A bounded stock of [`Intake`]s. An intake that is not put back, because its request failed or
/// panicked, is replaced by a new one.
#[derive(Debug)]
pub(super) struct IntakePool {
    kept: Mutex<Vec<Intake>>,
    shards: usize,
}

// === impl Intake ===

impl Intake {
    /// Decodes `body` and files its samples under the shards that own them.
    pub(super) fn decode(
        &mut self,
        message: MessageType,
        body: &[u8],
        limits: &Limits,
        shards: &Shards,
        metadata: &MetadataStore,
    ) -> Result<WriteSummary, WireError> {
        wire::decompress(body, limits, &mut self.message)?;
        let Self { batches, own, heard, news, refused_news, .. } = self;
        let mut sink = Filing { shards, metadata, batches, own, heard, news, refused_news };
        self.decoder.decode(message, &self.message, limits, &mut sink)
    }

    /// Keeps what is new about metrics; says how much there was no room for.
    pub(super) fn learn(&mut self, metadata: &MetadataStore) -> u64 {
        let learned = self.news.drain(..).map(|news| metadata.learn(&news.borrowed()));
        self.refused_news + learned.filter(|hearing| *hearing == Hearing::Refused).count() as u64
    }

    /// Sends every batch that is not empty to its shard, or none when there is no place for all.
    pub(super) fn send(
        &mut self,
        shards: &Shards,
        now: TimestampMs,
        arrival: Instant,
    ) -> Result<Vec<(usize, oneshot::Receiver<Appended>)>, NoPlace> {
        let filled: Vec<usize> =
            (0..self.batches.len()).filter(|shard| !self.batches[*shard].is_empty()).collect();
        // What lies in the future is refused sample by sample; it must not hold up the request.
        let newest = filled.iter().filter_map(|shard| self.batches[*shard].newest()).max();
        if let Some(newest) = newest {
            shards.check_lead(newest.min(now))?;
        }
        let places = shards.reserve(filled.iter().copied())?;
        let send = |(shard, place): (usize, crate::shards::Place<'_>)| {
            let (reply, answer) = oneshot::channel();
            let batch = std::mem::take(&mut self.batches[shard]);
            place.send(ShardMessage::Append(Append { batch, now, arrival, reply }));
            (shard, answer)
        };
        Ok(filled.into_iter().zip(places).map(send).collect())
    }

    /// Takes back the memory of a batch that its shard is done with.
    pub(super) fn recycle(&mut self, shard: usize, batch: SampleBatch) {
        self.batches[shard] = batch;
    }

    /// What was left out because it is our own output.
    pub(super) fn own_output(&self) -> OwnOutput {
        self.own
    }

    fn clear(&mut self) {
        self.message.clear();
        self.batches.iter_mut().for_each(SampleBatch::clear);
        self.own = OwnOutput::default();
        self.news = Vec::new();
        self.refused_news = 0;
    }

    fn capacity_bytes(&self) -> usize {
        self.message.capacity()
            + self.decoder.capacity_bytes()
            + self.batches.iter().map(SampleBatch::capacity_bytes).sum::<usize>()
    }
}

/// Files what is decoded.
struct Filing<'a> {
    shards: &'a Shards,
    metadata: &'a MetadataStore,
    batches: &'a mut [SampleBatch],
    own: &'a mut OwnOutput,
    heard: &'a mut Heard,
    news: &'a mut Vec<News>,
    refused_news: &'a mut u64,
}

impl Sink for Filing<'_> {
    #[inline]
    fn series(&mut self, labels: &str, samples: &[Sample], histograms: &[HistogramSample]) {
        if names::is_own(labels) {
            self.own.samples += samples.len() as u64;
            self.own.histograms += histograms.len() as u64;
            return;
        }
        let hash = series_hash(labels, self.shards.hash_seed());
        let batch = &mut self.batches[self.shards.shard_of(hash)];
        if histograms.is_empty() {
            batch.push(hash, labels, samples.iter().copied());
        } else {
            batch.push_with_histograms(hash, labels, samples.iter().copied(), histograms.iter().cloned());
        }
    }

    fn metadata(&mut self, metadata: MetricMetadata<'_>) {
        let hash = heard::hash_of(&metadata, self.shards.hash_seed());
        if self.heard.contains(hash) {
            return;
        }
        match self.metadata.consider(&metadata) {
            Hearing::Known => self.heard.insert(hash),
            Hearing::New => self.news.push(News::of(&metadata)),
            Hearing::Refused => *self.refused_news += 1,
        }
    }
}

// === impl News ===

impl News {
    fn of(metadata: &MetricMetadata<'_>) -> Self {
        Self {
            family: metadata.family.to_owned(),
            metric_type: metadata.metric_type,
            unit: metadata.unit.to_owned(),
            help: metadata.help.to_owned(),
        }
    }

    fn borrowed(&self) -> MetricMetadata<'_> {
        let Self { family, metric_type, unit, help } = self;
        MetricMetadata { family, metric_type: *metric_type, unit, help }
    }
}

// === impl IntakePool ===

impl IntakePool {
    pub(super) fn new(shards: usize) -> Self {
        Self { kept: Mutex::default(), shards }
    }

    /// An empty intake.
    pub(super) fn take(&self) -> Intake {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Intake {
            message: Vec::new(),
            decoder: Decoder::default(),
            batches: (0..self.shards).map(|_| SampleBatch::default()).collect(),
            own: OwnOutput::default(),
            heard: Heard::default(),
            news: Vec::new(),
            refused_news: 0,
        })
    }

    /// Keeps `intake` for a later request, unless there are enough or it has grown too large.
    pub(super) fn put_back(&self, mut intake: Intake) {
        if intake.capacity_bytes() > MAX_KEPT_BYTES {
            return;
        }
        intake.clear();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_KEPT {
            kept.push(intake);
        }
    }
}
