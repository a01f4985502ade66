//! The samples themselves.

use super::{Counts, Journal, Past, Resumable, Written};
use crate::{
    cli::instant,
    config::{Config, Detector},
    pipeline::Extraction,
    series::{LabelSet, Labels, Sample, TimestampMs},
    window,
};
use anyhow::Context as _;
use std::collections::BTreeMap;

pub(super) fn header() -> Vec<u8> {
    b"timestamp,series,value\n".to_vec()
}

/// Slice by slice the samples of each series by time; a series that several selectors select is there once.
pub(super) fn write(
    past: &Past,
    config: &Config,
    detector: &Detector,
    journal: Journal,
    out: &mut Resumable,
) -> anyhow::Result<(Counts, Written)> {
    let until = *journal.range().end();
    let extraction = Extraction::new(config.compile(detector)?, window::Config::default(), journal.next);
    let mut written = Written::default();
    let counts = past.read(extraction.selectors(), journal.next..=until, "reading", |slice| {
        let mut series: BTreeMap<String, &[Sample]> = BTreeMap::new();
        for entry in slice.batch.iter() {
            let labels = Labels::of_canonical_text(entry.labels).map(|label| (label.name, label.value));
            let name = LabelSet::from_pairs(labels).context("labels of the store")?.to_string();
            if series.insert(name, entry.samples).is_none() {
                written.histograms += entry.histograms.len() as u64;
            }
        }
        let mut rows = csv::Writer::from_writer(Vec::new());
        for (name, samples) in &series {
            for sample in *samples {
                let (at, value) = (instant(sample.timestamp), sample.value.to_string());
                rows.write_record([at.as_str(), name, &value])?;
            }
            written.rows += samples.len() as u64;
        }
        let next: TimestampMs = slice.range.end().plus_ms(1);
        out.append(&rows.into_inner().context("a buffer in memory")?, next)
    })?;
    Ok((counts, written))
}
