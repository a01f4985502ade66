//! Figures worked out by hand, and a second implementation by the letter of the definitions.

use super::*;
use crate::evaluate::alarms::Measure;
use proptest::prelude::*;
use std::num::NonZeroUsize;

fn minutes(minutes: u64) -> NonZeroU64 {
    NonZeroU64::new(minutes * 60_000).unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs().max(1.0)
}

fn labels(n: usize, segments: &[Range<usize>]) -> Vec<bool> {
    (0..n).map(|row| segments.iter().any(|segment| segment.contains(&row))).collect()
}

/// Rows of 20 minutes: three to the hour. Two segments, of which the second is missed; the alarms are
/// - rows 0 and 1: false, one hour is begun;
/// - rows 5 to 9 and 11: one episode, 5 and 6 found, 7 and 11 within a row of a segment, 8 to 10 false: one hour;
/// - rows 16 to 19: false, two hours are begun.
#[test]
fn the_figures_of_an_operating_point_are_those_worked_out_by_hand() {
    let labels = labels(20, &[4..7, 12..14]);
    let rules = Rules { step_ms: minutes(20), gap: 1, grace: 1, early_rows: 1, vus: None };
    let point = Measure::new(&labels, &rules).at(&[0..2, 5..10, 11..12, 16..20], None);
    let counts = [2, 10, 3, 2, 1, 4, 2, 20];
    assert_eq!(point.counts.named().map(|(_, count)| count), counts, "{:?}", point.counts.named());
    // More than 0, 10, ..., 60 % of the first segment's three rows are alarms.
    let pak = (7.0 * (6.0 / 18.0) + 4.0 * (4.0 / 17.0)) / 11.0;
    let expected = [
        ("P", 2.0 / 12.0),
        ("R", 2.0 / 5.0),
        ("F1", 4.0 / 17.0),
        ("FPR", 10.0 / 15.0),
        ("alarm_share", 12.0 / 20.0),
        ("event_recall", 1.0 / 2.0),
        ("event_prec", 1.0 / 5.0),
        ("event_f1", 2.0 / 7.0),
        ("touch_f1", 2.0 / 5.0),
        ("fc1", 1.0 / 4.0),
        ("fp_per_day", 4.0 / (20.0 * 20.0 / 1440.0)),
        ("recall_d", 0.0),
        ("delay_med", 1.0),
        ("pa_f1", 6.0 / 18.0),
        ("pak_f1", pak),
    ];
    for ((name, expected), (own, figure)) in expected.iter().zip(FIGURES.iter().zip(point.figures())) {
        assert!(name == own && close(figure.unwrap(), *expected), "{name}: {figure:?}, not {expected}");
    }
    let patient = Rules { early_rows: 2, ..rules };
    let point = Measure::new(&labels, &patient).at(&[5..10, 13..14], None);
    // Both begin one row late: early enough now.
    assert_eq!((point.early_recall, point.median_delay), (1.0, Some(1.0)));
}

/// Of the six pairs the labelled rows win three and draw one. From the top, precision is 1, 2/3, 1/2, 3/5 and recall
/// 1/3, 2/3, 2/3, 1.
#[test]
fn ranking_figures_are_those_worked_out_by_hand() {
    let ranking = Ranking::new(&[0.9, 0.8, 0.8, 0.3, 0.1]);
    let labels = [true, false, true, false, true];
    assert_eq!(ranking.auroc(&labels), Some(3.5 / 6.0));
    assert!(close(ranking.average_precision(&labels).unwrap(), (1.0 + 2.0 / 3.0 + 3.0 / 5.0) / 3.0));
    // F1 is 2/4, 4/6, 4/7, 6/8.
    assert_eq!(ranking.best_f1_threshold(&labels), 0.1);
    for (labels, auroc) in [([true; 5], None), ([false; 5], None)] {
        assert_eq!(ranking.auroc(&labels), auroc);
    }
    assert_eq!(ranking.average_precision(&[false; 5]), None);
}

