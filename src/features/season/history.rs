//! The hours of the last days of one entity.

use super::{
    DayKind, Hour, Usual,
    calendar::Hours,
    usual::{AllHours, MAX_DAYS, Range, Reached},
};
use crate::series::TimestampMs;

const HOURS: usize = 24;

/// Days kept of each kind, see [`DayKind::ALL`]: a working week, two weekends.
const DAYS: [usize; 2] = [5, 4];

/// Cells of each value.
const CELLS: usize = HOURS * MAX_DAYS;

const _: () = assert!(DAYS[0] + DAYS[1] == MAX_DAYS);

/// Part of the range of all hours by which a value may be outside of it and still be ordinary.
const SLACK: f64 = 0.1;

/// What lies further out counts as this: the largest number of which the upper half can be rounded up.
const LARGEST: f64 = 3.3e38;

const UPPER_HALF_OF_NAN: u16 = 0x7fc0;

/// What the values of one entity did at the hours of the last days.
#[derive(Clone, Debug)]
pub(super) struct History {
    last: TimestampMs,
    /// Value after value, for each both kinds of day, all hours, and the days as a ring.
    cells: Vec<Cell>,
    /// For each kind of day and hour: how many days have been learned.
    learned: [[u32; HOURS]; 2],
    under_way: Option<Hour>,
    /// Steps of the hour under way.
    steps: u32,
    /// Of each value in the hour under way.
    ranges: Vec<CoarseRange>,
    /// The last two hours that were learned, the newest first.
    over: [Option<Hour>; 2],
    /// Of each value: what is usual at one hour or another, and how wide an hour is; drawn anew once a day.
    all_hours: Vec<(CoarseRange, f32)>,
}

/// A range in four bytes: the upper halves of two `f32`, rounded outwards. Both or neither are NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    low: u16,
    high: u16,
}

/// A range in eight bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct CoarseRange {
    low: f32,
    high: f32,
}

// === impl History ===

