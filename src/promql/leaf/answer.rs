//! What a shard answers to a leaf request.

use crate::{
    promql::{matrix::Matrix, rows::Rows},
    series::{HistogramSample, LabelSet, Sample},
};

/// The rows of an answer, to be given to the next step's: as long as they are the same nothing has to be
/// worked out anew.
#[derive(Clone, Debug, Default)]
pub struct LeafRows(pub(in crate::promql) Rows);

/// The answer to a [`super::LeafRequest`].
#[derive(Clone, Debug, Default)]
pub struct LeafMatrix {
    pub(in crate::promql) answer: Answer,
}

#[derive(Clone, Debug)]
pub(in crate::promql) enum Answer {
    /// A point for each series and step.
    Steps(Matrix),
    /// The samples of each series, stale markers left out; ascending by labels.
    Samples(Vec<RangeSeries>),
}

/// A series of a range vector.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::promql) struct RangeSeries {
    pub(in crate::promql) labels: LabelSet,
    pub(in crate::promql) samples: Vec<Sample>,
    /// Its native histograms.
    pub(in crate::promql) histograms: Vec<HistogramSample>,
}

// === impl LeafMatrix ===

impl LeafMatrix {
    /// The answers of several shards to the same request as one, in label order: the same whatever their
    /// number.
    #[must_use]
    pub fn merge(parts: Vec<Self>) -> Self {
        let (mut matrices, mut series) = (Vec::new(), Vec::new());
        for part in parts {
            match part.answer {
                Answer::Steps(matrix) => matrices.push(matrix),
                Answer::Samples(mut part) => series.append(&mut part),
            }
        }
        let all: Self = match matrices.is_empty() {
            true => Answer::Samples(series).into(),
            false => Matrix::laid_end_to_end(matrices).into(),
        };
        all.sorted()
    }

    /// Its rows, for the next step.
    #[must_use]
    pub fn rows(&self) -> LeafRows {
        match &self.answer {
            Answer::Steps(matrix) => LeafRows(matrix.shared_rows().cloned().unwrap_or_default()),
            Answer::Samples(_) => LeafRows::default(),
        }
    }

    /// In label order.
    pub(in crate::promql) fn sorted(self) -> Self {
        match self.answer {
            Answer::Steps(matrix) => matrix.sorted().into(),
            Answer::Samples(mut series) => {
                // The stable sort finds the sorted runs and merges them.
                series.sort_by(|a, b| a.labels.cmp(&b.labels));
                Answer::Samples(series).into()
            }
        }
    }

    /// Whether no series has anything to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.answer {
            Answer::Steps(matrix) => matrix.row_count() == 0,
            Answer::Samples(series) => series.is_empty(),
        }
    }

    /// Points held.
    pub(in crate::promql) fn point_count(&self) -> usize {
        match &self.answer {
            Answer::Steps(matrix) => matrix.cell_count(),
            Answer::Samples(series) => series.iter().map(RangeSeries::weight).sum(),
        }
    }
}

// === impl RangeSeries ===

impl RangeSeries {
    /// What it counts in the budget of a query: a point for each float, and for sixteen bytes of a
    /// histogram (as in Prometheus).
    pub(in crate::promql) fn weight(&self) -> usize {
        let histograms = self.histograms.iter().map(|sample| sample.size_bytes().div_ceil(16));
        self.samples.len() + histograms.sum::<usize>()
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self::Samples(Vec::new())
    }
}

impl From<Answer> for LeafMatrix {
    fn from(answer: Answer) -> Self {
        Self { answer }
    }
}

impl From<Matrix> for LeafMatrix {
    fn from(matrix: Matrix) -> Self {
        Self { answer: Answer::Steps(matrix) }
    }
}
