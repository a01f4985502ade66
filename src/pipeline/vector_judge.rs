//! A detector from its feature vectors on: windows, memory of its entities, training, verdicts.
//!
//! Where the vectors come from makes no difference: the running sidecar, a recorded stream and a table all go this
//! way, so that what is measured on a table is what will run.

mod by_itself;

mod elsewhere;

mod gathering;

mod naming;

mod parts;

use super::{
    aftermath::Aftermaths,
    alerts::{AlertSettings, AlertWatch, LiveF1},
    detector::DetectorSettings,
    drift::DriftWatch,
    forecast::Forecasts,
    gaps::{Filled, GapFiller},
    maintenance::{InMaintenance, OpenMaintenance},
    rules::AppliedRules,
    season::Season,
    silence::Silence,
    starts::StartWatch,
    succession::Succession,
    telling::{
        add_aftermath, add_alerts, add_filled, add_maintenance, add_start, add_violations, leave_out_calm,
        unscored, verdict,
    },
    training::{Noticed, Trainer, TrainingJob},
    trial::{Exam, Trial, TrialEnd},
    verdict::{DetectorStep, Seasonal, Verdict},
    zero::{DroppedToZero, ZeroWatch},
};
use crate::{
    calibrate::{AnomalyScore, Severity, SeverityTracker, StepEvidence},
    features::{
        FeatureMatrix, FeatureWindows, InputLayout, Inputs, SeasonalInputs, Statistic, StepBackwards,
    },
    model::{History, Model, Past, Scored},
    promql::LeafVector,
    series::{LabelSet, TimestampMs},
};
use parts::{f1_period_ms, past, season, zero_watch};
use std::{collections::BTreeMap, sync::Arc};

/// What one detector remembers.
#[derive(Debug)]
pub struct VectorJudge {
    settings: DetectorSettings,
    rules: AppliedRules,
    windows: FeatureWindows,
    trackers: BTreeMap<LabelSet, SeverityTracker>,
    aftermaths: Aftermaths,
    /// Until when a violation is remembered, for those that had one.
    watched_until: BTreeMap<LabelSet, TimestampMs>,
    silence: Silence,
    /// Where starts are looked for.
    starts: Option<StartWatch>,
    /// Where alerts are read.
    alerts: Option<AlertWatch>,
    past: Past,
    drift: DriftWatch,
    /// Of the live model against the alerts.
    live_f1: LiveF1,
    /// What was wrong with the vectors of the step that was taken last: feature and number of entities.
    invalid_values: Vec<(String, usize)>,
    zero_watch: ZeroWatch,
    forecasts: Forecasts,
    /// What dropped to zero at the step that was taken last, and counts; row by row.
    dropped: Vec<DroppedToZero>,
    gap_filler: GapFiller,
    /// What was filled in at the step that was taken last, row by row.
    filled: Vec<Filled>,
    season: Option<Season>,
    trainer: Option<Trainer>,
    /// Where the next model stands; without a trainer there is none.
    succession: Succession,
    /// What alerts fired on, to hold models against.
    exam: Option<Exam>,
}

// === impl VectorJudge ===

impl VectorJudge {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(settings: DetectorSettings) -> Self {
        let windows = FeatureWindows::new(&settings.schema);
        Self {
            rules: AppliedRules::new(settings.rules.clone()),
            trackers: BTreeMap::new(),
            aftermaths: Aftermaths::new(&windows),
            windows,
            watched_until: BTreeMap::new(),
            silence: Silence::new(settings.silence),
            starts: (!settings.grace.is_zero()).then(|| StartWatch::new(settings.grace)),
            alerts: None,
            past: past(&settings),
            drift: DriftWatch::new(
                settings.training.as_ref().map_or(0.0, |training| training.triggers.drift_threshold),
            ),
            live_f1: LiveF1::new(f1_period_ms(&settings)),
            invalid_values: Vec::new(),
            zero_watch: zero_watch(&settings),
            forecasts: Forecasts::new(settings.schema.step_ms()),
            dropped: Vec::new(),
            gap_filler: GapFiller::new(settings.schema.window_ms()),
            filled: Vec::new(),
            season: season(&settings),
            exam: settings
                .training
                .as_ref()
                .map(|training| Exam::new(training.hyperparams.seed, training.retention_ms)),
            trainer: settings.training.clone().map(Trainer::new),
            succession: Succession::default(),
            settings,
        }
    }

    /// The same, with alerts as labels of its entities.
    pub(super) fn with_alerts(self, settings: &AlertSettings) -> Self {
        Self { alerts: Some(AlertWatch::new(settings)), ..self }
    }

