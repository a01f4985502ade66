//! Growing a tree of hyperplanes.
//!
//! As in a plain tree, a feature that is constant in a branch is not drawn there. Two differences to the papers, on
//! purpose. Coefficients belong to values standardised in the branch, as in SCiForest, for extended splits
//! too: a hyperplane over bytes and shares would look at the bytes alone (Hariri et al. standardise all rows once). And
//! the threshold of an extended split lies between the projections of the rows, so that each side has
//! some; the paper draws a point of their bounding box, whose hyperplane may miss them all.

use ndarray::ArrayView2;

use super::{
    Hyperplane, HyperplaneNode, HyperplaneTree, Term,
    gain::{Cut, best_cut},
};
use crate::score::iforest::{Splits, random::TreeRandom, sample::Sample, sample::threshold_between};

/// What remains of the size of a number when it is rounded down to a power of two.
const EXPONENT: u64 = 0x7ff0_0000_0000_0000;

/// Grows a tree from the rows of a sample. With plain splits it has those of the plain tree that is grown from the same
/// random numbers.
pub(in crate::score::iforest) fn grow(
    rows: ArrayView2<'_, f32>,
    sample: &[usize],
    random: TreeRandom,
    splits: Splits,
) -> HyperplaneTree {
    let size = sample.len();
    let mut growth = Growth {
        random,
        splits,
        sample: Sample::new(rows, sample),
        height_limit: size.next_power_of_two().ilog2(),
        rows: (0..size as u32).collect(),
        candidates: (0..rows.ncols() as u16).collect(),
        nodes: Vec::with_capacity(size),
        room: Room::default(),
    };
    growth.grow_branch(0, size, 0, rows.ncols());
    HyperplaneTree::new(growth.nodes)
}

/// One tree while it grows.
struct Growth {
    random: TreeRandom,
    splits: Splits,
    sample: Sample,
    height_limit: u32,
    /// Rows of the sample; a branch owns a part of it and reorders that.
    rows: Vec<u32>,
    /// The features that may still vary, first; a branch knows how many.
    candidates: Vec<u16>,
    nodes: Vec<HyperplaneNode>,
    room: Room,
}

/// Room to work in.
#[derive(Default)]
struct Room {
    projections: Vec<f64>,
    deviations: Vec<f64>,
}

// === impl Growth ===

impl Growth {
    /// Grows the branch of `rows[start..end]`; `varying` features may still vary in it. The recursion
    /// is as deep as the tree.
    fn grow_branch(&mut self, start: usize, end: usize, depth: u32, mut varying: usize) {
        let count = (end - start) as u32;
        let split = if depth >= self.height_limit || count <= 1 {
            None
        } else {
            self.choose_split(start, end, &mut varying)
        };
        let Some(hyperplane) = split else {
            self.nodes.push(HyperplaneNode::Leaf { count });
            return;
        };
        let middle = self.partition(start, end, &hyperplane);
        let node = self.nodes.len();
        self.nodes.push(HyperplaneNode::Split { hyperplane, right: 0 });
        self.grow_branch(start, middle, depth + 1, varying);
        let next = self.nodes.len() as u32;
        if let HyperplaneNode::Split { right, .. } = &mut self.nodes[node] {
            *right = next;
        }
        self.grow_branch(middle, end, depth + 1, varying);
    }

    /// The hyperplane of the largest gain among those tried, the first of equal ones; none when no feature
    /// varies.
    fn choose_split(&mut self, start: usize, end: usize, varying: &mut usize) -> Option<Hyperplane> {
        let (features, candidates) = (self.splits.features(), self.splits.candidates());
        // No feature is tried twice by itself: that would be the same split.
        let (draws, of_a_draw) = if features == 1 { (1, candidates) } else { (candidates, features) };
        let mut best: Option<(f64, Hyperplane)> = None;
        for _ in 0..draws {
            let drawn = self.draw_features(start, end, varying, of_a_draw);
            for features in drawn.chunks(features) {
                let Some((gain, hyperplane)) = self.try_split(start, end, features) else { continue };
                if best.as_ref().is_none_or(|(largest, _)| gain > *largest) {
                    best = Some((gain, hyperplane));
                }
            }
        }
        best.map(|(_, hyperplane)| hyperplane)
    }

