//! Every series of some selectors as a value of its own, without an expression.
//!
//! An expression cannot say this: `rate()` drops the metric name, so that two counters of one selector would meet under
//! the same labels. Here a series keeps all its labels until the caller names it.

use super::{
    Leaf, LeafMatrix, LeafVector, MergeMemory,
    leaf::Answer,
    matrix::{Cell, Matrix},
    rows::Rows,
};
use crate::series::{LabelMatcher, LabelSet};

/// What is read of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesValue {
    /// The newest float sample within the lookback.
    Gauge,
    /// Growth per second of its float samples over the range, taken only between samples of which the counter did not fall:
    /// `rate()` where nothing restarts.
    Rate {
        /// The range.
        range_ms: i64,
    },
    /// `histogram_count(rate())`: observations per second of a native histogram. A series without one has no value.
    ObservationRate {
        /// The range.
        range_ms: i64,
    },
}

/// Some selectors, each with what is read of its series: at every step one value for each of them.
///
/// Its leaves go the way of those of a [`super::Plan`].
#[derive(Clone, Debug)]
pub struct SeriesPlan {
    leaves: Vec<Leaf>,
    /// One for each leaf.
    values: Vec<SeriesValue>,
}

/// What an evaluation takes over from the one before: it changes no result.
#[derive(Debug, Default)]
pub struct SeriesMemory {
    /// For each leaf the rows it had, and what they were named.
    named: Vec<(Rows, Rows)>,
    merge: MergeMemory,
}

// === impl SeriesPlan ===

impl SeriesPlan {
    /// What is to be read of the series of each selector.
    #[must_use]
    pub fn new(parts: impl IntoIterator<Item = (Vec<LabelMatcher>, SeriesValue)>) -> Self {
        let leaf = |(matchers, value)| (Leaf::of_series(matchers, value), value);
        let (leaves, values) = parts.into_iter().map(leaf).unzip();
        Self { leaves, values }
    }

    /// One for each selector.
    #[must_use]
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// How far before a step samples are needed.
    #[must_use]
    pub fn retention_ms(&self) -> i64 {
        self.leaves.iter().filter_map(Leaf::reach).map(|reach| reach.back_ms).max().unwrap_or(0)
    }

    /// The value of every series, under what `name` makes of its labels; `answers` are the merged answers to
    /// [`Self::leaves`], in that order. Where several series get one name, it has the largest of their values: whatever
    /// their order, and the only one where selectors overlap.
    pub fn evaluate(
        &self,
        answers: &[&LeafMatrix],
        memory: &mut SeriesMemory,
        name: impl Fn(&LabelSet, SeriesValue) -> LabelSet,
    ) -> LeafVector {
        let SeriesMemory { named, merge } = memory;
        named.resize_with(self.leaves.len(), Default::default);
        let parts = answers.iter().zip(&self.values).zip(named);
        let parts =
            parts.map(|((answer, value), known)| renamed(answer, known, |labels| name(labels, *value)));
        let Answer::Steps(all) = merge.merge(parts.collect()).answer else { return Vec::new() };
        let mut vector: LeafVector = Vec::with_capacity(all.row_count());
        for (labels, cells) in all.rows() {
            let Some(value) = cells.first().and_then(|cell| cell.as_ref()?.float()) else { continue };
            match vector.last_mut() {
                Some((last, known)) if last == labels => *known = known.max(value),
                _ => vector.push((labels.clone(), value)),
            }
        }
        vector
    }
}

/// The answer of a leaf under other labels. `known` are its rows of the step before, with what they were named.
fn renamed(
    answer: &LeafMatrix,
    known: &mut (Rows, Rows),
    name: impl Fn(&LabelSet) -> LabelSet,
) -> LeafMatrix {
    let Answer::Steps(matrix) = &answer.answer else {
        return Matrix::of_rows(1, Rows::default(), Vec::new()).into();
    };
    let rows = matrix.shared_rows().cloned().unwrap_or_else(|| matrix.labels().to_vec().into());
    if !rows.is(&known.0) {
        let names = names(&rows, known, name);
        *known = (rows, names.into());
    }
    let cells: Vec<Cell> = matrix.rows().flat_map(|(_, cells)| cells.iter().cloned()).collect();
    Matrix::of_rows(matrix.steps(), known.1.clone(), cells).into()
}

