//! Robust scaling: how far from ordinary a number is, in units of its ordinary variation.

use crate::{
    explain::{Expected, FeatureScales, Scale},
    features::{InputLayout, Statistic},
    series::LabelSet,
};
use ndarray::ArrayView2;

/// The statistics that are scaled by [`ColumnScale::fit`], in the order of the scaled columns within a feature.
pub const SCALED: [Statistic; 5] =
    [Statistic::Value, Statistic::Mean, Statistic::Spread, Statistic::Deviation, Statistic::Short];

/// Those that are scaled by [`ColumnScale::fit_body`]; their columns stand behind the others.
pub const SCALED_BY_BODY: [Statistic; 3] = [Statistic::Mean, Statistic::Spread, Statistic::Jump];

/// Scaled columns of a feature.
pub(super) const N_SCALED: usize = SCALED.len() + SCALED_BY_BODY.len();

/// An entity with fewer training rows than this is scaled like an unknown one.
pub(crate) const MIN_ENTITY_ROWS: usize = 128;

/// Makes a median absolute deviation, or an interquartile range, of normal data its standard deviation.
const MAD_TO_SIGMA: f64 = 1.4826;
/// Half a percent of a normal distribution lies above so many standard deviations.
const Z_995: f64 = 2.576;
const IQR_TO_SIGMA: f64 = 1.0 / 1.349;
/// Unit of a column that never moved, as a share of its level, or of 1 where that is 0: what was always 0.5, or always
/// none a second, and is not any more is news; the last digits of a number are not.
const CONSTANT_UNIT: f64 = 0.01;

/// Ordinary level and variation of one column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnScale {
    /// Median.
    pub center: f64,
    /// Unit of deviation. Invariant: finite and above 0.
    pub unit: f64,
}

/// What is ordinary for one entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Scales {
    /// Feature by feature, each as [`SCALED`], then as [`SCALED_BY_BODY`].
    pub columns: Vec<ColumnScale>,
    /// For each feature the range of all but 5 % of its values; for explanations only.
    pub expected: Vec<Expected>,
}

/// The scales of all columns, pooled and for each known entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// For entities that were not in the training data.
    pub(super) pooled: Scales,
    /// Invariant: ascending by entity, without repeats.
    pub(super) entities: Vec<(LabelSet, Scales)>,
}

/// The place of a statistic among the scaled columns of a feature, the first where there are two.
pub(super) fn place(statistic: Statistic) -> Option<usize> {
    SCALED.into_iter().chain(SCALED_BY_BODY).position(|scaled| scaled == statistic)
}

// === impl Scaling ===

impl Scaling {
    /// Learns from `rows` (row x column of [`InputLayout`]); `entity_of` gives each row's index in
    /// `entities`, which ascends.
    pub(crate) fn fit(
        layout: InputLayout,
        rows: ArrayView2<'_, f64>,
        entity_of: &[usize],
        entities: &[LabelSet],
    ) -> Self {
        let all: Vec<usize> = (0..rows.nrows()).collect();
        let mut by_entity: Vec<Vec<usize>> = vec![Vec::new(); entities.len()];
        for (row, entity) in entity_of.iter().enumerate() {
            by_entity[*entity].push(row);
        }
        let known = entities.iter().zip(&by_entity).filter(|(_, own)| own.len() >= MIN_ENTITY_ROWS);
        Self {
            pooled: scales(layout, rows, &all),
            entities: known.map(|(entity, own)| (entity.clone(), scales(layout, rows, own))).collect(),
        }
    }

    /// The scales of `entity`; the pooled ones when it is unknown.
    #[must_use]
    pub fn of(&self, entity: &LabelSet) -> &Scales {
        match self.entities.binary_search_by(|(known, _)| known.cmp(entity)) {
            Ok(index) => &self.entities[index].1,
            Err(_) => &self.pooled,
        }
    }

    /// How many entities have scales of their own.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.entities.len()
    }

    /// Whether `entity` has scales of its own.
    #[must_use]
    pub fn knows(&self, entity: &LabelSet) -> bool {
        self.entities.binary_search_by(|(known, _)| known.cmp(entity)).is_ok()
    }
}

// === impl Scales ===

impl Scales {
    /// The scale of a feature's value, which there is.
    pub(crate) fn value(&self, feature: usize) -> ColumnScale {
        self.columns[feature * N_SCALED]
    }