/// The highest score stands right before the incident. Without a buffer precision is 1/2 where the incident is found.
/// A buffer of two rows counts the neighbour `sqrt(1/2)`.
#[test]
fn vus_pr_is_that_worked_out_by_hand() {
    let ranking = Ranking::new(&[0.9, 0.5, 0.1]);
    let part = 0.5_f64.sqrt();
    let first_recall = part / (1.0 + part / 2.0);
    let buffered = first_recall * part + (1.0 - first_recall) * (1.0 + part) / 2.0;
    let buffers = vus::Buffers { longest: 2, step: NonZeroUsize::new(2).unwrap() };
    let segment = 1..2;
    let volume = vus::vus_pr(&ranking, &[false, true, false], std::slice::from_ref(&segment), buffers);
    assert!(close(volume.unwrap(), (0.5 + buffered) / 2.0), "{volume:?}");
}

#[test]
fn an_endless_alarm_finds_everything_and_is_worth_little() {
    let segments = [1000..1030, 5000..5200];
    let rows = LabelledScores::new(vec![1.0; 10_000], labels(10_000, &segments)).unwrap();
    let evaluation = evaluate(&rows, Extras { threshold: Some(0.5), ..Extras::default() }, &Rules::default());
    let evaluation = evaluation.unwrap();
    let point = evaluation.points.iter().find(|(name, _)| *name == "fixed").unwrap().1;
    // 9,710 rows outside segments and grace: three runs of 17, 66 and 80 begun hours.
    assert_eq!(point.counts.event_false_positives, 17 + 66 + 80);
    assert!(point.counts.event_recall() == 1.0 && point.event_f1 < 0.03, "{}", point.event_f1);
    assert_eq!((point.touch_f1, point.point_adjusted_f1 > 0.0), (1.0, true));
    assert_eq!(evaluation.auroc, Some(0.5));
}

#[test]
fn without_an_incident_only_what_needs_none_is_said() {
    let rows = LabelledScores::new(vec![0.1, 0.2, f64::NAN], vec![false; 3]).unwrap();
    let own_alarms = [false, true, false];
    let extras = Extras { train: Some(&[0.1; 5]), own_alarms: Some(&own_alarms), threshold: Some(0.2) };
    let evaluation = evaluate(&rows, extras, &Rules::default()).unwrap();
    assert_eq!((evaluation.auroc, evaluation.average_precision, evaluation.vus_pr), (None, None, None));
    let names: Vec<&str> = evaluation.points.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["q99", "q995", "q999", "pot_1e-3", "pot_1e-4", "own_alarm", "fixed"]);
    assert_eq!(summary([&evaluation]), Summary::default());
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let new = LabelledScores::new;
    assert_eq!(new(vec![], vec![]), Err(Unmeasurable::NoRows));
    assert_eq!(new(vec![f64::NAN, f64::INFINITY], vec![true, false]), Err(Unmeasurable::NoScores(2)));
    let length = Unmeasurable::Length { what: "scores", have: 1, want: 2 };
    assert_eq!(new(vec![1.0], vec![true, false]), Err(length));
    let rows = new(vec![1.0, 2.0], vec![true, false]).unwrap();
    let extras = Extras { own_alarms: Some(&[true]), ..Extras::default() };
    assert!(evaluate(&rows, extras, &Rules::default()).is_err());
}

