//! What each member sees of a row.

use super::{
    SCALED, SCALED_BY_BODY,
    scaling::{self, ColumnScale, N_SCALED},
};
use crate::{
    calibrate::Tail,
    features::{InputLayout, Statistic},
    score::{
        deviation::{N_STATISTICS, mean_of_largest, order_statistics},
        iforest::Forest,
        nearest::Nearest,
    },
};
use ndarray::{Array2, ArrayView2};

/// Further from ordinary than this is not stranger.
const CLIP: f64 = 200.0;

/// Calendar columns that the window member sees: sine and cosine of the hour. The day of the week is
/// left out: in two weeks of training every weekday occurs twice.
const HOUR_COLUMNS: usize = 2;

/// The statistics whose order statistics the deviation member sees.
pub(super) const VIEWS: [Statistic; 3] = [Statistic::Value, Statistic::Deviation, Statistic::Spread];

/// What a member looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// Scaled mean and spread of every feature, on a logarithmic scale, and the hour of the day.
    Window,
    /// Order statistics of the scaled values, deviations and spreads of all features.
    Deviation,
    /// Scaled short mean and deviation of every feature, on a logarithmic scale. No forest, but the distance to the
    /// nearest of a few training rows: it sees many features that are each a little off.
    Nearest,
    /// In models of format 2 in place of it: the value of every feature where it has the short mean.
    NearestValue,
    /// How far the features that are furthest from ordinary are. No forest: a forest cannot tell far
    /// from very far beyond the rows it was grown from, and one feature among many hardly shortens a path.
    Extreme,
    /// The mean of the five largest jumps of any feature.
    Jumps,
    /// The mean of the five largest deviations of any feature's mean or spread from what is usual.
    Levels,
}

/// What turns inputs into a raw score, with its calibration.
#[derive(Clone, Debug)]
pub struct Member {
    /// What it looks at.
    pub kind: MemberKind,
    /// What turns the columns of its kind into a raw score. Invariant: of as many columns as its kind has, and of
    /// the sort that its kind has.
    pub scorer: Scorer,
    /// From its raw score to a tail probability.
    pub tail: Tail,
}

/// What turns the columns of a member into a raw score.
#[derive(Clone, Debug)]
pub enum Scorer {
    /// Of [`MemberKind::Window`] and [`MemberKind::Deviation`].
    Forest(Forest),
    /// Of [`MemberKind::Nearest`] and [`MemberKind::NearestValue`].
    Nearest(Nearest),
    /// The only column is the raw score: of all others.
    Itself,
}

/// One row of inputs, scaled.
#[derive(Clone, Debug)]
pub(crate) struct ScaledRow {
    /// For each of [`SCALED`], then of [`SCALED_BY_BODY`] in turn: all features, clipped; NaN = missing.
    z: Vec<f32>,
    hour: [f32; HOUR_COLUMNS],
    n_features: usize,
}

// === impl ScaledRow ===

impl ScaledRow {
    /// Scales `columns` (as [`InputLayout`]) by `scales`, which are those of [`Scales`](super::Scales).
    pub(crate) fn new(layout: InputLayout, scales: &[ColumnScale], columns: &[f64]) -> Self {
        let mut z = Vec::with_capacity(scales.len());
        for (index, statistic) in SCALED.into_iter().chain(SCALED_BY_BODY).enumerate() {
            for feature in 0..layout.n_features {
                let scale = scales[feature * N_SCALED + index];
                let scaled = scale.scaled(columns[layout.column(feature, statistic)]);
                z.push(scaled.clamp(-CLIP, CLIP) as f32);
            }
        }
        let calendar = layout.calendar();
        let hour = [columns[calendar] as f32, columns[calendar + 1] as f32];
        Self { z, hour, n_features: layout.n_features }
    }

    /// The row with one feature further from ordinary: by `push` units in all its statistics, upwards when
    /// `push` is positive; the spread always grows.
    pub(crate) fn with_fault(&self, feature: usize, push: f32) -> Self {
        let mut faulty = self.clone();
        let limit = CLIP as f32;
        let statistics = SCALED.into_iter().chain(SCALED_BY_BODY);
        for (statistic, z) in statistics.zip(faulty.z.chunks_exact_mut(self.n_features)) {
            let push = if statistic == Statistic::Spread { push.abs() } else { push };
            z[feature] = (z[feature] + push).clamp(-limit, limit);
        }
        faulty
    }

    /// All features' deviations in one statistic.
    pub(super) fn view(&self, statistic: Statistic) -> &[f32] {
        self.columns(scaling::place(statistic).unwrap_or(0), 1)
    }

    /// All features' means, then all features' spreads, by the unit of their body.
    fn levels(&self) -> &[f32] {
        self.columns(SCALED.len(), 2)
    }

    fn columns(&self, first: usize, count: usize) -> &[f32] {
        &self.z[first * self.n_features..(first + count) * self.n_features]
    }
}

// === impl MemberKind ===

