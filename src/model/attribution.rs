//! How the forests' part in the contributions of each row of a batch is found.
//!
//! Exact Tree SHAP costs a hundred scores. So that a step in which everything is alarming at once is not held up, only the
//! strangest rows of a batch get it. A batch is a whole step, whatever the shards and threads, so the choice is
//! the same wherever the step is scored.

use crate::score::iforest::Attribution;

/// Contributions are worked out from this tail probability down: rows that are ordinary need no reason.
pub const EXPLAINED_BELOW: f64 = 0.05;

/// From this tail probability down the forests' part in them is exact Tree SHAP, which costs a hundred scores, above
/// it path credit, which costs three. Every row that reaches the default thresholds lies below.
pub const EXACT_BELOW: f64 = 0.01;

/// The most rows of a batch that get exact Tree SHAP, the strangest of those below [`EXACT_BELOW`]; of equally strange
/// ones the first. At 0.3 ms a row they cost 20 ms.
pub const MAX_EXACT_ROWS: usize = 64;

/// The method for each row of a batch, given their tail probabilities; `None` for what is ordinary.
pub(super) fn attributions(tail_probabilities: &[f64]) -> Vec<Option<Attribution>> {
    let method = |p: &f64| (*p < EXPLAINED_BELOW).then_some(Attribution::PathCredit);
    let mut methods: Vec<_> = tail_probabilities.iter().map(method).collect();
    let mut rare: Vec<usize> =
        (0..methods.len()).filter(|row| tail_probabilities[*row] < EXACT_BELOW).collect();
    // Stable: of equal probabilities the earlier row comes first.
    rare.sort_by(|a, b| tail_probabilities[*a].total_cmp(&tail_probabilities[*b]));
    for row in rare.into_iter().take(MAX_EXACT_ROWS) {
        methods[row] = Some(Attribution::Shap);
    }
    methods
}

#[cfg(test)]
mod tests {
    use super::*;
    use Attribution::{PathCredit, Shap};

    #[test]
    fn few_rare_rows_are_all_exact() {
        let expected = [None, Some(PathCredit), Some(PathCredit), Some(Shap), Some(Shap)];
        assert_eq!(attributions(&[0.05, 0.049, 0.01, 0.009, 1e-6]), expected);
        assert_eq!(attributions(&[]), []);
    }

    /// Of 200 rare rows in falling order of strangeness only the first 64 are exact, wherever they stand.
    #[test]
    fn of_many_rare_rows_the_strangest_are_exact() {
        // 77 and 200 have no common divisor: every rank occurs once.
        let rank = |row: usize| row * 77 % 200;
        let methods = attributions(&(0..200).map(|row| 1e-6 * (1 + rank(row)) as f64).collect::<Vec<_>>());
        for (row, method) in methods.into_iter().enumerate() {
            assert_eq!(method, Some(if rank(row) < 64 { Shap } else { PathCredit }), "{row}");
        }
    }

    #[test]
    fn of_equally_rare_rows_the_first_are_exact() {
        let methods = attributions(&[1e-6; 100]);
        assert!(methods[..64].iter().all(|method| *method == Some(Shap)));
        assert!(methods[64..].iter().all(|method| *method == Some(PathCredit)));
    }
}
