//! What was found about an entity at a step, put together as a verdict.

use super::{
    maintenance::InMaintenance,
    starts::Start,
    verdict::{Breach, FeatureContribution, Seasonal, Verdict, Violation},
};
use crate::{
    calibrate::{AnomalyScore, Severity, Thresholds},
    explain::{self, AnomalyType, Criterion, Quantity},
    features::{FeatureSchema, InputLayout, Inputs, Statistic},
    model::{Explanation, History, Model, Scored},
};

/// The verdict on an entity that a model scored; `type_of` says of a feature what kind of trouble it tells of.
pub(super) fn verdict(
    model: &Model,
    type_of: impl Fn(usize) -> AnomalyType,
    inputs: &Inputs,
    scored: Scored,
    seasonal: Option<Seasonal>,
    severity: Severity,
    history: &History<'_>,
) -> Verdict {
    let schema = model.schema();
    let name = |feature: usize| schema.name_of(feature, &scored.entity).to_owned();
    let strange = model.thresholds().severity(scored.anomaly_score) > Severity::Normal;
    let told = severity > Severity::Normal || strange;
    let explanation = told.then(|| model.explain(inputs, &scored, history));
    let (mut explanation, mut criteria) =
        explanation.map_or_else(Default::default, |Explanation { sentence, criteria }| (sentence, criteria));
    if told && let Some(Seasonal::Unusual { feature, usual, missed }) = &seasonal {
        let said = explanation.trim_end_matches('.');
        explanation = format!(
            "{said}; {}.",
            explain::season_clause(Quantity::in_schema(schema, feature), usual, *missed)
        );
        criteria.push(Criterion::SeasonalAnomaly);
    }
    let shares = scored.contributions.iter().map(|c| (type_of(c.feature), c.share));
    let anomaly_type = told.then(|| AnomalyType::of_shares(shares)).flatten();
    let contributions = scored
        .contributions
        .iter()
        .map(|c| FeatureContribution { feature: name(c.feature), share: c.share })
        .collect();
    Verdict {
        at: inputs.at,
        violations: Vec::new(),
        anomaly_score: scored.anomaly_score,
        tail_probability: scored.tail_probability,
        raw_score: scored.raw_score,
        severity,
        since: history.since,
        peak: history.peak,
        incident: None,
        contributions,
        seasonal,
        start: None,
        alerts: Vec::new(),
        maintenance: None,
        missing: scored.missing.iter().map(|feature| name(*feature)).collect(),
        filled: Vec::new(),
        criteria,
        anomaly_type,
        explanation,
        entity: scored.entity,
    }
}

/// The verdict on an entity that no model scores.
pub(super) fn unscored(
    schema: &FeatureSchema,
    inputs: &Inputs,
    row: usize,
    severity: Severity,
    history: &History<'_>,
) -> Verdict {
    let layout = InputLayout { n_features: schema.features().len() };
    let is_missing =
        |feature: &usize| inputs.values[[row, layout.column(*feature, Statistic::Value)]].is_nan();
    let entity = &inputs.entities[row];
    Verdict {
        entity: entity.clone(),
        at: inputs.at,
        anomaly_score: AnomalyScore::default(),
        tail_probability: 1.0,
        raw_score: 0.0,
        severity,
        since: history.since,
        peak: history.peak,
        incident: None,
        seasonal: None,
        start: None,
        alerts: Vec::new(),
        maintenance: None,
        contributions: Vec::new(),
        violations: Vec::new(),
        missing: (0..layout.n_features)
            .filter(is_missing)
            .map(|feature| schema.name_of(feature, entity).to_owned())
            .collect(),
        filled: Vec::new(),
        criteria: Vec::new(),
        anomaly_type: None,
        explanation: "not scored yet".to_owned(),
    }
}

/// Takes back what is said of an entity that the model does not find strange: something else is, and will be said.
pub(super) fn leave_out_calm(verdict: &mut Verdict, thresholds: Thresholds) {
    if thresholds.severity(verdict.anomaly_score) == Severity::Normal {
        verdict.explanation.clear();
        verdict.criteria.clear();
        verdict.anomaly_type = None;
    }
}

