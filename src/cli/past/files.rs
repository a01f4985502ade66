//! The past out of files of exposition text.

use crate::{
    cli::progress,
    exposition::{Exposition, MAX_LINE_BYTES, Recorded, Recorder, Recording},
    history::{Counts, Slice},
    series::{LabelMatcher, SampleBatch, TimestampMs},
};
use anyhow::{Context as _, anyhow};
use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;
use std::{
    fs::File,
    hash::{BuildHasher as _, RandomState},
    io::{BufRead as _, BufReader, Read},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// All samples of `paths` of the series of which all matchers of one of the lists hold. Files are texts of their own: each may have its
/// format.
pub(super) fn record(
    paths: &[PathBuf],
    wanted: Vec<Vec<LabelMatcher>>,
    max_samples: usize,
) -> anyhow::Result<Recording> {
    let progress = progress(paths);
    let mut recorder = Recorder::new(wanted, max_samples, RandomState::new().hash_one("series"));
    for path in paths {
        read(path, &progress, &mut recorder).with_context(|| format!("cannot read {}", path.display()))?;
    }
    progress.finish_and_clear();
    Ok(recorder.finish())
}

fn read(path: &Path, progress: &ProgressBar, recorder: &mut Recorder) -> anyhow::Result<()> {
    let file = BufReader::new(progress.wrap_read(File::open(path)?));
    let bytes: Box<dyn Read> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let (mut bytes, mut line) = (BufReader::new(bytes), Vec::new());
    let mut exposition = Exposition::default();
    loop {
        line.clear();
        // A byte more than a line may have, so that it is seen to be too long; and the line break.
        if bytes.by_ref().take(MAX_LINE_BYTES as u64 + 2).read_until(b'\n', &mut line)? == 0 {
            return Ok(exposition.finish()?);
        }
        if let Some(exposed) = exposition.take(&line)? {
            let taken = recorder.take(exposed.labels, exposed.sample);
            taken.map_err(|error| anyhow!("{error}; give fewer files, or a larger --max-samples"))?;
        }
    }
}

/// A slice of a recording as one of a store.
pub(super) fn slice((range, batch): (RangeInclusive<TimestampMs>, SampleBatch)) -> Slice {
    let (series, samples) = (batch.len() as u64, batch.sample_count() as u64);
    Slice { range, batch, counts: Counts { series, samples, left_out: 0 } }
}

/// What was read and what became of it, a line each.
pub(super) fn said(counts: &Recorded) -> Vec<String> {
    let Recorded { read, series, kept, repeated, conflicting } = counts;
    let all = format!("the files have {read} samples, {kept} of {series} series that are read");
    let repeated = (*repeated > 0).then(|| format!("left out: {repeated} samples that are there twice"));
    let conflicting = (*conflicting > 0).then(|| {
        format!("left out: {conflicting} samples with another value than an earlier one of the same series and time")
    });
    [Some(all), repeated, conflicting].into_iter().flatten().collect()
}
