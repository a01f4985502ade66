//! How well the product, as it is shipped, finds the faults of the simulator, for one seed: the part of
//! `scripts/quality-faults` that runs the product.
//!
//! `simulated_faults SEED [DAYS]`: six machines live for DAYS simulated days (7), two of them without faults; their scraped
//! samples go through windows, PromQL presets, features, models trained on the way, and alarms, as in the running
//! sidecar, with every option at its default but the step of a minute. Printed is one JSON object: what became of each fault, what each
//! node's alarms were worth by the rules of `emberwatch evaluate`, and every false alarm with what the product
//! said of it. `docs/fault-simulator.md` is the definition of the machines and the faults.

use anyhow::Context as _;
use emberwatch::{
    calibrate::Severity,
    config,
    evaluate::{Counts, Extras, LabelledScores, Rules, alarm_runs, evaluate},
    pipeline::{ClockConfig, Detector, DetectorStep, Replay},
    series::{LabelSet, SampleBatch, TimestampMs, series_hash},
    simulate::{
        fault::Fault,
        fleet::{Fleet, Scraped},
        schedule::balanced,
    },
};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    env,
    io::{Write as _, stdout},
    ops::Range,
    time::Duration,
};

/// Monday, 5 January 2026, 00:00 UTC.
const START: TimestampMs = TimestampMs(1_767_571_200_000);
const STEP_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
const NODES: usize = 6;
const DAYS: i64 = 7;
/// Days without faults: what is learnt from first. Alarms count from here on.
const QUIET_DAYS: i64 = 2;
/// As `EntitySilent` in `rules/emberwatch-alerts.yml`: an alert when more than so many ...
const LONGEST_SILENCE: usize = 5;
/// ... of so many steps were silent.
const SILENCE_STEPS: usize = 15;
/// Scrapes once a step. Everything else is as it is shipped.
const CONFIG: &str = "
step: 1m
detectors:
  - { name: node, preset: node_exporter }
  - { name: http, preset: http }
";

fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let usage = "usage: simulated_faults SEED [DAYS]";
    let seed: u64 = arguments.next().context(usage)?.parse().context(usage)?;
    let days: i64 = arguments.next().map_or(Ok(DAYS), |text| text.parse()).context(usage)?;
    let (from, end) = (START.plus_ms(QUIET_DAYS * DAY_MS), START.plus_ms(days * DAY_MS));
    let faults = balanced(seed, NODES, from, end);
    anyhow::ensure!(
        !faults.is_empty(),
        "{days} days, {QUIET_DAYS} of them quiet, are too short for the faults"
    );
    let watched = watch(seed, &faults, from, end)?;
    let judged: Vec<_> = watched.iter().enumerate().map(|(node, rows)| judge(node, rows, &faults)).collect();
    let judged = judged.into_iter().collect::<Result<Vec<Judged>, _>>()?;
    let all =
        |part: fn(&Judged) -> &[Value]| -> Vec<Value> { judged.iter().flat_map(part).cloned().collect() };
    let report = json!({
        "seed": seed,
        "days": days - QUIET_DAYS,
        "faults": all(|judged| &judged.faults),
        "nodes": judged.iter().map(|judged| &judged.counts).collect::<Vec<_>>(),
        "false_alarms": all(|judged| &judged.false_alarms),
    });
    writeln!(stdout().lock(), "{report}")?;
    Ok(())
}

/// What the product said of one node, a row a step from the first judged one on; of several detectors the most severe,
/// and whether any found the node silent.
#[derive(Clone)]
struct Rows {
    from: TimestampMs,
    severity: Vec<Severity>,
    silent: Vec<bool>,
    score: Vec<f64>,
    /// Of rows from medium on.
    explanations: BTreeMap<usize, String>,
}

