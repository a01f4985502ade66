//! Detectors of single series on made-up series of every kind: quiet ones stay quiet, and what happens to one is seen.
//!
//! Everything goes the way of the sidecar, from samples on: a scrape a minute, a step every five minutes, models trained on
//! the way. A quiet crowd stands beside the series at hand, as it does in life; the model is one for all.

use emberwatch::{
    calibrate::Severity,
    config,
    features::{FeatureColumn, FeatureSchema, SERIES_FEATURE, SchemaSettings},
    model::Model,
    pipeline::{ClockConfig, Detector, DetectorStep, Replay, Verdict},
    series::{LabelSet, METRIC_NAME, STALE_NAN, Sample, SampleBatch, TimestampMs, series_hash},
    window,
};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{f64::consts::TAU, sync::Arc, time::Duration};

const MINUTE_MS: i64 = 60_000;
const STEP_MINUTES: i64 = 5;
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

/// A Monday, 2026-01-05 00:00 UTC.
const START: TimestampMs = TimestampMs(1_767_571_200_000);

/// What a series does: from the minute and a nearly normal number.
type Course = Box<dyn Fn(i64, f64) -> Option<f64>>;

/// A series. A counter's course is what is counted in a minute, or nothing where it starts anew.
struct Series {
    labels: LabelSet,
    is_counter: bool,
    course: Course,
}

fn series(name: &str, is_counter: bool, course: impl Fn(i64, f64) -> Option<f64> + 'static) -> Series {
    let labels = LabelSet::from_pairs([(METRIC_NAME, name), ("instance", "a"), ("job", "made")]).unwrap();
    Series { labels, is_counter, course: Box::new(course) }
}

fn gauge(name: &str, course: impl Fn(i64, f64) -> Option<f64> + 'static) -> Series {
    series(name, false, course)
}

fn counter(name: &str, course: impl Fn(i64, f64) -> Option<f64> + 'static) -> Series {
    series(name, true, course)
}

/// 0 at 03:00, 1 at 15:00.
fn traffic(minute: i64) -> f64 {
    0.5 - 0.5 * ((minute % DAY - 3 * HOUR) as f64 / DAY as f64 * TAU).cos()
}

/// Two of every kind and magnitude, with nothing wrong.
fn crowd() -> Vec<Series> {
    let mut crowd = Vec::new();
    for n in 0..2_i64 {
        let scale = 10_f64.powi(5 * n as i32);
        let name = |kind: &str| format!("quiet_{kind}_{n}");
        crowd.push(gauge(&name("level"), move |_, noise| Some(scale * (7.0 + 0.3 * noise))));
        crowd.push(gauge(&name("daily"), move |at, noise| {
            Some(scale * (3.0 + 2.0 * traffic(at) + 0.1 * noise))
        }));
        crowd.push(gauge(&name("constant"), move |_, _| Some(4.0 * n as f64)));
        crowd.push(gauge(&name("mostly_zero"), move |at, noise| {
            Some(if (at / STEP_MINUTES * 7 + n) % 20 == 0 { scale * (2.0 + 0.2 * noise) } else { 0.0 })
        }));
        crowd.push(counter(&name("steady_total"), move |_, noise| {
            Some(scale * (60.0 + 3.0 * noise).max(0.0))
        }));
        crowd.push(counter(&name("daily_total"), move |at, noise| {
            Some(scale * (60.0 + 200.0 * traffic(at) + 5.0 * noise).max(0.0))
        }));
        crowd.push(counter(&name("bursts_total"), move |_, noise| {
            Some(scale * if noise > 1.3 { 300.0 } else { 1.0 })
        }));
        // A restart a day, at its own hour.
        crowd.push(counter(&name("restarts_total"), move |at, noise| {
            (at % DAY != 7 * HOUR + 13 * n).then_some(scale * (100.0 + 4.0 * noise).max(0.0))
        }));
    }
    crowd
}

/// What one step said of one series; `minute` is that of the step.
struct Told {
    minute: i64,
    verdict: Verdict,
}

struct Outcome {
    steps: Vec<(i64, DetectorStep)>,
    /// The model at the end.
    model: Option<Arc<Model>>,
}

impl Outcome {
    /// What was said of the series of this metric.
    fn of(&self, metric: &str) -> Vec<Told> {
        let is_it = |verdict: &&Verdict| verdict.entity.get("for") == Some(metric);
        let verdicts = self.steps.iter().flat_map(|(minute, step)| {
            step.verdicts
                .iter()
                .filter(is_it)
                .map(|verdict| Told { minute: *minute, verdict: verdict.clone() })
        });
        verdicts.collect()
    }

