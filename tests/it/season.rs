//! Days and weeks of made-up machines: what the hour of the day explains, and what it gives away.
//!
//! Everything goes the way of the sidecar from the feature vectors on, with vectors every five minutes; models are
//! trained on the way, as from the stream.

use emberwatch::{
    calibrate::{CheckedPersistence, Memory, Severity, Thresholds},
    features::{FeatureColumn, FeatureMatrix, FeatureSchema, Holidays, SchemaSettings, SeasonSettings},
    pipeline::{Backtest, DetectorSettings, Rules, Seasonal, TrainingPolicy, TrainingTriggers, Verdict},
    score::iforest::Hyperparams,
    series::{LabelSet, TimestampMs},
};
use jiff::civil::DateTime;
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{collections::BTreeSet, f64::consts::TAU, time::Duration};

const STEP_MS: i64 = 300_000;
const DAY_STEPS: i64 = 288;
const DAY_MS: i64 = 86_400_000;

/// A Monday, 2026-01-05 00:00 UTC.
const MONDAY: TimestampMs = TimestampMs(1_767_571_200_000);

/// Hours may say all that they have to say.
fn full(holidays: Holidays) -> SeasonSettings {
    SeasonSettings { holidays, unusual_hours: true }
}

/// A detector of a few features of one machine.
struct Machine {
    features: &'static [&'static str],
    season: Option<SeasonSettings>,
    /// What the people live by who use it.
    clock: &'static str,
    /// What the detector knows of that.
    time_zone: Option<&'static str>,
    start: TimestampMs,
    seed: u64,
}

/// Where in its life a machine is.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// Days since the start.
    day: i64,
    /// Hour of the day, with its fraction.
    hour: f64,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            features: &["cpu", "disk", "network"],
            season: Some(full(Holidays::default())),
            clock: "UTC",
            time_zone: None,
            start: MONDAY,
            seed: 1,
        }
    }
}

impl Machine {
    /// Judges `days` days of which `value` makes the vectors, from the moment and a normal number.
    fn live(&self, days: i64, value: impl Fn(usize, Moment, f64) -> f64) -> Vec<(Moment, Verdict)> {
        let mut backtest = Backtest::new(self.settings(), None);
        let mut noise = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let entity = LabelSet::from_pairs([("instance", "a")]).unwrap();
        let mut verdicts = Vec::new();
        for step in 0..days * DAY_STEPS {
            let at = self.start.plus_ms(step * STEP_MS);
            let moment = self.moment(at);
            let n = self.features.len();
            let values = Array2::from_shape_fn((1, n), |(_, feature)| {
                // Twelve uniform numbers make a nearly normal one.
                let noise: f64 = (0..12).map(|_| noise.random::<f64>()).sum::<f64>() - 6.0;
                value(feature, moment, noise)
            });
            let matrix = FeatureMatrix { at, entities: vec![entity.clone()], values, ambiguous: vec![0; n] };
            let judged = backtest.step(&matrix).unwrap();
            verdicts.extend(judged.verdict(&entity).map(|verdict| (moment, verdict.clone())));
        }
        assert!(backtest.trainings().iter().all(Result::is_ok) && backtest.trainings().len() > 2);
        verdicts
    }

    fn settings(&self) -> DetectorSettings {
        let column = |name: &&str| FeatureColumn { name: (*name).to_owned(), expression: String::new() };
        let schema = SchemaSettings {
            step_ms: STEP_MS,
            window_steps: 6,
            time_zone: self.time_zone.map(str::to_owned),
            features: self.features.iter().map(column).collect(),
            ..SchemaSettings::default()
        };
        let training = TrainingPolicy {
            triggers: TrainingTriggers::default(),
            trial_ms: 0,
            warm_up_ms: 2 * DAY_MS,
            max_rows: 4_000,
            most_rows: usize::MAX,
            retention_ms: 90 * DAY_MS,
            hyperparams: Hyperparams { n_trees: 25, ..Hyperparams::default() },
            contamination: 0.0,
        };
        DetectorSettings {
            schema: FeatureSchema::new(schema).unwrap(),
            thresholds: Thresholds::default(),
            persistence: CheckedPersistence::default(),
            forget_after: Some(Memory::DEFAULT_FADE),
            rules: Rules::default(),
            silence: Duration::ZERO,
            grace: Duration::ZERO,
            season: self.season.clone(),
            training: Some(training),
        }
    }

    /// By the clock on the wall.
    fn moment(&self, at: TimestampMs) -> Moment {
        let local = |at: TimestampMs| -> DateTime {
            let instant = jiff::Timestamp::from_millisecond(at.0).unwrap();
            instant.in_tz(self.clock).unwrap().datetime()
        };
        let (now, start) = (local(at), local(self.start));
        let day = i64::from(now.date().since(start.date()).unwrap().get_days());
        Moment { day, hour: f64::from(now.hour()) + f64::from(now.minute()) / 60.0 }
    }
}

