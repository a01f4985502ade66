//! Whether the behaviour of a feature has changed: level, trend or spread of its window against what is ordinary for
//! them.
//!
//! A change must not hang on a few steps: it has to show in the whole window and in the window without the three steps
//! that are farthest from its median. A spike of up to three steps is an outlier and no change. Of a window whose level
//! is extraordinary, the better of two fits says how it came: one step from level to level, or a line. The spread is
//! measured about that fit, so that a step from one quiet level to another is no wider spread.
//!
//! A leap of the last three steps within the usual range is a change too, where nothing else is.
//!
//! When it changed is said only where the window shows it: where one step from level to level explains at least half of
//! the window's squares (of a spread: a third of those of the distances from the median).

use super::{BEYOND, FeatureScales};
use crate::{features::SHORT_STEPS, series::TimestampMs};

/// The most steps that a spike has.
const SPIKE_STEPS: usize = SHORT_STEPS;

/// A level or a spread that is spoken of has at least so many steps.
const MIN_SIDE: usize = SPIKE_STEPS + 1;

/// What a step must explain of the squares of a window, that its time can be told.
const TOLD_LEVEL: f64 = 1.0 / 2.0;
const TOLD_SPREAD: f64 = 1.0 / 3.0;

/// The last steps of one feature.
#[derive(Clone, Copy, Debug)]
pub struct Recent<'a> {
    /// Its values, oldest first; NaN where one is missing.
    pub values: &'a [f64],
    /// The last of them.
    pub at: TimestampMs,
    /// Their distance.
    pub step_ms: i64,
}

// === impl Recent ===

impl Recent<'_> {
    /// The median before the last three steps, where these have left it by more than their ordinary variation.
    #[must_use]
    pub fn left(&self, usual: &FeatureScales) -> Option<f64> {
        let (before, more) = moved(self.values)?;
        (usual.deviation.distance(more).abs() > 1.0).then_some(before)
    }
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// The mean of the window.
    Level,
    /// It goes steadily one way.
    Trend,
    /// How far its values scatter.
    Spread,
    /// The mean of the last three steps against the median of the window before them.
    Jump,
}

/// A change of behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What has changed.
    pub aspect: Aspect,
    /// Whether it is more now.
    pub upwards: bool,
    /// The first step of the new behaviour, where the window tells it.
    pub since: Option<TimestampMs>,
}

/// The change of behaviour that the window shows, if it shows one. Eight values are the least that can show one.
pub(super) fn change(recent: &Recent<'_>, usual: &FeatureScales) -> Option<Change> {
    let all = present(recent.values);
    if all.len() < 2 * MIN_SIDE {
        return None;
    }
    let kept = without_farthest(&all, SPIKE_STEPS);
    let fits = [Fit::of(&all), Fit::of(&kept)];
    let steps = recent.values.len() as f64;
    let change =
        trend(&fits, usual, steps).or_else(|| level(&fits, usual)).or_else(|| spread(&fits, &all, usual))?;
    let since = |place: usize| {
        let ago = (recent.values.len() - 1 - all[place].step) as i64;
        recent.at.plus_ms(recent.step_ms.saturating_mul(-ago))
    };
    Some(Change { aspect: change.aspect, upwards: change.upwards, since: change.place.map(since) })
}

/// Whether the last three steps lie farther from the window before them than is ordinary. A spike does that too.
pub(super) fn jump(recent: &Recent<'_>, usual: &FeatureScales) -> Option<Change> {
    let distance = usual.deviation.distance(moved(recent.values)?.1);
    (distance.abs() > BEYOND).then_some(Change { aspect: Aspect::Jump, upwards: distance > 0.0, since: None })
}

/// The median of a window without its last three steps, and by how much the mean of the three is more. A median, so that
/// a spike that is over is no level to come back from.
fn moved(values: &[f64]) -> Option<(f64, f64)> {
    let (before, last) = values.split_at_checked(values.len().checked_sub(SPIKE_STEPS)?)?;
    let (before, last) = (present(before), present(last));
    if before.is_empty() || last.is_empty() {
        return None;
    }
    let before = median(&before);
    let mean = last.iter().map(|point| point.value).sum::<f64>() / last.len() as f64;
    Some((before, mean - before))
}

/// A change, and which of the present values is the first after it.
struct Found {
    aspect: Aspect,
    upwards: bool,
    place: Option<usize>,
}

/// A line that a step does not explain better. No scale of slopes is known: over a window that a line crosses, the mean
/// of the last steps is half the way from the mean before them, so twice the ordinary variation of that is taken.
fn trend(fits: &[Fit; 2], usual: &FeatureScales, steps: f64) -> Option<Found> {
    let limit = 2.0 * BEYOND * usual.deviation.unit;
    let upwards = agreed(fits.map(|fit| fit.slope * steps / limit))?;
    fits.iter().all(|fit| fit.line_gain >= fit.step_gain).then_some(Found {
        aspect: Aspect::Trend,
        upwards,
        place: None,
    })
}