    /// Minutes of the steps at which it was an alarm.
    fn alarms(&self, metric: &str) -> Vec<i64> {
        let alarming = |told: &Told| told.verdict.severity >= Severity::Medium;
        self.of(metric).iter().filter(|told| alarming(told)).map(|told| told.minute).collect()
    }
}

fn detector(max_series: usize) -> Detector {
    let text = format!(
        "step: {STEP_MINUTES}m
training: {{warm_up: 12h, max_rows: 20000, n_trees: 50}}
detectors:
  - {{name: made, series: '{{job=\"made\"}}', max_series: {max_series}}}
"
    );
    let config = config::parse(&text).unwrap();
    config.compile(&config.detectors[0]).unwrap()
}

/// Lives through `minutes` of all series.
fn live(all: &[Series], minutes: i64) -> Outcome {
    live_with(all, minutes, 1_000, 2)
}

fn live_with(all: &[Series], minutes: i64, max_series: usize, shards: usize) -> Outcome {
    let step_ms = STEP_MINUTES * MINUTE_MS;
    let clock = ClockConfig { step_ms, settle_timeout: Duration::from_secs(30) };
    let mut replay = Replay::new(vec![detector(max_series)], clock, window::Config::default(), shards);
    let mut noise = Xoshiro256PlusPlus::seed_from_u64(11);
    let mut counts = vec![0.0; all.len()];
    let mut present = vec![false; all.len()];
    let mut steps = Vec::new();
    for minute in 0..minutes {
        let mut batch = SampleBatch::default();
        let at = START.plus_ms(minute * MINUTE_MS).0;
        for (n, series) in all.iter().enumerate() {
            // Twelve uniform numbers make a nearly normal one.
            let noise = (0..12).map(|_| noise.random::<f64>()).sum::<f64>() - 6.0;
            let value = match ((series.course)(minute, noise), series.is_counter) {
                (growth, true) => {
                    counts[n] = growth.map_or(0.0, |growth| counts[n] + growth);
                    Some(counts[n])
                }
                (value, false) => value,
            };
            let text = series.labels.canonical_text();
            let ended = value.is_none() && std::mem::replace(&mut present[n], value.is_some());
            present[n] = value.is_some();
            let sample = value.or(ended.then_some(STALE_NAN));
            batch.push(series_hash(text, 7), text, sample.map(|value| Sample::new(at, value)));
        }
        replay.append(&batch);
        for (at, mut judged) in replay.evaluate(Duration::ZERO) {
            steps.push((at.since_ms(START) / MINUTE_MS, judged.remove(0)));
        }
    }
    Outcome { steps, model: replay.model("made").cloned() }
}

/// The crowd and one series more.
fn with(one: Series) -> Vec<Series> {
    crowd().into_iter().chain([one]).collect()
}

/// The scale promises that one step of 251 reaches 0.4 in normal operation, and one of 63,000 reaches 0.8.
#[test]
fn a_quiet_crowd_is_as_quiet_as_the_scale_promises() {
    let outcome = live(&crowd(), 5 * DAY);
    let day = |minute: i64| minute >= 4 * DAY;
    let scores: Vec<(String, f64)> = outcome
        .steps
        .iter()
        .filter(|(minute, _)| day(*minute))
        .flat_map(|(_, step)| &step.verdicts)
        .map(|verdict| (verdict.entity.to_string(), verdict.anomaly_score.value()))
        .collect();
    let steps = 16 * DAY / STEP_MINUTES;
    assert!(scores.len() as i64 >= steps - 20, "every series is scored: {}", scores.len());
    let share = |level: f64| scores.iter().filter(|(_, score)| *score >= level).count() as f64 / steps as f64;
    assert!(share(0.4) <= 2.0 / 251.0, "{}", share(0.4));
    assert!(share(0.8) <= 1.0 / 1000.0, "{}", share(0.8));
}