    /// Up to `n` different features, drawn uniformly among those that vary in the branch.
    fn draw_features(&mut self, start: usize, end: usize, varying: &mut usize, n: usize) -> Vec<u16> {
        let mut drawn = Vec::with_capacity(n.min(*varying));
        while drawn.len() < n.min(*varying) {
            let at = drawn.len() + self.random.below(*varying - drawn.len());
            let feature = self.candidates[at];
            let (min, max) = self.sample.range(&self.rows[start..end], feature);
            if min == max {
                *varying -= 1;
                self.candidates.swap(at, *varying);
                continue;
            }
            drawn.push(feature);
            // Out of the way of the draws that follow; where none does, the order stays that of a plain tree.
            if drawn.len() < n {
                self.candidates.swap(at, drawn.len() - 1);
            }
        }
        drawn
    }

    /// A random hyperplane over these features, with its gain where splits are guided; none in the rare case that
    /// all rows have one projection.
    fn try_split(&mut self, start: usize, end: usize, features: &[u16]) -> Option<(f64, Hyperplane)> {
        let terms = self.draw_terms(start, end, features);
        let Self { random, splits, room: Room { projections, deviations }, sample, rows, .. } = self;
        projections.clear();
        projections.extend(rows[start..end].iter().map(|row| sample.project(&terms, *row)));
        let low = projections.iter().copied().fold(f64::INFINITY, f64::min);
        let high = projections.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (gain, from, to, fraction) = match splits {
            Splits::Guided { .. } => {
                projections.sort_unstable_by(f64::total_cmp);
                let Cut { gain, left, right } = best_cut(projections, deviations)?;
                (gain, left, right, 0.5)
            }
            Splits::Plain | Splits::Extended { .. } if low < high => (0.0, low, high, random.fraction()),
            Splits::Plain | Splits::Extended { .. } => return None,
        };
        let threshold = match features {
            // Projections are values here. What is in single precision may become a plain tree.
            [_] => f64::from(threshold_between(from as f32, to as f32, fraction)),
            _ => (from + fraction * (to - from)).clamp(from, to.next_down()),
        };
        Some((gain, Hyperplane { terms, threshold, low, high }))
    }

    /// A coefficient from the normal distribution for each feature, of its value standardised in the branch. All are
    /// divided by the power of two that brings the largest within 1 to 2: that keeps them within single precision,
    /// and rows in units that differ by powers of two get the same tree.
    fn draw_terms(&mut self, start: usize, end: usize, features: &[u16]) -> Vec<Term> {
        if let [feature] = features {
            return vec![Term::of(*feature)];
        }
        let scaled: Vec<(u16, f64, f64)> = features
            .iter()
            .map(|&feature| {
                let (mean, deviation) = self.sample.mean_and_deviation(&self.rows[start..end], feature);
                (feature, mean, self.random.normal() / deviation)
            })
            .collect();
        let largest = scaled.iter().map(|term| term.2.abs()).fold(0.0, f64::max);
        let unit = f64::from_bits(largest.to_bits() & EXPONENT);
        let term = |(feature, mean, coefficient): (u16, f64, f64)| Term {
            feature,
            center: mean as f32,
            coefficient: (coefficient / unit) as f32,
        };
        scaled.into_iter().map(term).collect()
    }

    /// Brings the rows of a branch that stay left to its front; gives the first that goes right.
    fn partition(&mut self, start: usize, end: usize, hyperplane: &Hyperplane) -> usize {
        let mut middle = start;
        for at in start..end {
            if self.sample.project(&hyperplane.terms, self.rows[at]) <= hyperplane.threshold {
                self.rows.swap(at, middle);
                middle += 1;
            }
        }
        middle
    }
}

// === impl Sample ===

impl Sample {
    /// The projection of a row: the same sum as [`Hyperplane::project`].
    fn project(&self, terms: &[Term], row: u32) -> f64 {
        terms.iter().map(|term| term.project(self.column(term.feature)[row as usize])).sum()
    }

    /// Mean and population standard deviation of a feature that varies in a branch: so the latter is above 0.
    fn mean_and_deviation(&self, rows: &[u32], feature: u16) -> (f64, f64) {
        let (column, n) = (self.column(feature), rows.len() as f64);
        let value = |row: &u32| f64::from(column[*row as usize]);
        let mean = rows.iter().map(value).sum::<f64>() / n;
        let squares = rows.iter().map(|row| (value(row) - mean).powi(2)).sum::<f64>();
        (mean, (squares / n).sqrt())
    }
}