impl MemberKind {
    /// The members of a model, in their order.
    pub const ALL: [Self; 4] = [Self::Window, Self::Deviation, Self::Nearest, Self::Extreme];

    /// What ranks rows beside them and alarms nobody, in its order; models of format 1 and 2 have nothing of it.
    pub const RANKERS: [Self; 2] = [Self::Jumps, Self::Levels];

    /// The members of models of format 2.
    pub const SECOND: [Self; 4] = [Self::Window, Self::Deviation, Self::NearestValue, Self::Extreme];

    /// The members of models of format 1.
    pub const FIRST: [Self; 3] = [Self::Window, Self::Deviation, Self::Extreme];

    /// The weight of its evidence in a raw score. The members that look at the whole vector of the moment rank best; the
    /// window member is slow to forget and the extreme one sees a single feature: they keep alarms from being false, and
    /// blur what ranks (`docs/decisions/025-rankers.md`).
    pub(super) fn rank_weight(self) -> f64 {
        match self {
            Self::Deviation | Self::Nearest | Self::NearestValue => 1.0,
            Self::Jumps | Self::Levels => 0.5,
            Self::Window | Self::Extreme => 0.0,
        }
    }

    /// Whether its scorer is a forest.
    pub(crate) fn has_forest(self) -> bool {
        matches!(self, Self::Window | Self::Deviation)
    }

    /// Whether its scorer is a sample of rows.
    pub(crate) fn has_rows(self) -> bool {
        matches!(self, Self::Nearest | Self::NearestValue)
    }

    /// Columns of the forest.
    pub(crate) fn n_columns(self, layout: InputLayout) -> usize {
        match self {
            Self::Window => 2 * layout.n_features + HOUR_COLUMNS,
            Self::Deviation => VIEWS.len() * N_STATISTICS,
            Self::Nearest | Self::NearestValue => 2 * layout.n_features,
            Self::Extreme | Self::Jumps | Self::Levels => 1,
        }
    }

    /// What the member sees of `rows`; every number is finite.
    pub(crate) fn rows(self, layout: InputLayout, rows: &[ScaledRow]) -> Array2<f32> {
        let mut into = Array2::zeros((rows.len(), self.n_columns(layout)));
        for (row, mut into) in rows.iter().zip(into.rows_mut()) {
            // Rows of a fresh array are contiguous.
            if let Some(into) = into.as_slice_mut() {
                self.write(row, into);
            }
        }
        into
    }

    fn write(self, row: &ScaledRow, into: &mut [f32]) {
        match self {
            Self::Window => {
                let level_and_spread =
                    row.view(Statistic::Mean).iter().chain(row.view(Statistic::Spread)).copied();
                let all = level_and_spread.map(signed_log).chain(row.hour);
                into.iter_mut().zip(all).for_each(|(into, value)| *into = value);
            }
            Self::Deviation => {
                for (statistic, into) in VIEWS.into_iter().zip(into.chunks_exact_mut(N_STATISTICS)) {
                    order_statistics(row.view(statistic), into);
                }
            }
            Self::Nearest => write_near(row, Statistic::Short, into),
            Self::NearestValue => write_near(row, Statistic::Value, into),
            Self::Extreme => into.fill(extreme(row)),
            Self::Jumps => into.fill(mean_of_largest(row.view(Statistic::Jump))),
            Self::Levels => into.fill(mean_of_largest(row.levels())),
        }
    }
}

// === impl Scorer ===

impl Scorer {
    /// The raw score of each of `rows`, which are as [`MemberKind::rows`] made them.
    pub(crate) fn raw_scores(&self, rows: ArrayView2<'_, f32>, into: &mut [f64]) {
        match self {
            Self::Forest(forest) => forest.raw_scores(rows, into),
            Self::Nearest(nearest) => nearest.distances(rows, into),
            Self::Itself => {
                into.iter_mut().zip(rows.rows()).for_each(|(into, row)| *into = f64::from(row[0]))
            }
        }
    }

    /// Its forest, where it has one.
    #[must_use]
    pub fn forest(&self) -> Option<&Forest> {
        match self {
            Self::Forest(forest) => Some(forest),
            Self::Nearest(_) | Self::Itself => None,
        }
    }
}

fn write_near(row: &ScaledRow, level: Statistic, into: &mut [f32]) {
    let near = row.view(level).iter().chain(row.view(Statistic::Deviation));
    into.iter_mut().zip(near).for_each(|(into, z)| *into = signed_log(*z));
}

/// The logarithm of the largest deviation of any feature, in its value or against its own recent mean.
fn extreme(row: &ScaledRow) -> f32 {
    let deviations = row.view(Statistic::Value).iter().chain(row.view(Statistic::Deviation));
    // `max` passes over a missing value.
    deviations.fold(0.0_f32, |largest, z| largest.max(z.abs())).ln_1p()
}

/// Sign and logarithm of the size: one spike in training must not hide all smaller ones behind it. A
/// missing value is ordinary.
fn signed_log(z: f32) -> f32 {
    if z.is_nan() { 0.0 } else { z.abs().ln_1p().copysign(z) }
}
