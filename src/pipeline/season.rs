//! What the hour of the day has to say about a verdict: in both directions.
//!
//! A value that is ordinary in itself and not at this hour raises the score that the model gave. And what the model finds
//! strange at this hour on most days is no news: a nightly backup that runs every night. What is known of the hours
//! comes from the stream, so a new model changes nothing about it.

use super::verdict::Seasonal;
use crate::{
    calibrate::{AnomalyScore, CheckedPersistence, Persistence, SeasonalRarity},
    explain::Contribution,
    features::{Calendar, FeatureSchema, Inputs, SeasonSettings, SeasonalBaselines, SeasonalInputs, Usual},
    model::Scored,
    series::LabelSet,
};
use ndarray::ArrayView2;
use std::collections::{BTreeMap, VecDeque};

/// Evidence from which on something may need an explanation, in factors of ten. However much further a model goes, it
/// says the same.
const STRANGE: f64 = 2.0;

/// By how much a day may have been less strange than now and still count as alike, in factors of ten.
const ALIKE: f64 = 0.5;

/// A feature that is less than so many units outside of what is usual is as usual.
const AS_USUAL: f64 = 5.0;

/// On so many days, and on two of three, is a habit.
const HABIT_DAYS: u32 = 3;

/// The hours of one detector's entities.
#[derive(Debug)]
pub(super) struct Season {
    features: SeasonalBaselines,
    /// One value: how strange the model finds the entity for as long as an alarm takes.
    strangeness: SeasonalBaselines,
    unusual_hours: bool,
    persistence: Persistence,
    entities: BTreeMap<LabelSet, Entity>,
}

/// What is remembered of an entity beside its hours.
#[derive(Debug, Default)]
struct Entity {
    rarity: SeasonalRarity,
    /// The model's evidence at the last steps, the newest last.
    evidence: VecDeque<f64>,
}

/// The feature that is furthest from what is usual at this hour, though ordinary in itself.
#[derive(Clone, Copy, Debug)]
struct Furthest {
    feature: usize,
    usual: Usual,
    missed: bool,
    units: f64,
}

// === impl Season ===

impl Season {
    /// Bytes that one entity takes.
    pub(super) fn bytes_an_entity(n_features: usize, persistence: CheckedPersistence) -> usize {
        let hours = SeasonalBaselines::bytes_an_entity(n_features) + SeasonalBaselines::bytes_an_entity(1);
        let evidence = persistence.get().to_enter().1 * size_of::<f64>();
        hours + SeasonalRarity::bytes() + size_of::<VecDeque<f64>>() + evidence
    }

    pub(super) fn new(
        settings: &SeasonSettings,
        schema: &FeatureSchema,
        persistence: CheckedPersistence,
    ) -> Self {
        let calendar = Calendar::new(schema.zone().clone(), settings.holidays.clone());
        let baselines = |n| SeasonalBaselines::new(calendar.clone(), n, schema.step_ms());
        Self {
            features: baselines(schema.features().len()),
            strangeness: baselines(1),
            unusual_hours: settings.unusual_hours,
            persistence: persistence.get(),
            entities: BTreeMap::new(),
        }
    }

    /// Forgets one entity.
    pub(super) fn forget(&mut self, entity: &LabelSet) {
        self.features.forget(entity);
        self.strangeness.forget(entity);
        self.entities.remove(entity);
    }

    /// Takes the values of a step, and says what is usual.
    pub(super) fn take(&mut self, inputs: &Inputs) -> SeasonalInputs {
        let seasonal = self.features.push_inputs(inputs);
        self.features.forget_silent(inputs.at);
        self.strangeness.forget_silent(inputs.at);
        self.entities.retain(|entity, _| self.features.holds(entity));
        seasonal
    }

    /// Adds to what the model says of a step what the hour has to say; for each row, what that was.
    pub(super) fn judge(
        &mut self,
        seasonal: &SeasonalInputs,
        scored: &mut [Scored],
        name: impl Fn(usize, &LabelSet) -> String,
    ) -> Vec<Option<Seasonal>> {
        let entities: Vec<LabelSet> = scored.iter().map(|scored| scored.entity.clone()).collect();
        let lasting: Vec<f64> = scored.iter().map(|scored| self.lasting(scored)).collect();
        let lasting = ArrayView2::from_shape((lasting.len(), 1), &lasting);
        if let Ok(lasting) = lasting {
            self.strangeness.push(seasonal.at, &entities, lasting);
        }
        let one = |scored: &mut Scored| {
            self.unusual(seasonal, scored, &name).or_else(|| self.habit(seasonal, scored))
        };
        scored.iter_mut().map(one).collect()
    }