impl Moment {
    /// 0 at 03:00, 1 at 15:00.
    fn traffic(self) -> f64 {
        0.5 - 0.5 * ((self.hour - 3.0) / 24.0 * TAU).cos()
    }

    fn is_weekend(self) -> bool {
        self.day % 7 >= 5
    }

    fn within(self, from: f64, to: f64) -> bool {
        (from..to).contains(&self.hour)
    }
}

fn is_alarm(verdict: &Verdict) -> bool {
    verdict.severity >= Severity::Medium
}

/// The days with an alarm.
fn days_of_alarms(verdicts: &[(Moment, Verdict)]) -> BTreeSet<i64> {
    verdicts.iter().filter(|(_, verdict)| is_alarm(verdict)).map(|(moment, _)| moment.day).collect()
}

/// The days on which a value was unusual for its hour, and it was an alarm.
fn days_of_unusual_hours(verdicts: &[(Moment, Verdict)]) -> BTreeSet<i64> {
    let unusual = |verdict: &Verdict| matches!(verdict.seasonal, Some(Seasonal::Unusual { .. }));
    let alarms = verdicts.iter().filter(|(_, verdict)| is_alarm(verdict) && unusual(verdict));
    alarms.map(|(moment, _)| moment.day).collect()
}

/// Disk and network are busy for half an hour from about 02:00, some minutes earlier or later.
fn with_backup(feature: usize, moment: Moment, noise: f64) -> f64 {
    let late = (moment.day * 7 % 5) as f64 * 5.0 / 60.0 - 1.0 / 6.0;
    let running = moment.within(2.0 + late, 2.5 + late);
    match feature {
        0 => 0.3 + 0.02 * noise,
        1 if running => 200.0 + 10.0 * noise,
        1 => 5.0 + noise,
        _ if running => 80.0 + 4.0 * noise,
        _ => 10.0 + noise,
    }
}

/// The night of the first backup: by then there is a model, which has not seen any.
const FIRST_NIGHT: i64 = 4;

fn with_new_backup(feature: usize, moment: Moment, noise: f64) -> f64 {
    if moment.day < FIRST_NIGHT {
        without_backup(feature, moment, noise)
    } else {
        with_backup(feature, moment, noise)
    }
}

fn without_backup(feature: usize, moment: Moment, noise: f64) -> f64 {
    with_backup(feature, Moment { hour: 12.0, ..moment }, noise)
}

/// A backup that runs every night is no news from its eighth night on, whatever the day of the week on which the sidecar
/// starts, and although new models come that forgot what was before them.
#[test]
fn a_nightly_backup_is_silent_after_a_week() {
    for weekday in [0, 3] {
        let start = MONDAY.plus_ms(weekday * DAY_MS);
        let nights = |season| {
            let machine = Machine { start, season, ..Machine::default() };
            days_of_alarms(&machine.live(FIRST_NIGHT + 18, with_new_backup))
        };
        let eighth = FIRST_NIGHT + 7;
        let nights_without = nights(None);
        assert!(nights_without.range(eighth..).count() > 3, "otherwise it stays news: {nights_without:?}");
        let nights = nights(Some(full(Holidays::default())));
        assert!(nights.contains(&FIRST_NIGHT), "the first night is news");
        assert_eq!(nights.range(eighth..).next(), None, "from {start}: {nights:?}");
    }
}

/// What comes with the backup and is no part of it is news: the habit of the hour explains its own features alone.
#[test]
fn a_fault_during_the_backup_is_no_habit() {
    let value = |feature, moment: Moment, noise| match feature {
        0 if moment.day == 17 && moment.within(2.0, 3.0) => 0.9,
        _ => with_new_backup(feature, moment, noise),
    };
    assert_eq!(
        days_of_alarms(&Machine::default().live(19, value)).range(FIRST_NIGHT + 7..).collect::<Vec<_>>(),
        [&17]
    );
}

/// A backup that stays away is no strange value at any time, and is said in the hour after it, to its end.
#[test]
fn a_backup_that_does_not_run_is_missed() {
    let value = |feature, moment: Moment, noise| match moment.day {
        16 => without_backup(feature, moment, noise),
        _ => with_new_backup(feature, moment, noise),
    };
    let verdicts = Machine::default().live(19, value);
    let missed = |verdict: &Verdict| matches!(verdict.seasonal, Some(Seasonal::Unusual { missed: true, .. }));
    let said: Vec<&(Moment, Verdict)> = verdicts.iter().filter(|(_, verdict)| missed(verdict)).collect();
    assert!(said.iter().any(|(_, verdict)| is_alarm(verdict)), "nobody was told");
    assert!(said.iter().all(|(moment, _)| moment.day == 16 && moment.within(3.0, 4.0)));
    let words = &said.iter().find(|(_, verdict)| is_alarm(verdict)).unwrap().1.explanation;
    assert!(words.contains("did not come this time: "), "{words}");
}

