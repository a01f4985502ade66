//! Alarms against the faults that were injected: found, missed, false, and how late.
//!
//! An *alarm* is a maximal run of consecutive scores of a node whose severity reaches a level, [`MEDIUM`]
//! or [`HIGH`]; where several detectors watch a node, the most severe counts. A fault is *found* when an alarm on
//! its node begins between its start and its end plus [`GRACE_MS`]. An alarm that begins outside all
//! faults of its node (with their grace) is *false*, also one that was already on when a fault began.

use crate::{series::TimestampMs, simulate::fault::Fault};
use std::collections::BTreeMap;

/// The severity that deserves a look.
pub const MEDIUM: u8 = 2;

/// The severity that may wake somebody up.
pub const HIGH: u8 = 3;

/// How long after its end a fault can still be found: features look back, scores need persistence.
pub const GRACE_MS: i64 = 30 * 60_000;

/// The severities of one node in order of time; `None` where the score series ended.
pub type Severities = BTreeMap<TimestampMs, Option<u8>>;

/// An alarm on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Index of the node in the fleet.
    pub node: usize,
    /// First step with the alarm.
    pub start: TimestampMs,
    /// First step without it; `None` when it was still on at the end.
    pub end: Option<TimestampMs>,
}

/// What became of one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The fault.
    pub fault: Fault,
    /// Milliseconds from its start to the first alarm; `None` when it was missed.
    pub delay_ms: Option<i64>,
}

/// The result of a run at one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// Every fault, in order of its start.
    pub faults: Vec<Judged>,
    /// Alarms that no fault explains, in order of their start.
    pub false_alarms: Vec<Alarm>,
}

impl Verdicts {
    /// Number of faults found.
    #[must_use]
    pub fn found(&self) -> usize {
        self.faults.iter().filter(|judged| judged.delay_ms.is_some()).count()
    }

    /// Number of faults missed.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.faults.len() - self.found()
    }

    /// The delay that half of the found faults stayed within (the lower middle one).
    #[must_use]
    pub fn median_delay_ms(&self) -> Option<i64> {
        let mut delays: Vec<i64> = self.faults.iter().filter_map(|judged| judged.delay_ms).collect();
        delays.sort_unstable();
        delays.get(delays.len().saturating_sub(1) / 2).copied()
    }
}

/// The alarms of one node: where its severity is at least `level`.
#[must_use]
pub fn alarms(node: usize, severities: &Severities, level: u8) -> Vec<Alarm> {
    let mut alarms: Vec<Alarm> = Vec::new();
    let mut open = false;
    for (at, severity) in severities {
        let alarming = severity.is_some_and(|severity| severity >= level);
        if alarming && !open {
            alarms.push(Alarm { node, start: *at, end: None });
        }
        if let (true, false, Some(alarm)) = (open, alarming, alarms.last_mut()) {
            alarm.end = Some(*at);
        }
        open = alarming;
    }
    alarms
}

/// Judges the alarms of all nodes.
#[must_use]
pub fn judge(faults: &[Fault], alarms: &[Alarm]) -> Verdicts {
    let mut alarms = alarms.to_vec();
    alarms.sort_by_key(|alarm| (alarm.start, alarm.node));
    let explains = |fault: &Fault, alarm: &Alarm| {
        let within = fault.start <= alarm.start && alarm.start <= fault.end.plus_ms(GRACE_MS);
        fault.node == alarm.node && within
    };
    let judged = faults.iter().map(|fault| {
        let first = alarms.iter().find(|alarm| explains(fault, alarm));
        Judged { fault: fault.clone(), delay_ms: first.map(|alarm| alarm.start.since_ms(fault.start)) }
    });
    let mut judged: Vec<Judged> = judged.collect();
    judged.sort_by_key(|judged| (judged.fault.start, judged.fault.node));
    alarms.retain(|alarm| !faults.iter().any(|fault| explains(fault, alarm)));
    Verdicts { faults: judged, false_alarms: alarms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::fault::{FaultKind, Strength};

    const MINUTE_MS: i64 = 60_000;

    fn minute(n: i64) -> TimestampMs {
        TimestampMs(n * MINUTE_MS)
    }

    fn fault(node: usize, from: i64, to: i64) -> Fault {
        let (kind, strength) = (FaultKind::CpuRunaway, Strength::Strong);
        Fault { node, kind, strength, start: minute(from), end: minute(to), ramp_ms: 1 }
    }

    fn alarm(node: usize, from: i64) -> Alarm {
        Alarm { node, start: minute(from), end: Some(minute(from + 1)) }
    }

    /// Severities at successive minutes; `-` is an ended series.
    fn severities(text: &str) -> Severities {
        let severity = |c: char| c.to_digit(10).map(|digit| digit as u8);
        (0..).zip(text.chars()).map(|(at, c)| (minute(at), severity(c))).collect()
    }

    #[test]
    fn an_alarm_is_a_run_of_medium_or_high() {
        let found: Vec<_> =
            alarms(3, &severities("0122310"), MEDIUM).iter().map(|a| (a.node, a.start, a.end)).collect();
        assert_eq!(found, [(3, minute(2), Some(minute(5)))]);
    }

    #[test]
    fn at_the_level_high_medium_is_no_alarm() {
        let found: Vec<_> =
            alarms(3, &severities("0123322"), HIGH).iter().map(|a| (a.start, a.end)).collect();
        assert_eq!(found, [(minute(3), Some(minute(5)))]);
    }

    #[test]
    fn an_alarm_ends_with_its_series_and_may_be_on_at_the_end() {
        let found: Vec<_> = alarms(0, &severities("3-22"), MEDIUM).iter().map(|a| (a.start, a.end)).collect();
        assert_eq!(found, [(minute(0), Some(minute(1))), (minute(2), None)]);
        assert!(alarms(0, &severities("0110--"), MEDIUM).is_empty());
    }

    #[test]
    fn a_fault_is_found_by_the_first_alarm_on_its_node_within_it() {
        let verdicts = judge(&[fault(1, 100, 130)], &[alarm(1, 120), alarm(1, 107), alarm(2, 101)]);
        assert_eq!(verdicts.faults[0].delay_ms, Some(7 * MINUTE_MS));
        assert_eq!((verdicts.found(), verdicts.missed()), (1, 0));
        assert_eq!(verdicts.false_alarms, [alarm(2, 101)]);
    }

    #[test]
    fn the_grace_ends_half_an_hour_after_the_fault() {
        assert_eq!(judge(&[fault(1, 100, 130)], &[alarm(1, 160)]).found(), 1);
        let late = judge(&[fault(1, 100, 130)], &[alarm(1, 161)]);
        assert_eq!((late.found(), late.missed(), late.false_alarms.len()), (0, 1, 1));
    }

    #[test]
    fn an_alarm_that_was_on_before_the_fault_does_not_find_it() {
        let early = Alarm { node: 1, start: minute(99), end: Some(minute(120)) };
        let verdicts = judge(&[fault(1, 100, 130)], &[early]);
        assert_eq!((verdicts.found(), verdicts.missed()), (0, 1));
        assert_eq!(verdicts.false_alarms, [early]);
    }

    #[test]
    fn the_median_delay_is_that_of_the_found_faults() {
        let faults = [fault(1, 0, 30), fault(2, 0, 30), fault(3, 0, 30), fault(4, 0, 30)];
        let verdicts = judge(&faults, &[alarm(1, 2), alarm(2, 5), alarm(3, 25)]);
        assert_eq!(verdicts.median_delay_ms(), Some(5 * MINUTE_MS));
        assert_eq!(judge(&faults, &[]).median_delay_ms(), None);
    }
}