/// Lets the fleet live and the product watch.
fn watch(seed: u64, faults: &[Fault], from: TimestampMs, end: TimestampMs) -> anyhow::Result<Vec<Rows>> {
    let mut fleet = Fleet::with_routine(seed, NODES, START, STEP_MS, faults);
    let mut replay = sidecar()?;
    let n_rows = (end.since_ms(from) / STEP_MS) as usize;
    let mut watched = vec![Rows::new(from, n_rows); NODES];
    let nodes: BTreeMap<String, usize> =
        fleet.views().into_iter().enumerate().map(|(node, view)| (view.instance, node)).collect();
    let bar = ProgressBar::new((end.since_ms(START) / STEP_MS) as u64).with_message("simulated minutes");
    let mut scraped = Vec::new();
    // One round beyond the end: a step is judged once every series has passed it.
    let mut now = START;
    while now < end.plus_ms(STEP_MS) {
        scraped.clear();
        now = fleet.scrape(&mut scraped);
        replay.append(&batch(&scraped));
        for (at, steps) in replay.evaluate(Duration::ZERO) {
            steps.iter().for_each(|step| note(&mut watched, &nodes, at, step));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(watched)
}

fn sidecar() -> anyhow::Result<Replay> {
    let config = config::parse(CONFIG)?;
    let detector = |settings| Detector::new(config.detector_settings(settings));
    let detectors = config.detectors.iter().map(detector).collect::<Result<_, _>>()?;
    let clock = ClockConfig { step_ms: STEP_MS, settle_timeout: config.settle_timeout };
    let shards = config.storage.shards;
    Ok(Replay::new(detectors, clock, config.storage.shard_window(0), shards))
}

fn batch(scraped: &[Scraped]) -> SampleBatch {
    let mut batch = SampleBatch::default();
    for one in scraped {
        let text = one.labels.canonical_text();
        batch.push(series_hash(text, 0), text, [one.sample]);
    }
    batch
}

fn note(watched: &mut [Rows], nodes: &BTreeMap<String, usize>, at: TimestampMs, step: &DetectorStep) {
    let node_of =
        |entity: &LabelSet| entity.get("instance").and_then(|instance| nodes.get(instance)).copied();
    for entity in &step.silent {
        let Some(rows) = node_of(entity).and_then(|node| watched.get_mut(node)) else { continue };
        let silent = rows.row(at).and_then(|row| rows.silent.get_mut(row));
        silent.into_iter().for_each(|silent| *silent = true);
    }
    for verdict in &step.verdicts {
        let Some(rows) = node_of(&verdict.entity).and_then(|node| watched.get_mut(node)) else { continue };
        let Some(row) = rows.row(at) else { continue };
        let (Some(severity), Some(score)) = (rows.severity.get_mut(row), rows.score.get_mut(row)) else {
            continue;
        };
        *severity = (*severity).max(verdict.severity);
        if verdict.anomaly_score.value() > *score {
            *score = verdict.anomaly_score.value();
        }
        if verdict.severity >= Severity::Medium {
            rows.explanations.entry(row).or_insert_with(|| verdict.explanation.clone());
        }
    }
}

/// What the alarms on one node were worth.
struct Judged {
    faults: Vec<Value>,
    counts: Value,
    false_alarms: Vec<Value>,
}

fn judge(node: usize, rows: &Rows, faults: &[Fault]) -> anyhow::Result<Judged> {
    let own: Vec<&Fault> = faults.iter().filter(|fault| fault.node == node).collect();
    let mut labels = vec![false; rows.score.len()];
    own.iter().for_each(|fault| labels[rows.of(fault)].fill(true));
    let (medium, high) = (rows.alarms(Severity::Medium), rows.alarms(Severity::High));
    let judged_faults = own.iter().map(|fault| {
        let within = rows.of(fault);
        let delay = |alarms: &[bool]| alarms[within.clone()].iter().position(|alarm| *alarm);
        json!({
            "node": node,
            "kind": fault.kind.to_string(),
            "strength": fault.strength.to_string(),
            "start": fault.start.0 / 1000,
            "steps": within.len(),
            "delay": delay(&medium),
            "delay_high": delay(&high),
            "peak": rows.score[within.clone()].iter().copied().fold(0.0, f64::max),
            "said": rows.explanations.range(within.clone()).next().map(|(_, said)| said),
        })
    });
    let judged_faults: Vec<Value> = judged_faults.collect();
    let scores = LabelledScores::new(rows.score.clone(), labels.clone())?;
    let rules = Rules { vus: None, ..Rules::default() };
    let counts = |alarms: &[bool]| -> anyhow::Result<Counts> {
        let extras = Extras { own_alarms: Some(alarms), ..Extras::default() };
        let evaluation = evaluate(&scores, extras, &rules)?;
        let own = evaluation.points.iter().find(|(name, _)| *name == "own_alarm");
        Ok(own.context("the alarms were not measured")?.1.counts)
    };
    let named = |counts: Counts| BTreeMap::from(counts.named());
    let both = json!({"medium": named(counts(&medium)?), "high": named(counts(&high)?)});
    Ok(Judged {
        faults: judged_faults,
        counts: both,
        false_alarms: false_alarms(node, rows, &labels, &medium, &rules),
    })
}

/// Every run of alarms far from all faults, for people to look at.
fn false_alarms(node: usize, rows: &Rows, labels: &[bool], alarms: &[bool], rules: &Rules) -> Vec<Value> {
    let as_scores: Vec<f64> = alarms.iter().map(|alarm| f64::from(u8::from(*alarm))).collect();
    let near = |run: &Range<usize>| {
        let widened = run.start.saturating_sub(rules.grace)..(run.end + rules.grace).min(labels.len());
        labels[widened].contains(&true)
    };
    let runs = alarm_runs(&as_scores, 1.0).into_iter().filter(|run| !near(run));
    let said = runs.map(|run| {
        let worst = rows.severity[run.clone()].iter().max().filter(|worst| **worst >= Severity::Medium);
        json!({
            "node": node,
            "start": rows.from.plus_ms(run.start as i64 * STEP_MS).0 / 1000,
            "steps": run.len(),
            "severity": worst.map_or_else(|| "silent".to_owned(), ToString::to_string),
            "said": rows.explanations.get(&run.start),
        })
    });
    said.collect()
}

// === impl Rows ===

impl Rows {
    fn new(from: TimestampMs, n: usize) -> Self {
        let (severity, silent, score) = (vec![Severity::Normal; n], vec![false; n], vec![0.0; n]);
        Self { from, severity, silent, score, explanations: BTreeMap::new() }
    }

    /// The steps at which an alert stands: the severity, or, as a warning, the silence that the rule `EntitySilent` asks for.
    fn alarms(&self, from: Severity) -> Vec<bool> {
        let missed = |row: usize| {
            let lately = &self.silent[(row + 1).saturating_sub(SILENCE_STEPS)..=row];
            from <= Severity::Medium && lately.iter().filter(|silent| **silent).count() > LONGEST_SILENCE
        };
        (0..self.severity.len()).map(|row| self.severity[row] >= from || missed(row)).collect()
    }

    /// The row of a step; none before the first judged one.
    fn row(&self, at: TimestampMs) -> Option<usize> {
        usize::try_from(at.since_ms(self.from).div_euclid(STEP_MS)).ok()
    }

    /// The rows whose steps lie inside a fault.
    fn of(&self, fault: &Fault) -> Range<usize> {
        let row =
            |at: TimestampMs| (at.since_ms(self.from) + STEP_MS - 1).div_euclid(STEP_MS).max(0) as usize;
        row(fault.start).min(self.score.len())..row(fault.end).min(self.score.len())
    }
}