/// Traffic by the hour, a processor that follows it, and a temperature that does not.
fn by_day(feature: usize, moment: Moment, noise: f64) -> f64 {
    follows(feature, moment.traffic(), noise)
}

fn follows(feature: usize, traffic: f64, noise: f64) -> f64 {
    match feature {
        0 => 0.1 + 0.5 * traffic + 0.02 * noise,
        1 => 100.0 + 900.0 * traffic + 20.0 * noise,
        _ => 40.0 + noise,
    }
}

/// As busy as at noon, at three in the night: no value that was not seen every day.
#[test]
fn the_traffic_of_noon_is_an_anomaly_at_night() {
    let value = |feature, moment: Moment, noise| {
        let at_noon = moment.day == 16 && moment.within(3.0, 4.0);
        let moment = if at_noon { Moment { hour: 12.0, ..moment } } else { moment };
        by_day(feature, moment, noise)
    };
    let machine = Machine { features: &["cpu", "traffic", "temperature"], ..Machine::default() };
    let verdicts = machine.live(18, value);
    let that_night = |(moment, verdict): &&(Moment, Verdict)| {
        moment.day == 16 && moment.within(3.0, 4.0) && verdict.seasonal.is_some()
    };
    let told: Vec<_> = verdicts.iter().filter(that_night).collect();
    assert!(told.iter().any(|(_, verdict)| is_alarm(verdict)), "{told:?}");
    let Some(Seasonal::Unusual { feature, usual, missed }) = &told[0].1.seasonal else { panic!("{told:?}") };
    assert!(
        ["cpu", "traffic"].contains(&feature.as_str()) && !missed && usual.days == 5,
        "{feature} {usual:?}"
    );
    assert!(told[0].1.contributions.iter().all(|part| part.feature != "temperature" || part.share < 0.1));
    assert_eq!(days_of_unusual_hours(&verdicts).into_iter().collect::<Vec<_>>(), [16]);
}

/// Quiet weekends are learned in two of them, and a holiday is a Sunday where it is written in the configuration.
#[test]
fn weekends_and_holidays_are_no_anomaly() {
    // Wednesday of the third week, 2026-01-21.
    let value = |feature, moment: Moment, noise| {
        let rest = moment.is_weekend() || moment.day == 16;
        follows(feature, if rest { 0.1 * moment.traffic() } else { moment.traffic() }, noise)
    };
    let unusual = |holidays: &[&str]| {
        let holidays = Holidays::new(holidays.iter().map(|day| day.parse().unwrap()).collect());
        let machine = Machine {
            features: &["cpu", "traffic", "temperature"],
            season: Some(full(holidays)),
            ..Machine::default()
        };
        days_of_unusual_hours(&machine.live(24, value))
    };
    assert_eq!(unusual(&["2026-01-21"]), BTreeSet::new());
    assert!(unusual(&[]).contains(&16), "a holiday that nobody wrote down is unusual");
}

/// Offices open by the clock on the wall: whoever knows their time zone sees nothing new when it changes to summer time.
#[test]
fn the_change_to_summer_time_does_not_alarm() {
    let unusual = |time_zone| {
        let machine = Machine {
            features: &["cpu", "traffic", "temperature"],
            clock: "Europe/Berlin",
            time_zone,
            // 2026-03-13, a Friday, 00:00 in Berlin; clocks change on Sunday the 29th.
            start: TimestampMs(1_773_356_400_000),
            ..Machine::default()
        };
        let value = |feature, moment: Moment, noise| {
            follows(feature, if moment.within(8.0, 18.0) { 1.0 } else { 0.1 }, noise)
        };
        days_of_unusual_hours(&machine.live(20, value))
    };
    assert_eq!(unusual(Some("Europe/Berlin")), BTreeSet::new());
    assert!(unusual(None).contains(&16), "by UTC the offices open an hour early on that Sunday");
}

/// Where the hour says nothing, seasons cost next to nothing: of steps without any rhythm no more are alarms than without.
#[test]
fn without_a_rhythm_there_are_no_more_alarms() {
    let alarms = |season: Option<SeasonSettings>, seed| {
        let machine = Machine { season, seed, ..Machine::default() };
        let verdicts = machine.live(18, |feature, _, noise| 50.0 + (feature as f64 + 1.0) * noise);
        (verdicts.iter().filter(|(_, verdict)| is_alarm(verdict)).count(), verdicts.len())
    };
    let (mut with, mut without, mut steps) = (0, 0, 0);
    for seed in 1..3 {
        with += alarms(Some(full(Holidays::default())), seed).0;
        let (alarms, judged) = alarms(None, seed);
        (without, steps) = (without + alarms, steps + judged);
    }
    assert!(with <= without + steps / 2_000, "{with} with seasons, {without} without, of {steps} steps");
}