fn level(fits: &[Fit; 2], usual: &FeatureScales) -> Option<Found> {
    let upwards = agreed(fits.map(|fit| usual.level.distance(fit.mean) / BEYOND))?;
    let stepped = fits[0].told(TOLD_LEVEL);
    if stepped && (fits[0].jump > 0.0) != upwards {
        // It has come back within the window.
        return None;
    }
    Some(Found { aspect: Aspect::Level, upwards, place: stepped.then_some(fits[0].place) })
}

fn spread(fits: &[Fit; 2], all: &[Point], usual: &FeatureScales) -> Option<Found> {
    let wider = agreed(fits.map(|fit| usual.spread.distance(fit.spread_about_fit()) / BEYOND)) == Some(true);
    // About the mean alone, as what is ordinary was measured: the closest of several fits makes every spread narrow.
    let narrower = agreed(fits.map(|fit| usual.spread.distance(fit.spread()) / BEYOND)) == Some(false);
    if !wider && !narrower {
        return None;
    }
    let middle = median(all);
    let distances: Vec<Point> =
        all.iter().map(|point| Point { value: (point.value - middle).abs(), ..*point }).collect();
    let fit = Fit::of(&distances);
    let told = fit.told(TOLD_SPREAD) && (fit.jump > 0.0) == wider;
    Some(Found { aspect: Aspect::Spread, upwards: wider, place: told.then_some(fit.place) })
}

/// Whether both are above 1 (true) or both below -1 (false).
fn agreed(distances: [f64; 2]) -> Option<bool> {
    match distances {
        [a, b] if a > 1.0 && b > 1.0 => Some(true),
        [a, b] if a < -1.0 && b < -1.0 => Some(false),
        _ => None,
    }
}

// === fits ===

/// A value and its step in the window.
#[derive(Clone, Copy)]
struct Point {
    step: usize,
    value: f64,
}

/// What constant, step and line make of some points.
#[derive(Clone, Copy)]
struct Fit {
    count: f64,
    mean: f64,
    /// Sum of the squared distances from the mean.
    squares: f64,
    /// What the best step takes from the squares.
    step_gain: f64,
    /// The first point behind that step.
    place: usize,
    /// By how much it goes up.
    jump: f64,
    /// What the best line takes from the squares.
    line_gain: f64,
    /// Its rise a step.
    slope: f64,
}

// === impl Fit ===

impl Fit {
    /// `points` are at least 2.
    fn of(points: &[Point]) -> Self {
        let count = points.len() as f64;
        let mean = points.iter().map(|point| point.value).sum::<f64>() / count;
        let middle = points.iter().map(|point| point.step as f64).sum::<f64>() / count;
        let (mut squares, mut products, mut step_squares) = (0.0, 0.0, 0.0);
        for point in points {
            let (x, y) = (point.step as f64 - middle, point.value - mean);
            squares += y * y;
            products += x * y;
            step_squares += x * x;
        }
        let slope = products / step_squares;
        let mut fit = Self {
            count,
            mean,
            squares,
            step_gain: 0.0,
            place: 0,
            jump: 0.0,
            line_gain: slope * products,
            slope,
        };
        fit.find_step(points);
        fit
    }

    /// Centered values sum to 0, so the sum of those before a step is minus that of those behind it, and the squares
    /// that the step takes away follow from it alone.
    fn find_step(&mut self, points: &[Point]) {
        let mut before = 0.0;
        for (place, pair) in points.windows(2).enumerate() {
            before += pair[0].value - self.mean;
            let (left, right) = (place + 1, points.len() - place - 1);
            let gain = before * before * self.count / (left * right) as f64;
            if left.min(right) >= MIN_SIDE && gain > self.step_gain {
                self.step_gain = gain;
                self.place = left;
                self.jump = -before / right as f64 - before / left as f64;
            }
        }
    }

    fn told(&self, share: f64) -> bool {
        self.step_gain > share * self.squares
    }

    fn spread(&self) -> f64 {
        (self.squares / self.count).sqrt()
    }

    fn spread_about_fit(&self) -> f64 {
        // Rounding can take the difference below 0.
        ((self.squares - self.step_gain.max(self.line_gain)).max(0.0) / self.count).sqrt()
    }
}

fn present(values: &[f64]) -> Vec<Point> {
    let points = values.iter().enumerate().filter(|(_, value)| value.is_finite());
    points.map(|(step, value)| Point { step, value: *value }).collect()
}

/// The points without the `n` that are farthest from their median, in their order.
fn without_farthest(points: &[Point], n: usize) -> Vec<Point> {
    let middle = median(points);
    let mut by_distance: Vec<usize> = (0..points.len()).collect();
    let distance = |place: usize| (points[place].value - middle).abs();
    by_distance.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
    by_distance.truncate(points.len() - n);
    by_distance.sort_unstable();
    by_distance.into_iter().map(|place| points[place]).collect()
}

/// The upper one of two middle values; there is at least one point.
fn median(points: &[Point]) -> f64 {
    let mut values: Vec<f64> = points.iter().map(|point| point.value).collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