/// Where nothing ever varied there is no spread to hold a change against.
#[test]
fn a_constant_that_jumps_is_an_alarm_as_soon_as_persistence_allows() {
    for (before, after) in [(5.0, 6.0), (0.0, 1.0), (1.0, 0.0), (1e9, 2e9)] {
        let jump = 3 * DAY + 5 * HOUR;
        let all = with(gauge("constant_of_old", move |at, _| Some(if at < jump { before } else { after })));
        let outcome = live(&all, jump + 2 * HOUR);
        // Two of three steps: the second one that sees it.
        let alarms = outcome.alarms("constant_of_old");
        assert_eq!(alarms.first(), Some(&(jump + STEP_MINUTES)), "{before} to {after}");
        let told = outcome.of("constant_of_old");
        let within_the_hour = told.iter().filter(|told| (jump..jump + HOUR).contains(&told.minute));
        let scores: Vec<f64> = within_the_hour.map(|told| told.verdict.anomaly_score.value()).collect();
        assert!(scores.iter().all(|score| *score > 0.4), "not 0: {before} to {after}: {scores:?}");
        assert!(
            scores[..5].iter().all(|score| *score > 0.6),
            "one in 4,000: {before} to {after}: {scores:?}"
        );
    }
}

/// One that comes one step in twenty would have to be known for a window: it warms up for ever, and that is said.
#[test]
fn a_series_that_is_hardly_ever_there_is_not_judged() {
    let all = with(gauge("sparse", |at, noise| (at / STEP_MINUTES % 20 == 0).then_some(5.0 + noise)));
    let outcome = live(&all, 3 * DAY);
    assert_eq!(outcome.of("sparse").len(), 0);
    let (_, last) = outcome.steps.iter().rfind(|(minute, _)| minute / STEP_MINUTES % 20 == 0).unwrap();
    assert_eq!(last.warming_up, 1);
}

#[test]
fn a_mostly_zero_series_is_an_alarm_where_it_does_what_it_never_did() {
    let odd = 3 * DAY + 5 * HOUR;
    let all = with(gauge("errors", move |at, noise| {
        let busy = (odd..odd + HOUR).contains(&at);
        Some(if busy {
            40.0
        } else if at / STEP_MINUTES % 20 == 0 {
            2.0 + 0.2 * noise
        } else {
            0.0
        })
    }));
    let outcome = live(&all, odd + HOUR);
    let alarms = outcome.alarms("errors");
    assert_eq!(alarms.first(), Some(&(odd + STEP_MINUTES)), "{alarms:?}");
}

/// A counter that stands still is a rate of zero: the counter itself would look like any constant.
#[test]
fn a_counter_that_stands_still_is_told_as_a_rate() {
    // A drop to zero is one when 1,000 steps are known.
    let stop = 4 * DAY;
    let all = with(counter("requests_total", move |at, noise| {
        Some(if at < stop { (3_000.0 + 100.0 * noise).max(0.0) } else { 0.0 })
    }));
    let outcome = live(&all, stop + HOUR);
    let alarms = outcome.alarms("requests_total");
    // The range of the rate is one step, and persistence takes another.
    assert!(
        alarms.first().is_some_and(|first| (stop..=stop + 3 * STEP_MINUTES).contains(first)),
        "{alarms:?}"
    );
    let told = outcome.of("requests_total").pop().unwrap().verdict;
    assert!(
        told.explanation.starts_with("requests_total is 0/s, it was never 0/s in 4 d"),
        "{}",
        told.explanation
    );
    // What it is has been said. 3,000 a minute, give or take 3 %.
    assert_eq!(told.explanation.matches("requests_total").count(), 1, "{}", told.explanation);
    assert!(told.explanation.contains("sigma below its usual 48."), "{}", told.explanation);
    assert_eq!(told.contributions[0].feature, "requests_total");
}

#[test]
fn a_restart_of_a_counter_is_no_news() {
    let restart = 3 * DAY + 5 * HOUR;
    let all = with(counter("requests_total", move |at, noise| {
        (at != restart).then_some((3_000.0 + 100.0 * noise).max(0.0))
    }));
    let outcome = live(&all, restart + HOUR);
    let after: Vec<Told> =
        outcome.of("requests_total").into_iter().filter(|told| told.minute >= restart).collect();
    assert!(after.len() >= 11 && after.iter().all(|told| told.verdict.severity == Severity::Normal));
}

/// A day says nothing about an hour that comes every day, and a level it never had is one at any hour.
#[test]
fn a_gauge_with_a_daily_shape_may_have_its_day() {
    let odd = 3 * DAY + 5 * HOUR;
    let all = with(gauge("sessions", move |at, noise| {
        let more = if at >= odd { 300.0 } else { 0.0 };
        Some(50.0 + 100.0 * traffic(at) + 3.0 * noise + more)
    }));
    let outcome = live(&all, odd + HOUR);
    let alarms = outcome.alarms("sessions");
    let third_day = alarms.iter().filter(|minute| (2 * DAY..odd).contains(minute)).count();
    assert!(third_day <= 3, "{third_day} alarming steps of {}", (DAY + 5 * HOUR) / STEP_MINUTES);
    assert!(alarms.contains(&(odd + STEP_MINUTES)), "{alarms:?}");
}