/// Two series: AUROC 1 and 0.5, thresholds of their own; in the first the incident is found, in the second missed.
#[test]
fn means_and_pooled_counts() {
    let series = |scores: [f64; 4]| {
        let rows = LabelledScores::new(scores.to_vec(), vec![false, true, true, false]).unwrap();
        evaluate(&rows, Extras { threshold: Some(0.5), ..Extras::default() }, &Rules::default()).unwrap()
    };
    let both = [series([0.1, 0.9, 0.2, 0.1]), series([0.1, 0.1, 0.1, 0.1])];
    let summary = summary(&both);
    assert_eq!((summary.series_with_segments, summary.auroc), (2, Some(0.75)));
    let (name, figures) = summary.macro_points.last().unwrap();
    let figure = |name: &str| figures[FIGURES.iter().position(|known| *known == name).unwrap()];
    // The delay is known of one series only.
    assert_eq!(
        (*name, figure("P"), figure("R"), figure("delay_med")),
        ("fixed", Some(0.5), Some(0.25), Some(0.0))
    );
    let micro = summary.micro_points.last().unwrap().figures();
    assert_eq!(micro[..4], [("P", 1.0), ("R", 0.25), ("F1", 0.4), ("event_recall", 0.5)]);
}

// === by the letter ===

/// The rows of which `inside` holds, as maximal runs.
fn naive_runs(n: usize, inside: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
    let begins = (0..n).filter(|row| inside(*row) && (*row == 0 || !inside(row - 1)));
    begins.map(|begin| begin..(begin..n).find(|row| !inside(*row)).unwrap_or(n)).collect()
}

/// Detected segments, false alarms by the hour, untouched episodes, and the F1 of PA%K for each tenth.
fn naive_events(
    alarms: &[bool],
    labels: &[bool],
    rules: &Rules,
    rows_per_hour: usize,
) -> (usize, usize, usize, [f64; 11]) {
    let n = labels.len();
    let segments = naive_runs(n, |row| labels[row]);
    let in_episode = |row: usize| {
        let before = (0..=row).rev().find(|row| alarms[*row]);
        let after = (row..n).find(|row| alarms[*row]);
        matches!((before, after), (Some(before), Some(after)) if after <= before + 1 + rules.gap)
    };
    let free = |row: usize| (0..n).any(|other| labels[other] && row.abs_diff(other) <= rules.grace);
    let charged = naive_runs(n, |row| in_episode(row) && !free(row));
    let untouched =
        naive_runs(n, in_episode).into_iter().filter(|episode| !labels[episode.clone()].contains(&true));
    let hits = |segment: &Range<usize>| alarms[segment.clone()].iter().filter(|alarm| **alarm).count();
    let tenths = std::array::from_fn(|tenth| {
        let whole = |segment: &Range<usize>| {
            let (hits, len) = (hits(segment), segment.len());
            // In whole numbers: more than K % of the rows, or all of them.
            hits > 0 && (hits * 10 > tenth * len || hits == len)
        };
        let adjusted: Vec<bool> = (0..n)
            .map(|row| alarms[row] || segments.iter().any(|segment| segment.contains(&row) && whole(segment)))
            .collect();
        let both = (0..n).filter(|row| adjusted[*row] && labels[*row]).count();
        let either =
            adjusted.iter().filter(|alarm| **alarm).count() + labels.iter().filter(|label| **label).count();
        2.0 * both as f64 / either.max(1) as f64
    });
    let detected = segments.iter().filter(|segment| hits(segment) > 0).count();
    let hours = charged.iter().map(|run| run.len().div_ceil(rows_per_hour)).sum();
    (detected, hours, untouched.count(), tenths)
}

