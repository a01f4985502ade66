//! What a model looks at most.

use super::{Judge, Model, member::MemberKind};
use crate::{
    explain::{Contribution, contributions},
    score::iforest::Forest,
};

// === impl Model ===

impl Model {
    /// The share of each feature in what the window member makes of its training rows (see
    /// [`Forest::importance`](crate::score::iforest::Forest::importance)), level and spread together, largest first;
    /// a feature that was constant in training is not among them. The hour of the day is left out, and so are the
    /// other members: they look for the strangest features, whichever these are.
    #[must_use]
    pub fn importance(&self) -> Vec<Contribution> {
        let n = self.layout().n_features;
        let forest = match &self.judge {
            Judge::Members(members) => {
                let window = members.members.iter().find(|member| member.kind == MemberKind::Window);
                window.and_then(|member| member.scorer.forest())
            }
            Judge::Plain(plain) => Some(&plain.forest),
        };
        let shares = forest.map(Forest::importance).unwrap_or_default();
        let credits: Vec<f64> = shares.iter().map(|share| -share).collect();
        let feature_of: Vec<Option<usize>> = (0..2 * n).map(|column| Some(column % n)).collect();
        contributions(&credits, &feature_of)
    }
}