    /// Bytes that one entity of such a detector takes, once its windows are full and all is known that is remembered; without
    /// its labels and the rows that are kept for training.
    #[must_use]
    pub fn bytes_an_entity(settings: &DetectorSettings) -> usize {
        let n_features = settings.schema.features().len();
        let limited = settings.rules.features().iter().filter(|rules| rules.limits.is_some()).count();
        let one = |is_kept: bool, bytes: usize| if is_kept { bytes } else { 0 };
        // A model that is trained here brings what it says of its training along.
        let pasts = if settings.training.is_some() { 2 } else { 1 };
        [
            FeatureWindows::bytes_an_entity(&settings.schema),
            one(settings.season.is_some(), Season::bytes_an_entity(n_features, settings.persistence)),
            one(settings.forget_after.is_some(), pasts * Past::bytes_an_entity()),
            one(!settings.grace.is_zero(), StartWatch::bytes_an_entity()),
            one(settings.rules.fills_gaps(), GapFiller::bytes_an_entity(n_features)),
            ZeroWatch::bytes_an_entity(n_features),
            Forecasts::bytes_an_entity(limited),
            Aftermaths::bytes_an_entity(n_features),
            SeverityTracker::bytes(settings.persistence),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// What it looks at, and how strictly.
    #[must_use]
    pub fn settings(&self) -> &DetectorSettings {
        &self.settings
    }

    /// Rows gathered for training.
    #[must_use]
    pub fn training_row_count(&self) -> usize {
        self.trainer.as_ref().map_or(0, Trainer::row_count)
    }

    /// The entities whose score series stand, by ascending labels.
    pub fn scored_entities(&self) -> impl Iterator<Item = &LabelSet> {
        self.trackers.keys()
    }

    /// The entities of which it stands that they are silent, by ascending labels.
    pub fn silent_entities(&self) -> impl Iterator<Item = &LabelSet> {
        self.silence.standing()
    }

    /// Forgets an entity of which nothing was heard for a window: it is as new when it comes back. What was gathered of
    /// it to train on stays, which is bounded by itself.
    pub(super) fn forget(&mut self, entity: &LabelSet) {
        self.windows.forget(entity);
        self.aftermaths.forget(entity);
        self.silence.forget(entity);
        self.past.forget(entity);
        self.zero_watch.forget(entity);
        self.forecasts.forget(entity);
        self.gap_filler.forget(entity);
        if let Some(season) = &mut self.season {
            season.forget(entity);
        }
    }

    /// Takes what tells of starts at a step: before its vectors, and not for what has none, such as a table.
    pub(super) fn take_starts(&mut self, at: TimestampMs, read: LeafVector) {
        if let Some(starts) = &mut self.starts {
            starts.take(at, read, self.settings.schema.by());
        }
    }

    /// Takes the alerts of a step: before its vectors, too. What was gathered of their entities shortly before they began is no
    /// longer trained on.
    pub(super) fn take_alerts(&mut self, at: TimestampMs, read: &LeafVector) {
        if let Some(alerts) = &mut self.alerts {
            alerts.take(at, read, self.settings.schema.by());
        }
    }

    /// Takes the vectors of a step into the windows: the first half of a step.
    ///
    /// # Errors
    /// When the step lies before the last one; nothing is changed then.
    pub fn take(&mut self, mut matrix: FeatureMatrix) -> Result<Inputs, StepBackwards> {
        self.windows.accepts(matrix.at)?;
        self.rules.meet(&matrix.entities);
        let rules = &self.rules;
        let invalid = rules.drop_invalid(&mut matrix);
        self.dropped = self.zero_watch.take(&matrix);
        self.dropped.retain(|drop| rules.counts_zero(&matrix.entities[drop.row], drop));
        // After that: a zero that stands for a missing value is no drop.
        self.filled = self.gap_filler.fill(rules, &mut matrix);
        let inputs = self.windows.push(&matrix)?;
        self.forecasts.take(&matrix, |entity| rules.of(entity));
        let named = self.settings.schema.features().iter().zip(invalid).filter(|(_, count)| *count > 0);
        self.invalid_values = named.map(|(feature, count)| (feature.name.clone(), count)).collect();
        self.windows.forget_silent();
        Ok(inputs)
    }

    /// Judges what [`Self::take`] gave, and gathers it for training: the second half of a step. Entities that had a
    /// verdict at the last step and have none now are gone.
    ///
    /// An entity that no model scores, because it warms up or there is none, has a verdict only where a value is an
    /// anomaly by itself, and until that is forgotten. `maintenance` is the planned work that goes on at this step.
    pub fn judge(
        &mut self,
        inputs: &Inputs,
        model: Option<&Model>,
        maintenance: &OpenMaintenance,
    ) -> DetectorStep {
        let invalid_values = std::mem::take(&mut self.invalid_values);
        let mut step = DetectorStep { invalid_values, ..DetectorStep::default() };
        self.aftermaths.forget_over(inputs.at);
        // The hours are learned before there is a model, too.
        let seasonal = self.season.as_mut().map(|season| season.take(inputs));
        let scored = model.map_or_else(Vec::new, |model| self.score(model, inputs, seasonal.as_ref()));
        step.model_version = model.map(|model| model.version().to_owned()).unwrap_or_default();
        step.warming_up = inputs.entities.len() - scored.len();
        let mut scored = scored.into_iter().peekable();
        for (row, entity) in inputs.entities.iter().enumerate() {
            let planned = maintenance.of(entity);
            step.in_maintenance += usize::from(planned.is_some());
            let scored = scored.next_if(|(scored, _)| scored.row == row);
            step.verdicts.extend(self.verdict(model, inputs, row, scored, planned));
        }
        if let Some(fade) = self.settings.forget_after {
            let fade_ms = i64::try_from(fade.as_millis()).unwrap_or(i64::MAX);
            self.past.forget_before(inputs.at.plus_ms(-fade_ms));
        }
        step.gone = self.drop_unjudged(&step.verdicts);
        let is_planned = |entity: &LabelSet| maintenance.holds(entity);
        let silences = self.silence.step(inputs.at, &inputs.entities, &step.gone, is_planned);
        (step.silent, step.silence_ended) = (silences.silent, silences.ended);
        // Not from medium on: what is one window in 250 by design would be cut off the law that the next model learns.
        let (trackers, watched_until, starts) = (&self.trackers, &self.watched_until, &self.starts);
        let aftermaths = &self.aftermaths;
        let in_incident = |entity: &LabelSet| {
            trackers.get(entity).is_some_and(|tracker| tracker.severity() >= Severity::High)
                || is_watched(watched_until, entity, inputs.at)
                || aftermaths.hold_high(entity)
        };
        let in_grace =
            |entity: &LabelSet| starts.as_ref().is_some_and(|starts| starts.in_grace(entity, inputs.at));
        step.in_grace = inputs.entities.iter().filter(|entity| in_grace(entity)).count();
        let alerts = self.alerts.as_ref();
        let mut rows_in_alerts = 0;
        let mut is_fit = |(entity, warm): (&LabelSet, &bool)| {
            let otherwise = !*warm || in_incident(entity) || in_grace(entity) || is_planned(entity);
            let in_alert = !otherwise && alerts.is_some_and(|alerts| alerts.keeps_out(entity));
            rows_in_alerts += usize::from(in_alert);
            !otherwise && !in_alert
        };
        let fit: Vec<bool> = inputs.entities.iter().zip(&inputs.warm).map(&mut is_fit).collect();
        if let Some(model) = model {
            self.drift.count(inputs, model, &fit);
        }
        match &mut self.trainer {
            Some(trainer) => {
                let began = alerts.into_iter().flat_map(|alerts| alerts.began(inputs.at));
                rows_in_alerts +=
                    began.map(|(entity, since)| trainer.take_back(entity, since)).sum::<usize>();
                trainer.gather(inputs, |row| fit[row]);
            }
            None => rows_in_alerts = 0,
        }
        if let (Some(exam), Some(alerts)) = (&mut self.exam, &self.alerts) {
            exam.take(inputs, |entity| alerts.fires_on(entity));
        }
        let alerts = self.alerts.as_mut();
        step.alerts = alerts.map(|alerts| alerts.judge(inputs.at, &step.verdicts, rows_in_alerts));
        if let (Some(alerts), Some(model)) = (&step.alerts, model) {
            self.live_f1.take(inputs.at, (model.version(), model.created_at()), alerts);
        }
        step
    }

    /// What is to be trained after step `at`, given the model in use. Nothing else is until what comes of it was handed to
    /// [`Self::deliver`], and its trial is over.
    pub fn training_due(&mut self, at: TimestampMs, live: Option<&Model>) -> Option<TrainingJob> {
        if !self.succession.is_idle() {
            return None;
        }
        let settings = &self.settings;
        let noticed = Noticed {
            drifted: self.drift.drifted(&settings.schema),
            f1: live.and_then(|live| self.f1(live)),
        };
        let trainer = self.trainer.as_mut()?;
        let (thresholds, forget_after) = (settings.thresholds, settings.forget_after);
        let job = trainer.due(at, live, &settings.schema, thresholds, forget_after, &noticed)?;
        self.succession.fit(at, settings.schema.step_ms());
        Some(job)
    }

    /// Whether a new model scores beside the one in use.
    #[must_use]
    pub fn is_on_trial(&self) -> bool {
        matches!(self.succession, Succession::OnTrial(_))
    }

    /// Whether what came of the training must be handed to [`Self::deliver`] before step `next` is judged.
    #[must_use]
    pub fn awaits_before(&self, next: TimestampMs) -> bool {
        self.succession.awaits_before(next)
    }

    /// Takes what came of the training (none: it failed) before the next step is judged. Gives the model back where it is to be used from
    /// that step on; else it is on trial beside `live`, until [`Self::end_trial`] says how that ended.
    pub fn deliver(&mut self, candidate: Option<Arc<Model>>, live: Option<&Model>) -> Option<Arc<Model>> {
        let trial_ms = self.settings.training.as_ref().map_or(0, |training| training.trial_ms);
        self.succession.deliver(candidate, live, trial_ms, past(&self.settings))
    }

    /// Ends the trial beside `live` if it is over before step `next` is judged: what passed is to be used from that step on.
    pub fn end_trial(&mut self, next: TimestampMs, live: &Model) -> Option<TrialEnd> {
        let (exam, rules) = (self.exam.as_ref()?, &self.rules);
        let thresholds = self.settings.thresholds;
        let end = |trial: Trial| trial.end(exam, live, thresholds, |entity| rules.gates(entity));
        let end = self.succession.end_trial(next, end)?;
        if let (Err(_), Some(trainer)) = (&end.outcome, &mut self.trainer) {
            trainer.was_rejected(end.at, live);
        }
        Some(end)
    }

    /// What the model says of the entities that it is for, and what their hour added to it.
    fn score(
        &mut self,
        model: &Model,
        inputs: &Inputs,
        seasonal: Option<&SeasonalInputs>,
    ) -> Vec<(Scored, Option<Seasonal>)> {
        // A model of the stream is for the entities it has seen; a fixed one is for all.
        let only_known = self.trainer.is_some();
        let chosen = |entity: &LabelSet| !only_known || model.knows(entity);
        let rules = &self.rules;
        let mut scored = model.score_gated(inputs, &mut self.past, chosen, |entity| rules.gates(entity));
        self.drift.note(&scored);
        if let Some(trial) = self.succession.trial() {
            let alerts = &self.alerts;
            let has_alert = |entity: &LabelSet| alerts.as_ref().is_some_and(|alerts| alerts.fires_on(entity));
            trial.step(inputs, &scored, self.settings.thresholds, |entity| rules.gates(entity), has_alert);
        }
        let name = |feature: usize, entity: &LabelSet| model.schema().name_of(feature, entity).to_owned();
        let said_by_season = match (&mut self.season, seasonal) {
            (Some(season), Some(seasonal)) => season.judge(seasonal, &mut scored, name),
            _ => vec![None; scored.len()],
        };
        scored.into_iter().zip(said_by_season).collect()
    }

    /// What is said of the entity in this row; `scored` is what the model and the hour say of it, `planned` the work that goes on.
    fn verdict(
        &mut self,
        model: Option<&Model>,
        inputs: &Inputs,
        row: usize,
        scored: Option<(Scored, Option<Seasonal>)>,
        planned: Option<InMaintenance>,
    ) -> Option<Verdict> {
        let entity = &inputs.entities[row];
        // What is usual is asked of the model that scores the entity, if there is one.
        let mut violations = self.violations(inputs, row, model.filter(|_| scored.is_some()));
        let start = self.starts.as_ref().and_then(|starts| starts.of(entity, inputs.at));
        let in_loop = start.as_ref().is_some_and(|start| start.in_loop);
        if in_loop {
            violations.add_loop();
        }
        let is_scored = scored.is_some();
        let by_itself = violations.worst > Severity::Normal;
        if scored.is_none() && !by_itself && !is_watched(&self.watched_until, entity, inputs.at) {
            return None;
        }
        let settings = &self.settings;
        let fresh = || SeverityTracker::new(settings.thresholds, settings.persistence);
        let tracker = self.trackers.entry(entity.clone()).or_insert_with(fresh);
        if violations.is_unlearnt {
            let memory_steps = settings.persistence.get().memory_steps();
            let memory_ms = settings.schema.step_ms().saturating_mul(memory_steps as i64);
            self.watched_until.insert(entity.clone(), inputs.at.plus_ms(memory_ms));
        }
        let score = scored.as_ref().map(|(scored, _)| scored.anomaly_score).unwrap_or_default();
        let layout = InputLayout { n_features: settings.schema.features().len() };
        let value = |feature| inputs.values[[row, layout.column(feature, Statistic::Value)]];
        let in_aftermath = scored
            .as_ref()
            .is_some_and(|(scored, _)| self.aftermaths.holds(entity, &scored.contributions, value));
        let supporting = if in_aftermath { AnomalyScore::default() } else { score };
        let medium = settings.thresholds.of(Severity::Medium);
        let at_least = settings.thresholds.of(violations.worst);
        let (score, supporting) = (score.at_least(at_least), supporting.at_least(at_least));
        let in_grace = start.as_ref().is_some_and(|start| start.in_grace);
        // What was severe before the work is not held through it.
        if planned.is_some() && tracker.severity() > Severity::Low {
            *tracker = fresh();
        }
        let most = match (&planned, in_grace) {
            (Some(_), _) => Severity::Low,
            (None, true) => violations.worst_limit.max(Severity::Low),
            (None, false) => Severity::High,
        };
        let severity =
            tracker.take(StepEvidence { score: Some(supporting), sure: violations.worst, most }, inputs.at);
        // What is excused was unusual all the same, and its end is no news either.
        let is_habit = scored.as_ref().is_some_and(|(_, hour)| matches!(hour, Some(Seasonal::Habit { .. })));
        let is_excused = (most < Severity::Medium && score.value() >= medium) || is_habit;
        let since = tracker.since().filter(|_| severity >= Severity::Medium);
        let since = since.or_else(|| is_excused.then_some(inputs.at)).filter(|_| !in_aftermath);
        let alarm = since.map(|since| (since, severity));
        let usual = (0..layout.n_features).map(|feature| model?.expected_of(entity, feature));
        self.aftermaths.take(entity, inputs.at, alarm, &self.windows, usual, value);
        let history = History { windows: &self.windows, since: tracker.since(), peak: tracker.peak() };
        let mut verdict = match (model, scored) {
            (Some(model), Some((scored, seasonal))) => {
                let type_of = |feature| self.type_of(entity, feature);
                verdict(model, type_of, inputs, scored, seasonal, severity, &history)
            }
            _ => unscored(&settings.schema, inputs, row, severity, &history),
        };
        if by_itself && is_scored {
            leave_out_calm(&mut verdict, settings.thresholds);
        }
        verdict.anomaly_score = score;
        add_violations(&mut verdict, violations.found, &settings.schema, |name| {
            Some(self.type_of(entity, settings.schema.place_of(name)?))
        });
        if in_aftermath {
            add_aftermath(&mut verdict);
        }
        add_start(&mut verdict, start);
        add_alerts(
            &mut verdict,
            self.alerts.as_ref().map(|alerts| alerts.names_of(entity)).unwrap_or_default(),
        );
        add_maintenance(&mut verdict, planned);
        add_filled(&mut verdict, &self.filled_of(inputs, row), &settings.schema);
        Some(verdict)
    }

    /// Entities that had a verdict and have none now: their series end at this step.
    fn drop_unjudged(&mut self, verdicts: &[Verdict]) -> Vec<LabelSet> {
        let judged = |entity: &LabelSet| verdicts.binary_search_by(|v| v.entity.cmp(entity)).is_ok();
        let gone: Vec<LabelSet> = self.trackers.keys().filter(|entity| !judged(entity)).cloned().collect();
        for entity in &gone {
            self.trackers.remove(entity);
            self.watched_until.remove(entity);
        }
        gone
    }
}

/// Whether there was a violation so lately that the tracker of the entity remembers it.
fn is_watched(until: &BTreeMap<LabelSet, TimestampMs>, entity: &LabelSet, at: TimestampMs) -> bool {
    until.get(entity).is_some_and(|until| at < *until)
}

/// Those of `all`, which ascend by row, that are of this row.
fn of_row<T>(all: &[T], row: usize, row_of: impl Fn(&T) -> usize) -> &[T] {
    let from = all.partition_point(|one| row_of(one) < row);
    let after = all.partition_point(|one| row_of(one) <= row);
    &all[from..after]
}

#[cfg(test)]
mod tests;