/// The mean area over buffers, threshold by threshold.
fn naive_vus_pr(scores: &[f64], labels: &[bool], buffers: vus::Buffers) -> f64 {
    let n = scores.len();
    let segments = naive_runs(n, |row| labels[row]);
    let positives = labels.iter().filter(|label| **label).count() as f64;
    let mut thresholds = scores.to_vec();
    thresholds.sort_by(|a, b| b.total_cmp(a));
    thresholds.dedup();
    let area = |width: usize| {
        let half = width / 2;
        let part = |row: usize| {
            let distance = |segment: &Range<usize>| {
                if row < segment.start { segment.start - row } else { row - (segment.end - 1) }
            };
            let near = segments.iter().map(distance).filter(|distance| *distance <= half);
            near.map(|distance| (1.0 - distance as f64 / width as f64).sqrt()).sum::<f64>().min(1.0)
        };
        let wide: Vec<Range<usize>> =
            segments.iter().map(|s| s.start.saturating_sub(half)..(s.end + half).min(n)).collect();
        // Widened segments that share a row are one.
        let mut groups: Vec<Vec<Range<usize>>> = Vec::new();
        for segment in wide {
            match groups.last_mut() {
                Some(group) if group.last().is_some_and(|last| segment.start < last.end) => {
                    group.push(segment)
                }
                _ => groups.push(vec![segment]),
            }
        }
        let point = |threshold: f64| {
            let alarm = |row: &usize| scores[*row] >= threshold;
            let inside = (0..n).filter(alarm).filter(|row| labels[*row]).count() as f64;
            let buffer: f64 = (0..n).filter(alarm).filter(|row| !labels[*row]).map(part).sum();
            let found = |group: &&Vec<Range<usize>>| group.iter().cloned().flatten().any(|row| alarm(&row));
            let exists = groups.iter().filter(found).count() as f64 / groups.len() as f64;
            let credited = inside + buffer;
            let recall = (credited / (positives + buffer / 2.0)).min(1.0) * exists;
            (recall, credited / (0..n).filter(alarm).count() as f64)
        };
        let mut above = 0.0;
        let steps = thresholds.iter().map(|threshold| {
            let (recall, precision) = point(*threshold);
            (recall - std::mem::replace(&mut above, recall)) * precision
        });
        steps.sum::<f64>()
    };
    let widths: Vec<usize> = (0..=buffers.longest).step_by(buffers.step.get()).collect();
    widths.iter().map(|width| area(*width)).sum::<f64>() / widths.len() as f64
}

/// Scores with many ties, some missing, and labels in runs.
fn rows() -> impl Strategy<Value = LabelledScores> {
    let score =
        prop_oneof![6 => (0_i32..12).prop_map(|score| f64::from(score) / 4.0 - 1.0), 1 => Just(f64::NAN)];
    let run = (prop::bool::weighted(0.3), prop::collection::vec(score, 1..12));
    prop::collection::vec(run, 1..8)
        .prop_map(|runs| {
            let labels = runs.iter().flat_map(|(label, scores)| scores.iter().map(|_| *label)).collect();
            (runs.into_iter().flat_map(|(_, scores)| scores).collect(), labels)
        })
        .prop_filter_map("a finite score", |(scores, labels)| LabelledScores::new(scores, labels).ok())
}

fn rules() -> impl Strategy<Value = Rules> {
    let step = prop_oneof![Just(7), Just(20), Just(60), Just(300)];
    (step, 0_usize..4, 0_usize..4, 0_usize..4).prop_map(|(step, gap, grace, early_rows)| {
        let buffers = vus::Buffers { longest: 9, step: NonZeroUsize::new(2).unwrap() };
        Rules { step_ms: minutes(step), gap, grace, early_rows, vus: Some(buffers) }
    })
}