#[test]
fn a_new_series_warms_up_without_a_score_and_is_known_within_a_day() {
    let birth = 2 * DAY;
    let all = with(gauge("newcomer", move |at, noise| (at >= birth).then_some(100.0 + 5.0 * noise)));
    let outcome = live(&all, 3 * DAY);
    let first = outcome.of("newcomer").first().map(|told| told.minute - birth).unwrap();
    // 128 steps are needed to know what is usual for it, and two to see that it is there and its window warm.
    assert!((128 * STEP_MINUTES..DAY).contains(&first), "scored after {first} minutes");
    let warming = |(minute, step): &(i64, DetectorStep)| {
        !(birth + STEP_MINUTES..birth + first).contains(minute) || step.warming_up == 1
    };
    assert!(outcome.steps.iter().all(warming), "it is said that it warms up");
    assert!(outcome.alarms("newcomer").len() <= 2);
}

#[test]
fn a_series_that_ends_takes_its_score_along_and_is_said_to_be_silent() {
    let end = 3 * DAY;
    let all = with(gauge("mortal", move |at, noise| (at < end).then_some(100.0 + 5.0 * noise)));
    let outcome = live(&all, end + 3 * HOUR);
    let of = |entities: &[LabelSet]| entities.iter().any(|entity| entity.get("for") == Some("mortal"));
    let gone: Vec<i64> = outcome.steps.iter().filter(|(_, step)| of(&step.gone)).map(|(at, _)| *at).collect();
    assert_eq!(gone, [end], "with its stale marker");
    let silent = outcome.steps.iter().filter(|(_, step)| of(&step.silent)).count() as i64;
    assert_eq!(silent, HOUR / STEP_MINUTES, "as long as the silence of an entity is said");
}

/// Nobody that is judged is driven out, and how many are left out is said.
#[test]
fn more_series_than_allowed_are_left_out_and_counted() {
    let all = with(gauge("a_newcomer", |at, _| (at >= HOUR).then_some(1.0)));
    let outcome = live_with(&all, 2 * DAY, crowd().len(), 2);
    let left_out = |at: i64| outcome.steps.iter().find(|(minute, _)| *minute == at).unwrap().1.left_out;
    assert_eq!((left_out(HOUR - STEP_MINUTES), left_out(2 * HOUR)), (0, 1));
    assert_eq!(outcome.of("a_newcomer").len(), 0);
    let (_, last) = outcome.steps.last().unwrap();
    assert_eq!(last.verdicts.len(), crowd().len());
}

/// Also which series have a place does not depend on where they live.
#[test]
fn scores_are_the_same_to_the_last_bit_whatever_the_number_of_shards() {
    let bits = |shards| {
        let outcome = live_with(&crowd(), 2 * DAY, 12, shards);
        let of_step = |(_, step): &(i64, DetectorStep)| {
            step.series("made", 0.35)
                .into_iter()
                .map(|(labels, value)| (labels, value.to_bits()))
                .collect::<Vec<_>>()
        };
        outcome.steps.iter().flat_map(of_step).collect::<Vec<_>>()
    };
    let one = bits(1);
    assert!(one.len() > 12 * 200, "{}", one.len());
    assert!([2, 8].into_iter().all(|shards| bits(shards) == one));
}

/// A detector of features that happens to call its only one the same is another.
#[test]
fn a_model_of_single_series_is_for_no_other_detector() {
    let outcome = live(&crowd(), DAY);
    let bytes = outcome.model.unwrap().encode().unwrap();
    let model = Model::decode(&bytes).unwrap();
    assert_eq!(model.encode().unwrap(), bytes);
    let own = model.schema().clone();
    assert_eq!(model.difference(&own), None);
    let features = vec![FeatureColumn { name: SERIES_FEATURE.to_owned(), expression: "up".to_owned() }];
    let joined =
        SchemaSettings { features, step_ms: own.step_ms(), window_steps: 6, ..SchemaSettings::default() };
    let difference = model.difference(&FeatureSchema::new(joined).unwrap()).unwrap();
    assert_eq!(
        difference.to_string(),
        "the model judges single series, and here features are joined by labels"
    );
}