/// A name for each of `rows`, which ascend as the known ones do; only those that are new are made.
fn names(
    rows: &[LabelSet],
    (sources, named): &(Rows, Rows),
    name: impl Fn(&LabelSet) -> LabelSet,
) -> Vec<LabelSet> {
    let mut known = sources.iter().zip(named.iter()).peekable();
    let name_of = |row: &LabelSet| {
        while known.next_if(|(source, _)| *source < row).is_some() {}
        match known.next_if(|(source, _)| *source == row) {
            Some((_, named)) => named.clone(),
            None => name(row),
        }
    };
    rows.iter().map(name_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        promql::{Budget, Grid, LeafRows},
        series::{HistogramSample, METRIC_NAME, NativeHistogram, Sample, TimestampMs},
        window::{Samples, SeriesView},
    };

    /// A series: labels, then samples and histograms as seconds and value.
    struct Series {
        labels: LabelSet,
        samples: Vec<Sample>,
        histograms: Vec<HistogramSample>,
    }

    fn labels(text: &[(&str, &str)]) -> LabelSet {
        LabelSet::from_pairs(text.iter().copied()).unwrap()
    }

    fn floats(name: &str, values: &[(i64, f64)]) -> Series {
        let samples = values.iter().map(|(second, value)| Sample::new(second * 1000, *value)).collect();
        Series { labels: labels(&[(METRIC_NAME, name)]), samples, histograms: Vec::new() }
    }

    fn histograms(name: &str, counts: &[(i64, f64)]) -> Series {
        let histogram = |(second, count): &(i64, f64)| {
            let histogram = NativeHistogram { count: *count, ..NativeHistogram::stale_marker() };
            HistogramSample::new(second * 1000, NativeHistogram { sum: 1.0, ..histogram })
        };
        Series { histograms: counts.iter().map(histogram).collect(), ..floats(name, &[]) }
    }

    /// What each of `parts` reads of all the series at second 600, by metric name.
    fn read(parts: &[SeriesValue], series: &[Series]) -> Vec<(String, f64)> {
        let plan = SeriesPlan::new(parts.iter().map(|value| (Vec::new(), *value)));
        let grid = Grid::instant(TimestampMs(600_000));
        let answer = |leaf: &Leaf| {
            let mut builder = leaf.request(&grid).begin(LeafRows::default());
            for Series { labels, samples, histograms } in series {
                let view = SeriesView { labels, samples: Samples::from(&samples[..]), histograms };
                builder.push(&view, &mut Budget::unlimited()).unwrap();
            }
            builder.finish()
        };
        let answers: Vec<LeafMatrix> = plan.leaves().iter().map(answer).collect();
        let answers: Vec<&LeafMatrix> = answers.iter().collect();
        let mut memory = SeriesMemory::default();
        let evaluate =
            |memory: &mut SeriesMemory| plan.evaluate(&answers, memory, |labels, _| labels.clone());
        let first = evaluate(&mut memory);
        assert_eq!(evaluate(&mut memory), first, "what is remembered changes nothing");
        first.into_iter().map(|(labels, value)| (labels.metric_name().to_owned(), value)).collect()
    }

    const RATE: SeriesValue = SeriesValue::Rate { range_ms: 60_000 };
    const OBSERVATIONS: SeriesValue = SeriesValue::ObservationRate { range_ms: 60_000 };

    /// Worked out by hand: ten a second, also where it began anew at 3 after 1,050, or only began at second 590.
    #[test]
    fn a_counter_is_a_rate_that_keeps_its_name_whenever_it_began() {
        let counter =
            floats("c_total", &[(545, 0.0), (555, 100.0), (570, 250.0), (585, 400.0), (600, 550.0)]);
        let reset = floats("r_total", &[(555, 900.0), (570, 1050.0), (585, 3.0), (600, 153.0)]);
        let young = floats("y_total", &[(590, 0.0), (600, 100.0)]);
        let rates = read(&[RATE], &[counter, reset, young, floats("z_total", &[(600, 1.0)])]);
        assert_eq!(rates, ["c_total", "r_total", "y_total"].map(|name| (name.to_owned(), 10.0)));
    }

    #[test]
    fn a_gauge_is_its_newest_sample_within_the_lookback() {
        let series = [floats("a", &[(200, 1.0), (590, 7.0)]), floats("old", &[(290, 1.0)])];
        assert_eq!(read(&[SeriesValue::Gauge], &series), [("a".to_owned(), 7.0)]);
    }

    #[test]
    fn a_native_histogram_is_its_rate_of_observations_and_nothing_else() {
        let series = [
            histograms("h", &[(545, 0.0), (570, 50.0), (600, 110.0)]),
            floats("f", &[(560, 1.0), (600, 9.0)]),
        ];
        assert_eq!(read(&[SeriesValue::Gauge], &series), [("f".to_owned(), 9.0)]);
        assert_eq!(read(&[OBSERVATIONS], &series), [("h".to_owned(), 2.0)]);
        let floats: Vec<_> = read(&[RATE], &series).into_iter().map(|(name, _)| name).collect();
        assert_eq!(floats, ["f"]);
    }

    #[test]
    fn what_two_selectors_read_is_there_once() {
        let series = [floats("a", &[(590, 7.0)]), floats("b", &[(590, 8.0)])];
        let both = read(&[SeriesValue::Gauge, SeriesValue::Gauge], &series);
        assert_eq!(both, [("a".to_owned(), 7.0), ("b".to_owned(), 8.0)]);
    }

    /// Names follow the series as they come and go.
    #[test]
    fn names_are_those_of_the_rows() {
        let rows = |names: &str| -> Rows {
            names.chars().map(|name| labels(&[("n", &name.to_string())])).collect::<Vec<_>>().into()
        };
        let name = |labels: &LabelSet| labels.with("named", "yes");
        let mut known = (Rows::default(), Rows::default());
        for step in ["bd", "abd", "ad", "", "cd", "d"] {
            let rows = rows(step);
            let named = names(&rows, &known, name);
            assert_eq!(named, rows.iter().map(name).collect::<Vec<_>>(), "{step}");
            known = (rows, named.into());
        }
    }
}