    /// What is ordinary for a feature; none for one that is not there.
    pub(super) fn usual(&self, feature: usize) -> Option<FeatureScales> {
        let columns = self.columns.chunks_exact(N_SCALED).nth(feature)?;
        let range = *self.expected.get(feature)?;
        let ordinary = |column: ColumnScale| Scale { center: column.center, unit: column.unit };
        let [value, level, spread, deviation, ..] = <[ColumnScale; N_SCALED]>::try_from(columns).ok()?;
        let constant = value.is_of_a_constant() && range.low == value.center && range.high == value.center;
        Some(FeatureScales {
            value: ordinary(value),
            level: ordinary(level),
            spread: ordinary(spread),
            deviation: ordinary(deviation),
            range,
            constant,
        })
    }
}

// === impl ColumnScale ===

impl ColumnScale {
    /// Median and robust unit of `values` (sorted here): 1.4826 MAD, or else IQR / 1.349, or else the
    /// standard deviation; at least what puts the outermost 1 % of the distances from the median where those
    /// of a normal distribution are, 1 % of the range, and a thousandth of the median. A column without variation has
    /// a hundredth of its level, or of 1 where that is 0; one without values has unit 1.
    #[must_use]
    pub fn fit(values: &mut [f64]) -> Self {
        Self::of(values, true)
    }

    /// As [`Self::fit`], but without a look at the outermost 1 %: in a feature that seldom moves, what seldom happens
    /// stays far from ordinary.
    #[must_use]
    pub fn fit_body(values: &mut [f64]) -> Self {
        Self::of(values, false)
    }

    fn of(values: &mut [f64], with_tails: bool) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let (Some(first), Some(last)) = (values.first(), values.last()) else {
            return Self { center: 0.0, unit: 1.0 };
        };
        let (center, range) = (quantile(values, 0.5), last - first);
        if range == 0.0 {
            return Self { center, unit: constant_unit(center) };
        }
        let mut distances: Vec<f64> = values.iter().map(|value| (value - center).abs()).collect();
        distances.sort_unstable_by(f64::total_cmp);
        let robust = [
            MAD_TO_SIGMA * quantile(&distances, 0.5),
            IQR_TO_SIGMA * (quantile(values, 0.75) - quantile(values, 0.25)),
            standard_deviation(values),
        ];
        let unit = robust.into_iter().find(|unit| *unit > 0.0).unwrap_or(1.0);
        // What occurs every night is ordinary, however far it is from the median: the outermost 1 %
        // begins no earlier than where that of a normal distribution would.
        let tails = if with_tails { quantile(&distances, 0.99) / Z_995 } else { 0.0 };
        let unit = unit.max(tails).max(0.01 * range).max(0.001 * center.abs());
        // Values at the end of the number range can overflow all of the above.
        if unit.is_finite() { Self { center, unit } } else { Self { center, unit: f64::MAX } }
    }

    /// Whether [`Self::fit`] leaves a column that has one value only like this, or did in models of format 1, where such
    /// a column had unit 1.
    fn is_of_a_constant(self) -> bool {
        self.unit == constant_unit(self.center) || self.unit == 1.0
    }

    /// The scaled deviation; NaN stays NaN.
    #[must_use]
    pub fn scaled(self, value: f64) -> f64 {
        (value - self.center) / self.unit
    }
}

fn constant_unit(center: f64) -> f64 {
    let level = if center == 0.0 { 1.0 } else { center.abs() };
    (CONSTANT_UNIT * level).max(f64::MIN_POSITIVE)
}

fn scales(layout: InputLayout, rows: ArrayView2<'_, f64>, chosen: &[usize]) -> Scales {
    let mut columns = Vec::with_capacity(layout.n_features * N_SCALED);
    let mut expected = Vec::with_capacity(layout.n_features);
    let known = |feature, statistic| -> Vec<f64> {
        let column = layout.column(feature, statistic);
        chosen.iter().map(|row| rows[[*row, column]]).filter(|value| value.is_finite()).collect()
    };
    for feature in 0..layout.n_features {
        for statistic in SCALED {
            let mut values = known(feature, statistic);
            columns.push(ColumnScale::fit(&mut values));
            if statistic == Statistic::Value {
                expected.push(ordinary_range(&values));
            }
        }
        for statistic in SCALED_BY_BODY {
            columns.push(ColumnScale::fit_body(&mut known(feature, statistic)));
        }
    }
    Scales { columns, expected }
}