impl History {
    pub(super) fn new(n_values: usize) -> Self {
        Self {
            last: TimestampMs::MIN,
            cells: vec![Cell::NONE; n_values * CELLS],
            learned: [[0; HOURS]; 2],
            under_way: None,
            steps: 0,
            ranges: vec![CoarseRange::NONE; n_values],
            over: [None; 2],
            all_hours: vec![(CoarseRange::NONE, f32::NAN); n_values],
        }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(n_values: usize) -> usize {
        let value = CELLS * size_of::<Cell>() + 2 * size_of::<CoarseRange>() + size_of::<f32>();
        size_of::<Self>() + n_values * value
    }

    pub(super) fn last(&self) -> TimestampMs {
        self.last
    }

    /// Begins a step in `hour`. The hour before it, when it is over, is learned if half of its steps were seen.
    pub(super) fn begin(&mut self, at: TimestampMs, hour: Hour, steps_an_hour: i64) {
        self.last = at;
        if self.under_way != Some(hour) {
            if let Some(over) = self.under_way.replace(hour)
                && i64::from(self.steps) * 2 >= steps_an_hour
            {
                self.learn_hour(over);
            }
            self.steps = 0;
            self.ranges.fill(CoarseRange::NONE);
        }
        self.steps = self.steps.saturating_add(1);
    }

    /// Takes a value into the hour under way.
    pub(super) fn learn(&mut self, value: usize, seen: f64) {
        if seen.is_finite() {
            let seen = seen.clamp(-LARGEST, LARGEST) as f32;
            let range = &mut self.ranges[value];
            *range = CoarseRange { low: range.low.min(seen), high: range.high.max(seen) };
        }
    }

    /// What is usual for a value.
    pub(super) fn usual(&self, value: usize, hours: &Hours) -> Option<Usual> {
        let now = self.usual_at(value, hours.now)?;
        let beside = hours.beside.and_then(|hour| self.usual_at(value, hour));
        Some(beside.map_or(now, |beside| now.or(beside)))
    }

    /// By how many units the hour that is over stayed short of what such hours reach; none where that is unknown. What
    /// came in the hour before it, or since, is not missed.
    pub(super) fn missed(&self, value: usize, hours: &Hours) -> Option<f64> {
        if hours.begins {
            return Some(0.0);
        }
        let [Some(over), before] = self.over else { return None };
        let reached = Reached::of(self.days(value, over.kind, over.hour).as_slice(), &self.all_hours(value))?;
        let newest = |hour: Hour| self.newest(value, hour);
        let seen = newest(over).union(before.map_or(Range::NONE, newest)).union(self.ranges[value].into());
        Some(reached.missed(seen))
    }

    /// Whether a value is one that is usual at some hour.
    pub(super) fn is_ordinary(&self, value: usize, seen: f64) -> bool {
        let all = self.all_hours(value).range;
        let slack = (all.high - all.low) * SLACK;
        (all.low - slack..=all.high + slack).contains(&seen)
    }

    /// On how many of the last days `value` reached `level` at this hour, and how many days are known: of such days or of
    /// all, at this hour or its neighbour, where the share is greatest.
    pub(super) fn days_reaching(&self, value: usize, hours: &Hours, level: f64) -> (u32, u32) {
        let mut best = (0, 0);
        for hour in std::iter::once(hours.now).chain(hours.beside) {
            for days in [self.days(value, hour.kind, hour.hour), self.all_days(value, hour.hour)] {
                let reaching = days.as_slice().iter().filter(|day| day.high >= level).count();
                let count = (reaching as u32, days.as_slice().len() as u32);
                // Compared as fractions; too few days have no share.
                let known = count.1 as usize >= Usual::MIN_DAYS;
                if known && (best.1 == 0 || count.0 * best.1 > best.0 * count.1) {
                    best = count;
                }
            }
        }
        best
    }

    fn usual_at(&self, value: usize, hour: Hour) -> Option<Usual> {
        let all_hours = self.all_hours(value).range;
        let such = self.days(value, hour.kind, hour.hour);
        Usual::of(such.as_slice(), all_hours, true)
            .or_else(|| Usual::of(self.all_days(value, hour.hour).as_slice(), all_hours, false))
    }

    fn learn_hour(&mut self, hour: Hour) {
        let day = self.learned[hour.kind as usize][usize::from(hour.hour)];
        for value in 0..self.ranges.len() {
            let cell = cell(value, hour.kind, hour.hour, day);
            self.cells[cell] = Cell::of(self.ranges[value]);
        }
        self.learned[hour.kind as usize][usize::from(hour.hour)] = day.wrapping_add(1);
        self.over = [Some(hour), self.over[0]];
        // A part of the values each hour, so that no hour costs more than another.
        for value in (usize::from(hour.hour)..self.ranges.len()).step_by(HOURS) {
            self.all_hours[value] = self.draw_all_hours(value);
        }
    }

    fn all_hours(&self, value: usize) -> AllHours {
        let (range, width) = self.all_hours[value];
        AllHours { range: range.into(), width: width.into() }
    }

    fn draw_all_hours(&self, value: usize) -> (CoarseRange, f32) {
        let hours = DayKind::ALL.into_iter().flat_map(|kind| (0..HOURS as u8).map(move |hour| (kind, hour)));
        let usual = |(kind, hour)| Usual::of(self.days(value, kind, hour).as_slice(), Range::NONE, true);
        let hours: Vec<Range> =
            hours.filter_map(usual).map(|usual| Range { low: usual.low, high: usual.high }).collect();
        let all = hours.iter().copied().fold(Range::NONE, Range::union);
        let mut widths: Vec<f64> = hours.iter().map(|hour| hour.width()).collect();
        widths.sort_unstable_by(f64::total_cmp);
        let width = widths.get(widths.len() / 2).copied().unwrap_or(f64::NAN);
        (CoarseRange { low: all.low as f32, high: all.high as f32 }, width as f32)
    }

    /// The days on which `value` was seen at an hour.
    fn days(&self, value: usize, kind: DayKind, hour: u8) -> Days {
        let first = cell(value, kind, hour, 0);
        let mut days = Days::none();
        days.extend(&self.cells[first..first + DAYS[kind as usize]]);
        days
    }

    fn all_days(&self, value: usize, hour: u8) -> Days {
        let mut days = self.days(value, DayKind::Working, hour);
        let rest = cell(value, DayKind::Rest, hour, 0);
        days.extend(&self.cells[rest..rest + DAYS[1]]);
        days
    }

    /// The day that was learned last.
    fn newest(&self, value: usize, hour: Hour) -> Range {
        let learned = self.learned[hour.kind as usize][usize::from(hour.hour)];
        Range::from(self.cells[cell(value, hour.kind, hour.hour, learned.wrapping_sub(1))])
    }
}

/// Where a day of a value stands.
fn cell(value: usize, kind: DayKind, hour: u8, day: u32) -> usize {
    let ring = DAYS[kind as usize];
    let kinds_before = HOURS * DAYS[..kind as usize].iter().sum::<usize>();
    value * CELLS + kinds_before + usize::from(hour) * ring + day as usize % ring
}

/// Hours of some days, on the stack.
struct Days {
    ranges: [Range; MAX_DAYS],
    len: usize,
}

// === impl Days ===

impl Days {
    fn none() -> Self {
        Self { ranges: [Range::NONE; MAX_DAYS], len: 0 }
    }

    fn extend(&mut self, cells: &[Cell]) {
        let known = cells.iter().map(|cell| Range::from(*cell)).filter(|range| !range.is_none());
        for (place, range) in self.ranges[self.len..].iter_mut().zip(known) {
            *place = range;
            self.len += 1;
        }
    }

    fn as_slice(&self) -> &[Range] {
        &self.ranges[..self.len]
    }
}

// === impl Cell ===

impl Cell {
    const NONE: Self = Self { low: UPPER_HALF_OF_NAN, high: UPPER_HALF_OF_NAN };

    /// The smallest cell that holds the range; none for none.
    fn of(range: CoarseRange) -> Self {
        if range.low.is_nan() {
            return Self::NONE;
        }
        Self { low: upper_half(range.low, range.low < 0.0), high: upper_half(range.high, range.high > 0.0) }
    }
}

/// The upper half of the bits: sign, exponent and 7 bits of the fraction. What is cut off makes a number smaller in
/// size, by less than 1 %; rounding `away` from zero adds one to the last place instead.
fn upper_half(number: f32, away: bool) -> u16 {
    let bits = number.to_bits();
    let cut_off = bits & 0xffff != 0;
    // Finite after rounding too, because `learn` keeps within LARGEST.
    (bits >> 16) as u16 + u16::from(cut_off && away)
}

fn from_upper_half(half: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(half) << 16))
}

impl From<Cell> for Range {
    fn from(cell: Cell) -> Self {
        Self { low: from_upper_half(cell.low), high: from_upper_half(cell.high) }
    }
}

// === impl CoarseRange ===

impl CoarseRange {
    const NONE: Self = Self { low: f32::NAN, high: f32::NAN };
}

impl From<CoarseRange> for Range {
    fn from(range: CoarseRange) -> Self {
        Self { low: f64::from(range.low), high: f64::from(range.high) }
    }
}

#[cfg(test)]
mod tests;
