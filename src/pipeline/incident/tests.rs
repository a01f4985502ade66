use super::*;
use Severity::{High, Low, Medium, Normal};
use proptest::prelude::*;

const MINUTE_MS: i64 = 60_000;

fn minute(n: i64) -> TimestampMs {
    TimestampMs(n * MINUTE_MS)
}

fn entity(name: &str) -> LabelSet {
    LabelSet::from_pairs([("instance", name)]).unwrap()
}

fn score(value: f64) -> AnomalyScore {
    AnomalyScore::from_tail_probability(10.0_f64.powf(-6.0 * value))
}

/// A verdict of minute `at` in an episode since minute `since`, whose peak it is.
fn verdict(name: &str, at: i64, since: i64, severity: Severity, value: f64) -> Verdict {
    Verdict {
        entity: entity(name),
        at: minute(at),
        anomaly_score: score(value),
        tail_probability: score(value).tail_probability(),
        raw_score: 0.0,
        severity,
        since: (severity > Severity::Normal).then_some(minute(since)),
        peak: Some(Peak { at: minute(at), score: score(value) }),
        incident: None,
        contributions: Vec::new(),
        violations: Vec::new(),
        seasonal: None,
        start: None,
        alerts: Vec::new(),
        maintenance: None,
        missing: Vec::new(),
        filled: Vec::new(),
        criteria: vec![Criterion::StatisticalOutlier],
        anomaly_type: Some(AnomalyType::Resource),
        explanation: format!("{name} at {at}"),
    }
}

/// Hands the verdicts of one minute over, one list a detector; gives the incident written into each.
fn take(incidents: &mut Incidents, at: i64, detectors: &[(&str, &[Verdict])]) -> Vec<Option<IncidentId>> {
    let step = |(_, verdicts): &(&str, &[Verdict])| DetectorStep {
        verdicts: verdicts.to_vec(),
        ..DetectorStep::default()
    };
    let mut steps: Vec<DetectorStep> = detectors.iter().map(step).collect();
    incidents.take(minute(at), detectors.iter().map(|(name, _)| *name).zip(&mut steps));
    steps.iter().flat_map(|step| step.verdicts.iter().map(|verdict| verdict.incident)).collect()
}

#[test]
fn detectors_that_fire_on_one_entity_are_one_incident_from_start_to_end() {
    let mut incidents = Incidents::default();
    assert_eq!(take(&mut incidents, 9, &[("node", &[verdict("a", 9, 0, Normal, 0.1)])]), [None]);
    let first = take(&mut incidents, 10, &[("node", &[verdict("a", 10, 8, Medium, 0.5)]), ("http", &[])]);
    let both =
        [("node", &[verdict("a", 11, 8, High, 0.9)][..]), ("http", &[verdict("a", 11, 11, Low, 0.36)])];
    let second = take(&mut incidents, 11, &both);
    assert_eq!(second, [first[0], first[0]]);
    let third = take(&mut incidents, 12, &[("http", &[verdict("a", 12, 11, Medium, 0.6)])]);
    assert_eq!(third, first);
    let open = incidents.open().next().unwrap();
    assert_eq!((open.start, open.end, open.severity), (minute(8), None, High));
    assert_eq!(open.peak, Peak { at: minute(11), score: score(0.9) });
    assert_eq!((open.detectors.join(" "), open.explanation.as_str()), ("http node".to_owned(), "a at 11"));

    take(&mut incidents, 13, &[("node", &[verdict("a", 13, 0, Normal, 0.1)])]);
    assert_eq!(incidents.open().len(), 0);
    assert_eq!(incidents.changes().ended[0].end, Some(minute(13)));
    assert_eq!(incidents.ended().map(|ended| ended.id).collect::<Vec<_>>(), [first[0].unwrap()]);
}

#[test]
fn entities_with_other_labels_have_incidents_of_their_own() {
    let mut incidents = Incidents::default();
    let found = [verdict("a", 1, 1, Low, 0.4), verdict("b", 1, 1, Low, 0.4)];
    let ids = take(&mut incidents, 1, &[("node", &found)]);
    assert_eq!(incidents.open().len(), 2);
    assert_ne!(ids[0], ids[1]);
}

/// The name of an incident is part of the interface: two sidecars must agree on it.
/// Whoever looks at it later wants to know what people were told.
#[test]
fn the_alerts_that_fired_meanwhile_are_named() {
    let mut incidents = Incidents::default();
    for (at, alerts) in [(1, vec![]), (2, vec!["Latency"]), (3, vec!["Disk", "Latency"]), (4, vec![])] {
        let alerts = alerts.into_iter().map(str::to_owned).collect();
        let verdict = Verdict { alerts, ..verdict("a", at, 1, Medium, 0.5) };
        take(&mut incidents, at, &[("node", &[verdict])]);
    }
    assert_eq!(incidents.open().next().unwrap().alerts, ["Disk", "Latency"]);
    let many = (0..30).map(|n| format!("Alert{n:02}")).collect();
    take(&mut incidents, 5, &[("node", &[Verdict { alerts: many, ..verdict("a", 5, 1, Medium, 0.5) }])]);
    assert_eq!(incidents.open().next().unwrap().alerts.len(), MAX_NAMED);
}

