//! What counts as a start, how long it has grace, and that nothing is kept for ever.

use super::*;
use proptest::prelude::*;

const STEP_MS: i64 = 30_000;
const GRACE: Duration = Duration::from_secs(300);

/// Entities by instance, looked at step by step from a Monday on.
struct Watched {
    watch: StartWatch,
    by: Vec<String>,
    step: i64,
}

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.iter().copied()).unwrap()
}

fn a() -> LabelSet {
    labels(&[("instance", "a")])
}

/// A process of instance a that says when it was started.
fn process(job: &str, started: f64) -> (LabelSet, f64) {
    (labels(&[("__name__", "process_start_time_seconds"), ("instance", "a"), ("job", job)]), started)
}

fn machine(booted: f64) -> (LabelSet, f64) {
    (labels(&[("__name__", "node_boot_time_seconds"), ("instance", "a"), ("job", "node")]), booted)
}

fn build(version: &str) -> (LabelSet, f64) {
    let pairs = [("__name__", "web_build_info"), ("instance", "a"), ("job", "web"), ("version", version)];
    (labels(&pairs), 1.0)
}

impl Watched {
    fn new() -> Self {
        Self { watch: StartWatch::new(GRACE), by: vec!["instance".to_owned()], step: 0 }
    }

    fn at(&self) -> TimestampMs {
        TimestampMs(1_767_571_200_000 + self.step * STEP_MS)
    }

    /// The time of the step at hand, in seconds: what a process says that was started now.
    fn now(&self) -> f64 {
        self.at().seconds()
    }

    /// The same series for so many steps; what is said of instance a at the last.
    fn see(&mut self, steps: i64, read: &[(LabelSet, f64)]) -> Option<Start> {
        for _ in 0..steps {
            self.watch.take(self.at(), read.to_vec(), &self.by);
            self.step += 1;
        }
        self.watch.of(&a(), self.at().plus_ms(-STEP_MS))
    }
}

#[test]
fn what_is_new_has_not_restarted() {
    let mut watched = Watched::new();
    let read = [process("web", 1e9), machine(1e9), build("1"), build("2")];
    assert_eq!(watched.see(10, &read), None);
    let more = [&read[..], &[process("other", watched.now())]].concat();
    assert_eq!(watched.see(10, &more), None);
}

#[test]
fn a_restart_has_grace_for_its_time_and_is_named_for_an_hour() {
    let mut watched = Watched::new();
    watched.see(10, &[process("web", 1e9)]);
    let began = watched.at().plus_ms(-7_000);
    let restarted = [process("web", began.seconds())];
    let start = watched.see(1, &restarted).unwrap();
    assert_eq!(start, Start { kind: StartKind::Restart, began, times: 1, in_loop: false, in_grace: true });
    // Ten steps are five minutes, the first of them included.
    assert!(watched.see(9, &restarted).unwrap().in_grace);
    let later = watched.see(1, &restarted).unwrap();
    assert_eq!(later, Start { in_grace: false, ..start });
    assert_eq!(later.clause(began.plus_ms(420_000)), "7 minutes after a restart");
    assert!(watched.see(109, &restarted).is_some());
    assert_eq!(watched.see(1, &restarted), None);
}

#[test]
fn a_new_version_is_named_and_so_is_the_way_back() {
    let mut watched = Watched::new();
    watched.see(10, &[process("web", 1e9), build("1.8.1")]);
    let began = watched.at().plus_ms(-20_000);
    let released = watched.see(1, &[process("web", began.seconds()), build("1.8.2")]).unwrap();
    let kind = StartKind::Release { version: "1.8.2".to_owned() };
    assert_eq!(released, Start { kind, began, times: 1, in_loop: false, in_grace: true });
    assert_eq!(
        released.clause(began.plus_ms(200_000)),
        "3 minutes after version 1.8.2 started (grace period)"
    );
    watched.see(200, &[build("1.8.2")]);
    let back = watched.see(1, &[build("1.8.1")]).unwrap();
    assert_eq!(back.kind, StartKind::Release { version: "1.8.1".to_owned() });
}

/// A scrape that fails ends all series; what comes back as it was has not started.
#[test]
fn what_comes_back_as_it_was_has_not_restarted() {
    let mut watched = Watched::new();
    let read = [process("web", 1e9), build("1")];
    watched.see(10, &read);
    watched.see(20, &[]);
    assert_eq!(watched.see(10, &read), None);
}

#[test]
fn a_clock_that_wavers_or_is_set_back_starts_nothing() {
    let mut watched = Watched::new();
    for booted in [1e9, 1e9 + 1.0, 1e9 - 1.0, 1e9 + 5.0, 1e9 - 3600.0, f64::NAN, 1e9] {
        assert_eq!(watched.see(5, &[machine(booted)]), None, "{booted}");
    }
    assert_eq!(watched.see(1, &[machine(1e9 + 60.0)]).unwrap().kind, StartKind::Reboot);
}