/// Adds the values that are anomalies by themselves to what is said already.
pub(super) fn add_violations(
    verdict: &mut Verdict,
    violations: Vec<Violation>,
    schema: &FeatureSchema,
    type_of: impl Fn(&str) -> Option<AnomalyType>,
) {
    let Some(first) = violations.first() else { return };
    verdict.anomaly_type = verdict.anomaly_type.or_else(|| type_of(&first.feature));
    add_criteria(verdict, violations.iter().map(|violation| violation.breach.criterion()));
    for Violation { feature, seen, breach } in violations.iter().rev() {
        let feature = Quantity::in_schema(schema, feature);
        let said = match *breach {
            Breach::Limit(limit) => explain::beyond_limit(feature, *seen, limit),
            Breach::DroppedToZero { known_ms, ever } => explain::dropped_to_zero(feature, known_ms, ever),
            Breach::Forecast { bound, after_ms } => explain::heading_for(feature, *seen, bound, after_ms),
        };
        verdict.explanation = match &*verdict.explanation {
            "" => said,
            rest => format!("{said}; {}", without_repeat(&said, rest)),
        };
    }
    verdict.violations = violations;
}

/// What `said` begins with need not be said again.
fn without_repeat<'a>(said: &str, rest: &'a str) -> &'a str {
    let fact = said.split_once(", ").map_or(said, |(fact, _)| fact);
    rest.strip_prefix(fact).and_then(|rest| rest.strip_prefix(", ")).unwrap_or(rest)
}

/// Says that what is unusual is over.
pub(super) fn add_aftermath(verdict: &mut Verdict) {
    if !verdict.explanation.is_empty() {
        add_criteria(verdict, [Criterion::Aftermath]);
        add_clause(verdict, "the values are back to what they were before the alarm");
    }
}

/// Adds the last start of the entity to what is said already.
pub(super) fn add_start(verdict: &mut Verdict, start: Option<Start>) {
    match &start {
        Some(start) if start.in_loop => {
            add_criteria(verdict, [Criterion::CrashLoop]);
            verdict.anomaly_type = verdict.anomaly_type.or(Some(AnomalyType::System));
            let said = &verdict.explanation;
            verdict.explanation = match &**said {
                "" => format!("{}.", start.clause(verdict.at)),
                said => format!("{}; {said}", start.clause(verdict.at)),
            };
        }
        Some(start) => add_clause(verdict, &start.clause(verdict.at)),
        None => {}
    }
    verdict.start = start;
}

/// Adds the alerts that fire on the entity to what is said already.
pub(super) fn add_alerts(verdict: &mut Verdict, alerts: Vec<String>) {
    if let Some(clause) = explain::alerts_clause(&alerts) {
        add_clause(verdict, &clause);
    }
    verdict.alerts = alerts;
}

/// Adds the planned work that goes on to what is said already.
pub(super) fn add_maintenance(verdict: &mut Verdict, maintenance: Option<InMaintenance>) {
    if let Some(InMaintenance { name, until }) = &maintenance {
        add_clause(verdict, &explain::maintenance_clause(name, *until, verdict.at));
    }
    verdict.maintenance = maintenance;
}

/// Each once, in their order, whoever adds them.
fn add_criteria(verdict: &mut Verdict, criteria: impl IntoIterator<Item = Criterion>) {
    verdict.criteria.extend(criteria);
    verdict.criteria.sort_unstable();
    verdict.criteria.dedup();
}

/// A clause after all that is said; of what is not spoken of nothing is said either.
fn add_clause(verdict: &mut Verdict, clause: &str) {
    if !verdict.explanation.is_empty() {
        verdict.explanation = format!("{}; {clause}.", verdict.explanation.trim_end_matches('.'));
    }
}

/// Adds the features that were filled in, with the values that stand for them, to what is said already.
pub(super) fn add_filled(verdict: &mut Verdict, filled: &[(&str, f64)], schema: &FeatureSchema) {
    if !verdict.explanation.is_empty() && !filled.is_empty() {
        let said = verdict.explanation.trim_end_matches('.');
        let filled: Vec<(Quantity<'_>, f64)> =
            filled.iter().map(|(name, value)| (Quantity::in_schema(schema, name), *value)).collect();
        verdict.explanation = format!("{said}. {}", explain::filled_in(&filled));
    }
    verdict.filled = filled.iter().map(|(feature, _)| (*feature).to_owned()).collect();
}