#[test]
fn the_name_is_the_hash_of_entity_and_start() {
    let mut incidents = Incidents::default();
    let ids = take(&mut incidents, 12, &[("node", &[verdict("a", 12, 10, Low, 0.4)])]);
    let text = format!("{} 600000", entity("a").canonical_text());
    assert_eq!(ids[0].unwrap().0, xxh3_64(text.as_bytes()));
    assert_eq!(IncidentId(0xabc).to_string(), "0000000000000abc");
}

#[test]
fn an_incident_becomes_alarming_once() {
    let mut incidents = Incidents::default();
    let alarms: Vec<usize> = [(1, Low), (2, Medium), (3, Low), (4, High), (5, Normal), (6, High)]
        .into_iter()
        .map(|(at, severity)| {
            take(&mut incidents, at, &[("node", &[verdict("a", at, at, severity, 0.5)])]);
            incidents.changes().alarming.len()
        })
        .collect();
    assert_eq!(alarms, [0, 1, 0, 0, 0, 1]);
}

/// The steps that made the alarm lie before it, and the strangest may be among them.
#[test]
fn a_peak_before_the_alarm_counts() {
    let mut incidents = Incidents::default();
    let peak = Some(Peak { at: minute(1), score: score(0.9) });
    take(&mut incidents, 3, &[("node", &[Verdict { peak, ..verdict("a", 3, 1, Medium, 0.5) }])]);
    assert_eq!(incidents.open().next().map(|incident| incident.peak), peak);
}

#[test]
fn an_entity_that_is_gone_ends_its_incident() {
    let mut incidents = Incidents::default();
    take(&mut incidents, 1, &[("node", &[verdict("a", 1, 1, High, 0.9)])]);
    take(&mut incidents, 2, &[("node", &[])]);
    assert_eq!((incidents.open().len(), incidents.ended().len()), (0, 1));
}

proptest! {
    /// For all courses of severities of three entities under two detectors: an incident stands exactly while a detector is
    /// above normal, its highest severity is that of the verdicts that bear its name, names of incidents of an entity
    /// differ, and no more ended ones are kept than allowed.
    #[test]
    fn incidents_are_the_runs_above_normal(courses in prop::collection::vec(prop::array::uniform6(0_usize..4), 1..40)) {
        const ALL: [Severity; 4] = [Normal, Low, Medium, High];
        const NAMES: [&str; 3] = ["a", "b", "c"];
        let mut incidents = Incidents::new(4);
        let mut highest: BTreeMap<IncidentId, Severity> = BTreeMap::new();
        for (at, course) in courses.iter().enumerate() {
            let at = at as i64;
            let severities = course.map(|severity| ALL[severity]);
            let of = |part: &[Severity]| -> Vec<Verdict> {
                NAMES.iter().zip(part).map(|(name, severity)| verdict(name, at, at, *severity, 0.5)).collect()
            };
            let ids = take(&mut incidents, at, &[("node", &of(&severities[..3])), ("http", &of(&severities[3..]))]);
            for (id, severity) in ids.iter().zip(severities) {
                prop_assert_eq!(id.is_some(), severity > Normal);
                if let Some(id) = id {
                    let known = highest.entry(*id).or_default();
                    *known = (*known).max(severity);
                }
            }
            let firing = NAMES.iter().enumerate().filter(|(n, _)| severities[*n].max(severities[n + 3]) > Normal);
            let firing: Vec<LabelSet> = firing.map(|(_, name)| entity(name)).collect();
            prop_assert_eq!(incidents.open().map(|incident| incident.entity.clone()).collect::<Vec<_>>(), firing);
            let mut seen = incidents.open().chain(incidents.changes().ended.iter().map(|ended| &**ended));
            prop_assert!(seen.all(|incident| highest[&incident.id] == incident.severity));
            prop_assert!(incidents.ended().len() <= 4);
        }
        let runs = (0..3).map(|n| {
            let firing = |course: &[usize; 6]| course[n].max(course[n + 3]) > 0;
            let starts = |pair: &[[usize; 6]]| !firing(&pair[0]) && firing(&pair[1]);
            usize::from(firing(&courses[0])) + courses.windows(2).filter(|pair| starts(pair)).count()
        });
        prop_assert_eq!(highest.len(), runs.sum::<usize>());
    }
}