proptest! {
    /// For all rows, thresholds and rules, events are counted as the definitions say, row by row.
    #[test]
    fn events_agree_with_the_definitions(rows in rows(), rules in rules(), threshold in -1.5..2.5) {
        let alarms: Vec<bool> = rows.scores.iter().map(|score| *score >= threshold).collect();
        let runs = alarm_runs(&rows.scores, threshold);
        prop_assert_eq!(&runs, &naive_runs(alarms.len(), |row| alarms[row]));
        let point = Measure::new(&rows.labels, &rules).at(&runs, None);
        let rows_per_hour = (60.0 / (rules.step_ms.get() / 60_000) as f64).round().max(1.0) as usize;
        let (detected, hours, untouched, tenths) = naive_events(&alarms, &rows.labels, &rules, rows_per_hour);
        prop_assert_eq!(point.counts.detected, detected);
        prop_assert_eq!(point.counts.event_false_positives, hours);
        prop_assert_eq!(point.counts.touch_false_positives, untouched);
        prop_assert!(close(point.point_adjusted_f1, tenths[0]));
        prop_assert!(close(point.pak_f1, tenths.iter().sum::<f64>() / 11.0));
    }

    /// For all rows, AUROC counts pairs, and any growing function of the scores gives the same.
    #[test]
    fn auroc_counts_pairs_and_knows_only_the_order(rows in rows()) {
        let of = |kind: bool| rows.scores.iter().zip(&rows.labels).filter(move |(_, label)| **label == kind);
        let (mut won, mut pairs) = (0.0, 0.0);
        for (high, _) in of(true) {
            for (low, _) in of(false) {
                won += f64::from(u8::from(high > low)) + f64::from(u8::from(high == low)) / 2.0;
                pairs += 1.0;
            }
        }
        let auroc = Ranking::new(&rows.scores).auroc(&rows.labels);
        prop_assert_eq!(auroc.is_some(), pairs > 0.0);
        prop_assert!(auroc.is_none_or(|auroc| close(auroc, won / pairs)));
        let grown: Vec<f64> = rows.scores.iter().map(|score| score.exp() * 3.0 - 7.0).collect();
        let grown = Ranking::new(&grown);
        prop_assert_eq!(grown.auroc(&rows.labels), auroc);
        prop_assert_eq!(
            grown.average_precision(&rows.labels),
            Ranking::new(&rows.scores).average_precision(&rows.labels)
        );
    }

    /// For all rows and buffers, VUS-PR is what its definition says, threshold by threshold.
    #[test]
    fn vus_pr_agrees_with_its_definition(rows in rows(), longest in 0_usize..20, step in 1_usize..6) {
        let buffers = vus::Buffers { longest, step: NonZeroUsize::new(step).unwrap() };
        let volume = vus::vus_pr(&Ranking::new(&rows.scores), &rows.labels, &rows.segments(), buffers);
        prop_assert_eq!(volume.is_some(), rows.labels.contains(&true));
        let naive = naive_vus_pr(&rows.scores, &rows.labels, buffers);
        prop_assert!(volume.is_none_or(|volume| (volume - naive).abs() < 1e-12), "{:?} {}", volume, naive);
    }

    /// For all rows, no threshold looked at is better than the best one, and none at all has a better F1 or
    /// point-adjusted F1.
    #[test]
    fn nothing_is_better_than_the_best(rows in rows(), rules in rules()) {
        let evaluation = evaluate(&rows, Extras::default(), &rules).unwrap();
        let figure = |name: &str, figure: fn(&OperatingPoint) -> f64| {
            evaluation.points.iter().find(|(known, _)| *known == name).map(|(_, point)| figure(point))
        };
        let measure = Measure::new(&rows.labels, &rules);
        for point in rows.event_curve(&rules) {
            prop_assert!(Some(point.event_f1) <= figure("best_event_f1", |point| point.event_f1));
            prop_assert!(Some(point.composite_f1) <= figure("best_fc1", |point| point.composite_f1));
            prop_assert!(Some(point.pak_f1) <= figure("best_pak_f1", |point| point.pak_f1));
        }
        for threshold in rows.scores.iter().filter(|score| score.is_finite() && rows.labels.contains(&true)) {
            let point = measure.at(&alarm_runs(&rows.scores, *threshold), None);
            prop_assert!(figure("best_f1", |point| point.f1).is_some_and(|best| point.f1 <= best + 1e-12));
            let best = figure("best_pa_f1", |point| point.point_adjusted_f1);
            prop_assert!(best.is_some_and(|best| point.point_adjusted_f1 <= best + 1e-12));
        }
    }
}