    /// Remembers the evidence; gives what as many of the last steps reach as an alarm takes, 0 while there are fewer. One
    /// strange step in an hour is chance.
    fn lasting(&mut self, scored: &Scored) -> f64 {
        let (n, m) = self.persistence.to_enter();
        let evidence = &mut self.entities.entry(scored.entity.clone()).or_default().evidence;
        if evidence.len() >= m {
            evidence.pop_front();
        }
        evidence.push_back(scored.evidence);
        let mut last: Vec<f64> = evidence.iter().copied().collect();
        last.sort_unstable_by(|a, b| b.total_cmp(a));
        last.get(n - 1).copied().unwrap_or(0.0)
    }

    /// Raises the score where the hour is stranger than what the model sees.
    fn unusual(
        &mut self,
        seasonal: &SeasonalInputs,
        scored: &mut Scored,
        name: impl Fn(usize, &LabelSet) -> String,
    ) -> Option<Seasonal> {
        let units = units(seasonal, scored.row);
        let furthest = furthest(seasonal, scored.row, &units)?;
        let rarity = &mut self.entities.get_mut(&scored.entity)?.rarity;
        let p = rarity.judge(furthest.units, seasonal.at);
        if !self.unusual_hours || p >= scored.tail_probability {
            return None;
        }
        set(scored, p);
        scored.contributions = contributions(&units);
        Some(Seasonal::Unusual {
            feature: name(furthest.feature, &scored.entity),
            usual: furthest.usual,
            missed: furthest.missed,
        })
    }

    /// Takes back the score of what comes at this hour on most days.
    fn habit(&self, seasonal: &SeasonalInputs, scored: &mut Scored) -> Option<Seasonal> {
        if scored.evidence < STRANGE || !self.is_as_usual(seasonal, scored.row) {
            return None;
        }
        let alike = (scored.evidence - ALIKE).min(STRANGE);
        let (days, of) = self.strangeness.days_reaching(&scored.entity, 0, seasonal.at, alike);
        if days < HABIT_DAYS || 3 * days < 2 * of {
            return None;
        }
        let p = f64::from(days) / f64::from(of + 1);
        if p <= scored.tail_probability {
            return None;
        }
        set(scored, p);
        scored.contributions.clear();
        Some(Seasonal::Habit { days, of })
    }

    /// Whether every feature is about where it is at this hour on other days: else what is strange today is something
    /// else.
    fn is_as_usual(&self, seasonal: &SeasonalInputs, row: usize) -> bool {
        let deviations = seasonal.deviation.row(row);
        let known = deviations.iter().filter(|deviation| !deviation.is_nan());
        let furthest = known.map(|deviation| deviation.abs()).reduce(f64::max);
        furthest.is_some_and(|units| units < AS_USUAL)
    }
}

/// How unusual each feature is for this hour, in units, of those whose hours are known and that are ordinary in
/// themselves; 0 for the others.
fn units(seasonal: &SeasonalInputs, row: usize) -> Vec<f64> {
    let unusual = |feature: usize| {
        let place = [row, feature];
        let known = seasonal.usual[place].is_some_and(|usual| usual.such_days) && seasonal.ordinary[place];
        // `max` passes over NaN.
        if known { seasonal.deviation[place].abs().max(seasonal.missed[place].abs()).max(0.0) } else { 0.0 }
    };
    (0..seasonal.deviation.ncols()).map(unusual).collect()
}

/// None where no hour is known. Of several that are as far the first.
fn furthest(seasonal: &SeasonalInputs, row: usize, units: &[f64]) -> Option<Furthest> {
    let mut furthest: Option<Furthest> = None;
    for (feature, units) in units.iter().copied().enumerate() {
        let Some(usual) = seasonal.usual[[row, feature]].filter(|usual| usual.such_days) else { continue };
        if furthest.is_none_or(|furthest| units > furthest.units) {
            let now = seasonal.deviation[[row, feature]].abs();
            let missed = now.is_nan() || now < units;
            furthest = Some(Furthest { feature, usual, missed, units });
        }
    }
    furthest
}

/// Shares by the squares of the deviations, largest first.
fn contributions(units: &[f64]) -> Vec<Contribution> {
    let total: f64 = units.iter().map(|units| units * units).sum();
    let share = |(feature, units): (usize, &f64)| Contribution { feature, share: units * units / total };
    let mut contributions: Vec<Contribution> =
        units.iter().enumerate().filter(|(_, units)| **units > 0.0).map(share).collect();
    // Stable: of equal shares the earlier feature comes first.
    contributions.sort_by(|a, b| b.share.total_cmp(&a.share));
    contributions
}

fn set(scored: &mut Scored, tail_probability: f64) {
    scored.tail_probability = tail_probability;
    scored.anomaly_score = AnomalyScore::from_tail_probability(tail_probability);
}