/// All but the lowest and the highest 2.5 % of the sorted values.
pub(super) fn ordinary_range(sorted: &[f64]) -> Expected {
    if sorted.is_empty() {
        return Expected { low: 0.0, high: 0.0 };
    }
    Expected { low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) }
}

/// Linear interpolation between the sorted values; there is at least one.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

fn standard_deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fit(values: &[f64]) -> ColumnScale {
        ColumnScale::fit(&mut values.to_vec())
    }

    #[test]
    fn the_unit_is_the_first_of_the_three_that_is_not_zero() {
        // Median 3, absolute deviations 0 1 1 2 2.
        assert_eq!(fit(&[1.0, 2.0, 3.0, 4.0, 5.0]), ColumnScale { center: 3.0, unit: 1.4826 });
        // More than half equal, so MAD 0; quartiles 0 and 1.
        let iqr = fit(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!(iqr, ColumnScale { center: 0.0, unit: 1.0 / 1.349 });
        // More than three quarters equal: variance 0.004 * 0.996, and the 0.5 % quantiles are 0.
        let mut rare = [0.0; 250];
        rare[0] = 1.0;
        assert!((fit(&rare).unit - (0.004_f64 * 0.996).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn floors_and_constants() {
        assert_eq!(fit(&[8.0; 9]).unit, 0.08);
        assert_eq!(fit(&[0.0; 9]).unit, 0.01);
        assert_eq!(fit(&[]), ColumnScale { center: 0.0, unit: 1.0 });
        // MAD 1e-3, and one spike in a thousand: the range of 100 lifts the unit to 1.
        let mut spike: Vec<f64> = (0..999).map(|n| if n % 2 == 0 { 1e-3 } else { -1e-3 }).collect();
        spike.push(100.0 - 1e-3);
        assert_eq!(fit(&spike).unit, 1.0);
        // A thousandth of the median.
        assert_eq!(fit(&[1e6 - 1.0, 1e6, 1e6 + 1.0]).unit, 1000.0);
    }

    /// Also where the unit of a constant once was 1, and at any level.
    #[test]
    fn a_feature_that_never_varied_is_known_as_such() {
        let usual = |value: ColumnScale, low: f64, high: f64| {
            let columns = vec![value; N_SCALED];
            Scales { columns, expected: vec![Expected { low, high }] }.usual(0).unwrap().constant
        };
        for level in [0.0, 0.5, -7.0, 1e6] {
            assert!(usual(fit(&[level; 9]), level, level), "{level}");
            assert!(usual(ColumnScale { center: level, unit: 1.0 }, level, level), "{level}");
        }
        // One row in a hundred is elsewhere, which all but 5 % of the values do not show.
        let mut rare = [8.0; 200];
        rare[..2].fill(9.0);
        assert!(!usual(fit(&rare), 8.0, 8.0));
        assert!(!usual(fit(&[1.0, 2.0, 3.0]), 1.0, 3.0));
    }

    #[test]
    fn what_one_row_in_ten_does_is_within_three_units() {
        // MAD 0.5 of the quiet rows; the other tenth is at 100, so the 99.5 % quantile is 100 as well.
        let values: Vec<f64> =
            (0..1000).map(|n| if n % 10 == 0 { 100.0 } else { f64::from(n % 2) - 0.5 }).collect();
        let scale = fit(&values);
        assert!((scale.scaled(100.0) - Z_995).abs() < 0.02, "{scale:?}");
    }

    #[test]
    fn what_one_row_in_ten_does_is_far_from_the_body() {
        let mut values: Vec<f64> =
            (0..1000).map(|n| if n % 10 == 0 { 100.0 } else { f64::from(n % 2) - 0.5 }).collect();
        // Median -0.5 or 0.5, half of the rows 1 away and half 0 or less: the range of 100.5 gives the unit.
        assert!((ColumnScale::fit_body(&mut values).scaled(100.0).abs() - 100.0).abs() < 1.0);
    }

    proptest! {
        /// For all values, the unit is finite and above zero.
        #[test]
        fn the_unit_is_always_usable(mut values in prop::collection::vec(prop::num::f64::NORMAL, 0..20)) {
            let scale = ColumnScale::fit(&mut values);
            prop_assert!(scale.unit.is_finite() && scale.unit > 0.0 && scale.center.is_finite());
        }
    }
}
