//! Judged step by step and over the whole history: the same.

use super::*;
use crate::{
    calibrate::AnomalyScore,
    pipeline::{
        InMaintenance,
        alerts::{ALERT_NAME, AlertSettings, AlertWatch},
    },
    promql::LeafVector,
};
use Severity::{High, Low, Medium, Normal};
use proptest::prelude::*;
use std::time::Duration;

const MINUTE_MS: i64 = 60_000;

/// The names of the alerts that may fire.
const NAMES: [&str; 2] = ["Disk", "Latency"];

fn minute(n: i64) -> TimestampMs {
    TimestampMs(n * MINUTE_MS)
}

fn entity(name: &str) -> LabelSet {
    LabelSet::from_pairs([("instance", name)]).unwrap()
}

/// What is true of an entity at a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Moment {
    /// None where there is no verdict.
    severity: Option<Severity>,
    is_planned: bool,
    /// Which of [`NAMES`] fire.
    firing: [bool; 2],
}

/// An entity, moment by moment, one for each of the minutes of a history.
type Course = Vec<Moment>;

fn verdict(name: &str, at: TimestampMs, moment: Moment) -> Option<Verdict> {
    let maintenance =
        moment.is_planned.then(|| InMaintenance { name: "backup".to_owned(), until: TimestampMs::MAX });
    Some(Verdict {
        entity: entity(name),
        at,
        anomaly_score: AnomalyScore::default(),
        tail_probability: 1.0,
        raw_score: 0.0,
        severity: moment.severity?,
        since: None,
        peak: None,
        incident: None,
        contributions: Vec::new(),
        violations: Vec::new(),
        seasonal: None,
        start: None,
        alerts: Vec::new(),
        maintenance,
        missing: Vec::new(),
        filled: Vec::new(),
        criteria: Vec::new(),
        anomaly_type: None,
        explanation: String::new(),
    })
}

/// What fires at a step, as it is read.
fn read(courses: &BTreeMap<&str, Course>, step: usize) -> LeafVector {
    let alerts = courses.iter().flat_map(|(name, course)| {
        let firing = NAMES.iter().zip(course[step].firing).filter(|(_, fires)| *fires);
        firing.map(|(alert, _)| (entity(name).with(ALERT_NAME, alert), 1.0))
    });
    let mut read: LeafVector = alerts.collect();
    read.sort_by(|a, b| a.0.cmp(&b.0));
    read
}

/// What is said of incidents and of alerts by the end of a history, each in any order.
type Said = (Vec<JudgedIncident>, Vec<AlertOutcome>);

fn sorted((mut incidents, mut alerts): Said) -> Said {
    incidents.sort_by_key(|incident| (incident.severity, incident.is_confirmed));
    alerts.sort_by_key(|alert| format!("{alert:?}"));
    (incidents, alerts)
}

/// Step by step.
fn streamed(lead_ms: i64, minutes: &[i64], courses: &BTreeMap<&str, Course>) -> Said {
    let settings = AlertSettings {
        selector: Vec::new(),
        ignore: Vec::new(),
        margin_before: Duration::ZERO,
        margin_after: Duration::from_secs(60),
        lead: Duration::from_millis(lead_ms.unsigned_abs()),
    };
    let mut watch = AlertWatch::new(&settings);
    let mut said = Said::default();
    for (step, at) in minutes.iter().enumerate() {
        watch.take(minute(*at), &read(courses, step), &["instance".to_owned()]);
        let verdicts: Vec<Verdict> =
            courses.iter().filter_map(|(name, course)| verdict(name, minute(*at), course[step])).collect();
        let step = watch.judge(minute(*at), &verdicts, 0);
        said.0.extend(step.incidents);
        said.1.extend(step.alerts);
    }
    sorted(said)
}

/// A stretch of steps, by the first and the last of them.
struct Stretch {
    first: usize,
    last: usize,
}

fn stretches(holds: impl Fn(usize) -> bool, steps: usize) -> Vec<Stretch> {
    let begins = (0..steps).filter(|step| holds(*step) && (*step == 0 || !holds(step - 1)));
    let last = |first| (first..steps).take_while(|step| holds(*step)).last().unwrap_or(first);
    begins.map(|first| Stretch { first, last: last(first) }).collect()
}