/// A machine that boots, its exporter and, one step later, its service: one start, named after what says most.
#[test]
fn what_starts_together_is_one_start() {
    let mut watched = Watched::new();
    watched.see(10, &[machine(1e9), process("node", 1e9), process("web", 1e9)]);
    let boot = watched.now();
    watched.see(1, &[machine(boot), process("node", boot)]);
    let start = watched.see(1, &[machine(boot), process("node", boot), process("web", boot + 9.0)]).unwrap();
    assert_eq!((start.kind, start.times), (StartKind::Reboot, 1));
}

#[test]
fn a_time_that_cannot_be_is_replaced_by_that_of_the_step() {
    for wrong in [1e18, f64::MAX, 2e9 + 9e8] {
        let mut watched = Watched::new();
        watched.see(1, &[process("web", 5.0)]);
        let at = watched.at();
        assert_eq!(watched.see(1, &[process("web", wrong)]).unwrap().began, at, "{wrong}");
    }
}

/// Every two minutes: the grace of the first start lasts its five minutes, all later ones have none.
#[test]
fn a_loop_has_grace_once() {
    let mut watched = Watched::new();
    watched.see(10, &[process("web", 1e9)]);
    for times in 1..20 {
        let now = watched.now();
        let start = watched.see(4, &[process("web", now)]).unwrap();
        // After the fourth step since it was seen: 1.5, 3.5, 5.5 minutes after the first.
        assert_eq!((start.times, start.in_grace), (times, times < 3));
        if times >= 3 {
            assert_eq!(start.clause(watched.at()), format!("restarted {times} times within the hour"));
        }
    }
    // Half an hour without a start makes it good.
    for (rest, in_grace) in [(59, false), (60, true)] {
        let now = watched.now();
        watched.see(rest, &[process("web", now)]);
        let now = watched.now();
        assert_eq!(watched.see(1, &[process("web", now)]).unwrap().in_grace, in_grace, "{rest}");
    }
}

/// Of twelve replicas two may restart without a word, three are a quarter. A release counts with its first replica.
#[test]
fn a_few_of_many_processes_do_not_excuse_all() {
    let replicas = |restarted: usize, now: f64| -> Vec<(LabelSet, f64)> {
        (0..12).map(|n| process(&format!("{n:02}"), if n < restarted { now } else { 1e9 })).collect()
    };
    let with = |watched: &mut Watched, read: Vec<(LabelSet, f64)>| watched.see(1, &read);
    for (restarted, is_start) in [(2, false), (3, true)] {
        let mut watched = Watched::new();
        watched.see(10, &replicas(0, 0.0));
        let now = watched.now();
        assert_eq!(with(&mut watched, replicas(restarted, now)).is_some(), is_start);
    }
    let mut watched = Watched::new();
    watched.see(10, &[replicas(0, 0.0), vec![build("1")]].concat());
    let now = watched.now();
    let released = with(&mut watched, [replicas(1, now), vec![build("1"), build("2")]].concat()).unwrap();
    assert_eq!(released.kind, StartKind::Release { version: "2".to_owned() });
    assert_eq!(watched.see(30, &[replicas(1, now), vec![build("2")]].concat()).unwrap().times, 1);
}

/// A label of the entity is no version of it, whatever it is called.
#[test]
fn entities_by_version_are_not_released() {
    let mut watched = Watched::new();
    watched.by = vec!["version".to_owned()];
    watched.see(10, &[build("1")]);
    watched.see(10, &[build("1"), build("2")]);
    assert!(watched.watch.entities.is_empty());
}

#[test]
fn series_without_the_labels_of_an_entity_are_not_kept() {
    let mut watched = Watched::new();
    watched.by = vec!["service".to_owned()];
    watched.see(2, &[process("web", 1e9), build("1")]);
    assert!(watched.watch.processes.is_empty() && watched.watch.builds.is_empty());
}

proptest! {
    /// For all courses, an hour after the last sample nothing is remembered, and at no step more than was seen within it.
    #[test]
    fn what_is_gone_is_forgotten(
        course in prop::collection::vec(prop::collection::vec((0_u8..6, 0_u32..4), 0..5), 1..60),
    ) {
        let mut watched = Watched::new();
        for step in course {
            let read: BTreeMap<LabelSet, f64> = step
                .into_iter()
                .map(|(job, n)| match job {
                    0..3 => process(&job.to_string(), 1e9 + 1e3 * f64::from(n)),
                    3 => machine(1e9 + 1e3 * f64::from(n)),
                    _ => build(&n.to_string()),
                })
                .collect();
            watched.see(1, &read.into_iter().collect::<Vec<_>>());
            prop_assert!(watched.watch.processes.len() <= 4 && watched.watch.builds.len() <= 4);
            for starts in watched.watch.entities.values() {
                let seen: Vec<_> = starts.seen.iter().copied().collect();
                prop_assert!(seen.windows(2).all(|pair| pair[1].since_ms(pair[0]) > SAME_START_MS));
            }
        }
        watched.see(120, &[]);
        let StartWatch { processes, builds, sources, entities, .. } = &watched.watch;
        prop_assert!(processes.is_empty() && builds.is_empty() && sources.is_empty() && entities.is_empty());
    }
}
