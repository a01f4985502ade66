//! What is an anomaly by itself, whatever a model says.

use super::{VectorJudge, of_row};
use crate::{
    features::{InputLayout, Inputs, Statistic},
    model::Model,
    pipeline::{forecast::Forecast, rules::Violations, verdict::Breach, zero::DroppedToZero},
};

// === impl VectorJudge ===

impl VectorJudge {
    /// The values of a row that are anomalies by themselves; `model` knows what is usual for its entity.
    pub(super) fn violations(&self, inputs: &Inputs, row: usize, model: Option<&Model>) -> Violations {
        let (schema, entity) = (&self.settings.schema, &inputs.entities[row]);
        let layout = InputLayout { n_features: schema.features().len() };
        let value = |feature| inputs.values[[row, layout.column(feature, Statistic::Value)]];
        let values = (0..layout.n_features).map(&value);
        let name = |feature: usize| schema.name_of(feature, entity);
        let usual = |feature: usize| model?.expected_of(entity, feature);
        let mut violations = self.rules.violations(entity, values, name, usual);
        for (feature, rules) in self.rules.of(entity).iter().enumerate() {
            let Some(limits) = rules.limits else { continue };
            let seen = value(feature);
            let usual = || usual(feature);
            let forecast = self.forecasts.of(entity, feature, inputs.at, seen, limits, usual);
            if let Some(Forecast { bound, after_ms }) = forecast {
                violations.infer(name(feature), seen, Breach::Forecast { bound, after_ms });
            }
        }
        for DroppedToZero { feature, before, .. } in of_row(&self.dropped, row, |drop| drop.row) {
            let breach = Breach::DroppedToZero { known_ms: before.known_ms, ever: before.ever };
            violations.infer(name(*feature), 0.0, breach);
        }
        violations
    }
}