/// What is said of one entity, from the definitions and the whole history.
fn looked_back(lead_ms: i64, minutes: &[i64], course: &Course) -> Said {
    let steps = minutes.len();
    let time = |step: usize| minute(minutes[step]);
    let end = time(steps - 1);
    let severity =
        |step: usize| if course[step].is_planned { Normal } else { course[step].severity.unwrap_or(Normal) };
    // From the first step of medium severity on, with the highest severity.
    let incidents: Vec<(Stretch, Severity)> = stretches(|step| severity(step) > Normal, steps)
        .into_iter()
        .filter_map(|all| {
            let first = (all.first..=all.last).find(|step| severity(*step) >= Medium)?;
            Some((Stretch { first, ..all }, (first..=all.last).map(severity).max()?))
        })
        .collect();
    let alerts: Vec<Stretch> =
        (0..NAMES.len()).flat_map(|name| stretches(|step| course[step].firing[name], steps)).collect();
    let about_the_same = |incident: &Stretch, alert: &Stretch| {
        let (began, over) = (time(incident.first), time(incident.last));
        time(alert.first).since_ms(over) <= lead_ms
            && began <= time(alert.last)
            && began.since_ms(time(alert.first)) <= lead_ms
    };
    let judged = incidents
        .iter()
        .filter(|(incident, _)| incident.last + 1 < steps && end.since_ms(time(incident.last)) >= lead_ms)
        .map(|(incident, severity)| JudgedIncident {
            severity: *severity,
            is_confirmed: alerts.iter().any(|alert| about_the_same(incident, alert)),
        });
    let outcome = |alert: &Stretch| {
        let began = time(alert.first);
        let (before, after): (Vec<_>, Vec<_>) = incidents
            .iter()
            .map(|(incident, _)| incident)
            .filter(|incident| about_the_same(incident, alert))
            .partition(|incident| incident.first <= alert.first);
        let seen = |incident: &&Stretch| AlertOutcome::Seen { lead_ms: began.since_ms(time(incident.first)) };
        let is_decided = alert.last + 1 < steps || end.since_ms(began) >= lead_ms;
        match (before.last(), course[alert.first], after.first()) {
            (Some(incident), ..) => Some(seen(incident)),
            (None, Moment { severity: None, .. }, _) => Some(AlertOutcome::NotScored),
            (None, Moment { is_planned: true, .. }, _) => Some(AlertOutcome::Planned),
            (None, _, Some(incident)) => Some(seen(incident)),
            (None, _, None) => is_decided.then_some(AlertOutcome::Missed),
        }
    };
    (judged.collect(), alerts.iter().filter_map(outcome).collect())
}

/// One letter a step: `-` no verdict, `.` normal, `l`, `m`, `h`, `p` planned work; below it the alerts that fire.
fn course(severities: &str, disk: &str, latency: &str) -> Course {
    let moment = |((severity, disk), latency)| Moment {
        severity: match severity {
            '-' => None,
            'l' => Some(Low),
            'm' => Some(Medium),
            'h' => Some(High),
            _ => Some(Normal),
        },
        is_planned: severity == 'p',
        firing: [disk == '#', latency == '#'],
    };
    severities.chars().zip(disk.chars()).zip(latency.chars()).map(moment).collect()
}

/// What is said of a course of one minute a step, with a lead of five minutes.
fn said(severities: &str, disk: &str) -> Said {
    let minutes: Vec<i64> = (0..severities.len() as i64).collect();
    let course = course(severities, disk, &" ".repeat(disk.len()));
    streamed(5 * MINUTE_MS, &minutes, &BTreeMap::from([("a", course)]))
}

fn seen(lead_minutes: i64) -> AlertOutcome {
    AlertOutcome::Seen { lead_ms: lead_minutes * MINUTE_MS }
}

fn judged(severity: Severity, is_confirmed: bool) -> JudgedIncident {
    JudgedIncident { severity, is_confirmed }
}

#[test]
fn an_incident_before_an_alert_is_confirmed_and_led_it() {
    let confirmed = (vec![judged(High, true)], vec![seen(3)]);
    assert_eq!(said("..lmh.............", ".....  ###........"), (vec![judged(High, true)], vec![seen(4)]));
    assert_eq!(said("..mmmhhh..........", ".....#####........"), confirmed);
}

