//! Where a value is heading.
//!
//! A leak, or a disk that fills, is a slow line: no half hour of it is unlike another, and when its limit is passed it is late. So
//! the features that have limits are remembered for two hours, as means over ten minutes, with a line through them
//! (least squares). Where these means lie **on** that line, it leads beyond the limit within a day, and the value has left the
//! range that is usual for its entity already, the limit is said to be near. It is the alert that people write with
//! `predict_linear`, without its false alarms: a line through what goes up and down each day, or through a single jump, is no
//! line that the means lie on.

use super::rules::FeatureRules;
use crate::{
    calibrate::{Bound, Limits},
    explain::Expected,
    features::FeatureMatrix,
    series::{LabelSet, TimestampMs},
};
use std::collections::{BTreeMap, VecDeque};

/// Over so long values are averaged, or over a step where that is longer.
const MEAN_MS: i64 = 600_000;

/// Means on a line.
const MEANS: usize = 12;

/// Fewer of them are no line.
const LEAST_MEANS: usize = 6;

/// A line explains at least so much of the squares of its means.
const LEAST_EXPLAINED: f64 = 0.9;

/// A value has left what is usual where it is beyond by so many widths of that: the top of a high day is no leak.
const LEFT: f64 = 0.5;

/// A limit that is further away says nothing yet.
const HORIZON_MS: i64 = 86_400_000;

/// The lines of one detector's entities.
#[derive(Debug)]
pub(super) struct Forecasts {
    mean_ms: i64,
    /// That of the last step.
    period: i64,
    /// Those features of an entity that have limits, by place.
    entities: BTreeMap<LabelSet, Vec<(usize, Course)>>,
}

/// The last two hours of one feature.
#[derive(Clone, Debug, Default)]
struct Course {
    /// The stretch of time that is being averaged.
    period: i64,
    sum: f64,
    count: u32,
    /// Number of the period, and mean; the newest last.
    means: VecDeque<(i64, f64)>,
    /// Through the means; `None` where there are too few, or they lie on none.
    slope: Option<f64>,
}

/// That a limit is near.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Forecast {
    /// Which.
    pub(super) bound: Bound,
    /// When it is reached at this pace.
    pub(super) after_ms: i64,
}

// === impl Forecasts ===

impl Forecasts {
    /// Has seen nothing, of steps so far apart.
    pub(super) fn new(step_ms: i64) -> Self {
        Self { mean_ms: MEAN_MS.max(step_ms), period: i64::MIN, entities: BTreeMap::new() }
    }

    /// Bytes of one entity with so many features that have limits.
    pub(super) fn bytes_an_entity(n_limited: usize) -> usize {
        size_of::<LabelSet>() + n_limited * (size_of::<(usize, Course)>() + MEANS * size_of::<(i64, f64)>())
    }

    /// Takes the values of a step; `rules_of` gives the rules of an entity, by feature.
    pub(super) fn take<'a>(
        &mut self,
        matrix: &FeatureMatrix,
        rules_of: impl Fn(&LabelSet) -> &'a [FeatureRules],
    ) {
        let period = matrix.at.0.div_euclid(self.mean_ms);
        if period != self.period {
            self.period = period;
            // Of whom nothing was heard for as long as means are kept none is left.
            let is_gone = |course: &Course| period.saturating_sub(course.period) > MEANS as i64;
            self.entities.retain(|_, courses| courses.iter().any(|(_, course)| !is_gone(course)));
        }
        for (entity, row) in matrix.entities.iter().zip(matrix.values.rows()) {
            let rules = rules_of(entity);
            if rules.iter().all(|rules| rules.limits.is_none()) {
                continue;
            }
            if !self.entities.contains_key(entity) {
                let limited = rules.iter().enumerate().filter(|(_, rules)| rules.limits.is_some());
                let courses = limited.map(|(feature, _)| (feature, Course::default())).collect();
                self.entities.insert(entity.clone(), courses);
            }
            for (feature, course) in self.entities.get_mut(entity).into_iter().flatten() {
                course.take(period, row.get(*feature).copied().unwrap_or(f64::NAN));
            }
        }
    }

    /// The limit that a feature is heading for, if that is so at step `at`; `usual` is where it usually lies.
    pub(super) fn of(
        &self,
        entity: &LabelSet,
        feature: usize,
        at: TimestampMs,
        seen: f64,
        limits: Limits,
        usual: impl FnOnce() -> Option<Expected>,
    ) -> Option<Forecast> {
        let (_, course) = self.entities.get(entity)?.iter().find(|(of, _)| *of == feature)?;
        let slope = course.slope_at(at.0.div_euclid(self.mean_ms))?;
        let (bound, far) = if slope > 0.0 {
            let above = limits.above().filter(|above| seen <= *above)?;
            (Bound::Above(above), above - seen)
        } else {
            let below = limits.below().filter(|below| seen >= *below)?;
            (Bound::Below(below), below - seen)
        };
        let after_ms = far / slope * self.mean_ms as f64;
        let is_near = after_ms <= HORIZON_MS as f64;
        let has_left = |Expected { low, high }: Expected| match bound {
            Bound::Above(_) => seen > high + LEFT * (high - low),
            Bound::Below(_) => seen < low - LEFT * (high - low),
        };
        (is_near && usual().is_some_and(has_left)).then_some(Forecast { bound, after_ms: after_ms as i64 })
    }

    pub(super) fn forget(&mut self, entity: &LabelSet) {
        self.entities.remove(entity);
    }
}

// === impl Course ===

impl Course {
    fn take(&mut self, period: i64, value: f64) {
        if period != self.period {
            self.end_period(period);
        }
        if value.is_finite() {
            self.sum += value;
            self.count += 1;
        }
    }

    fn end_period(&mut self, next: i64) {
        if self.count > 0 {
            self.means.push_back((self.period, self.sum / f64::from(self.count)));
        }
        (self.period, self.sum, self.count) = (next, 0.0, 0);
        let oldest = next.saturating_sub(MEANS as i64);
        while self.means.front().is_some_and(|(period, _)| *period < oldest) {
            self.means.pop_front();
        }
        self.slope = self.line();
    }

    /// The slope a period of the line through the means, where they lie on it.
    fn line(&self) -> Option<f64> {
        if self.means.len() < LEAST_MEANS {
            return None;
        }
        let n = self.means.len() as f64;
        let newest = self.means.back()?.0;
        let points = || self.means.iter().map(|(period, mean)| ((period - newest) as f64, *mean));
        let (mean_x, mean_y) = points().fold((0.0, 0.0), |(x, y), point| (x + point.0 / n, y + point.1 / n));
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (x, y) in points() {
            let (x, y) = (x - mean_x, y - mean_y);
            (xx, xy, yy) = (xx + x * x, xy + x * y, yy + y * y);
        }
        // Squares of 0 are those of a constant.
        let explained = xy * xy / (xx * yy);
        (explained >= LEAST_EXPLAINED).then_some(xy / xx)
    }

    /// None either where the newest mean is not of the period before this one.
    fn slope_at(&self, period: i64) -> Option<f64> {
        let newest = self.means.back()?.0;
        self.slope.filter(|_| period - newest <= 1)
    }
}

#[cfg(test)]
mod tests;
