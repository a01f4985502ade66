//! What features are called on an entity, and what they tell of.

use super::{VectorJudge, of_row};
use crate::{
    explain::AnomalyType,
    features::{InputLayout, Inputs, Statistic},
    pipeline::gaps::Filled,
    series::LabelSet,
};

// === impl VectorJudge ===

impl VectorJudge {
    /// What kind of trouble a feature of an entity tells of: as the rules say, or else by its name.
    pub(super) fn type_of(&self, entity: &LabelSet, feature: usize) -> AnomalyType {
        let schema = &self.settings.schema;
        let by_name = || {
            let expression = &schema.features()[feature].expression;
            AnomalyType::of_feature(schema.name_of(feature, entity), expression)
        };
        self.rules.anomaly_type(entity, feature).unwrap_or_else(by_name)
    }

    /// Name and value of the features of a row that were filled in.
    pub(super) fn filled_of<'a>(&'a self, inputs: &'a Inputs, row: usize) -> Vec<(&'a str, f64)> {
        let schema = &self.settings.schema;
        let layout = InputLayout { n_features: schema.features().len() };
        let named = |Filled { feature, .. }: &Filled| {
            let value = inputs.values[[row, layout.column(*feature, Statistic::Value)]];
            (schema.name_of(*feature, &inputs.entities[row]), value)
        };
        of_row(&self.filled, row, |filled| filled.row).iter().map(named).collect()
    }
}