#[test]
fn an_alert_that_was_first_is_seen_late_or_missed() {
    assert_eq!(
        said("....mm............", "..######.........."),
        (vec![judged(Medium, true)], vec![seen(-2)])
    );
    let apart = (vec![judged(Medium, false)], vec![AlertOutcome::Missed]);
    assert_eq!(said("........mm........", "..########........"), apart, "six minutes later");
    assert_eq!(said("....mm............", "..##.............."), apart, "when it was over");
}

#[test]
fn what_is_far_apart_is_not_about_the_same() {
    let apart = (vec![judged(Medium, false)], vec![AlertOutcome::Missed]);
    assert_eq!(said("..mm................", ".........##........."), apart);
    let days = (vec![judged(High, false)], vec![AlertOutcome::Missed]);
    assert_eq!(said("..........h...........", ".#####################"), days, "it has fired all the time");
}

#[test]
fn low_severity_is_no_incident_and_nothing_is_said_twice() {
    assert_eq!(said("..llll............", "...###............"), (vec![], vec![AlertOutcome::Missed]));
    assert_eq!(
        said("..m.m.............", "...........#......"),
        (vec![judged(Medium, false); 2], vec![AlertOutcome::Missed])
    );
    let twice = (vec![judged(Medium, true); 2], vec![seen(2)]);
    assert_eq!(said("..m.m.............", "......#..........."), twice, "the later one led");
}

#[test]
fn what_is_not_scored_or_planned_is_not_held_against_the_detector() {
    assert_eq!(said("----------", "..##......"), (vec![], vec![AlertOutcome::NotScored]));
    assert_eq!(
        said("..m-------", "....##...."),
        (vec![judged(Medium, true)], vec![seen(2)]),
        "seen, then silent"
    );
    assert_eq!(said("pppppppp..", "..##......"), (vec![], vec![AlertOutcome::Planned]));
}

#[test]
fn what_is_open_is_not_judged() {
    assert_eq!(said("..mmmmmmmmmmmm", ".............."), (vec![], vec![]));
    assert_eq!(said(".......m..", ".........."), (vec![], vec![]), "an alert may follow");
    assert_eq!(said("..........", ".......###"), (vec![], vec![]), "it may yet be seen");
}

/// One entity as stretches of equal moments: a letter of [`course`], and which alerts fire.
fn stretches_of_a_course() -> impl Strategy<Value = Vec<((usize, bool, bool), usize)>> {
    prop::collection::vec(((0_usize..6, any::<bool>(), any::<bool>()), 1_usize..5), 1..25)
}

fn expand(stretches: &[((usize, bool, bool), usize)], steps: usize) -> Course {
    let letters: Vec<char> = "-.lmhp".chars().collect();
    let mark = |fires: bool| if fires { "#" } else { "." };
    let moments = stretches.iter().flat_map(|((letter, disk, latency), count)| {
        let moment = course(&letters[*letter].to_string(), mark(*disk), mark(*latency));
        moment.into_iter().cycle().take(*count)
    });
    moments.chain(std::iter::repeat(Moment::default())).take(steps).collect()
}

proptest! {
    /// For all courses of two entities, also with steps that are missing, what is said step by step is what follows from the
    /// definitions and the whole history.
    #[test]
    fn counts_are_those_of_the_whole_history(
        a in stretches_of_a_course(),
        b in stretches_of_a_course(),
        distances in prop::collection::vec(prop_oneof![9 => Just(1_i64), 1 => 1_i64..12], 1..60),
        lead_minutes in 0_i64..10,
    ) {
        let minutes: Vec<i64> = distances.iter().scan(0, |at, distance| { *at += distance; Some(*at) }).collect();
        let courses = BTreeMap::from([("a", expand(&a, minutes.len())), ("b", expand(&b, minutes.len()))]);
        let lead_ms = lead_minutes * MINUTE_MS;
        let mut expected = Said::default();
        for course in courses.values() {
            let (incidents, alerts) = looked_back(lead_ms, &minutes, course);
            expected.0.extend(incidents);
            expected.1.extend(alerts);
        }
        prop_assert_eq!(streamed(lead_ms, &minutes, &courses), sorted(expected));
    }
}
