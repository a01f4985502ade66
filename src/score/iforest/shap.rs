//! Exact, path-dependent Tree SHAP: the Shapley value of each feature in a path length.
//!
//! The game is that of Lundberg, Erion, Lee, "Consistent Individualized Feature Attribution for Tree
//! Ensembles" (arXiv 1802.03888): a coalition of features that are known walks down the tree; at a split
//! by an unknown feature both branches are taken, each with its share of the training rows. Their
//! algorithm 2 adds and takes back one feature after the other for every leaf. Here the same
//! numbers come from an integral, which needs one pass over the nodes.
//!
//! What one leaf adds to a coalition S is its path length times one factor a feature of its path: for a known
//! feature 1 or 0 (the row goes there or not), for an unknown one the share of the training rows that does,
//! z. The Shapley value of such a product is
//! `length * (known_i - z_i) * integral over t from 0 to 1 of product over j != i of (t known_j + (1 - t) z_j)`
//! (the multilinear extension of Owen, "Multilinear Extensions of Games", Management Science 18, 1972). The
//! integrand is a polynomial in t whose degree is below the number of features on the path, so below the
//! depth of the tree: Gauss-Legendre quadrature with half as many points as levels is exact. The
//! products are carried down the tree, their sums over the leaves up, point by point; every factor is
//! positive, so nothing cancels. Yu et al., "Linear TreeShap" (arXiv 2209.08192) do the same with polynomials
//! in another basis.
//!
//! Mind the sign, which is that of `path_credit`: a *negative* value shortened the path and so drives the
//! anomaly.

use super::{
    MAX_DEPTH, Node, Tree,
    layout::{Expectations, PerfectTrees},
};

/// Points and weights of Gauss-Legendre quadrature on 0 to 1, exact for polynomials of degree below 2 `N`.
struct Quadrature<const N: usize> {
    points: [f64; N],
    weights: [f64; N],
}

/// For trees of up to 8 levels.
const FOUR: Quadrature<4> = Quadrature {
    points: [
        0.069_431_844_202_973_71,
        0.330_009_478_207_571_87,
        0.669_990_521_792_428_1,
        0.930_568_155_797_026_3,
    ],
    weights: [
        0.173_927_422_568_726_92,
        0.326_072_577_431_273_05,
        0.326_072_577_431_273_05,
        0.173_927_422_568_726_92,
    ],
};

/// For trees of up to 12 levels.
const SIX: Quadrature<6> = Quadrature {
    points: [
        0.033_765_242_898_423_99,
        0.169_395_306_766_867_73,
        0.380_690_406_958_401_56,
        0.619_309_593_041_598_5,
        0.830_604_693_233_132_2,
        0.966_234_757_101_576,
    ],
    weights: [
        0.085_662_246_189_585_18,
        0.180_380_786_524_069_3,
        0.233_956_967_286_345_53,
        0.233_956_967_286_345_53,
        0.180_380_786_524_069_3,
        0.085_662_246_189_585_18,
    ],
};

const _: () = assert!(MAX_DEPTH <= 12, "deeper trees need more points");

/// Adds the Shapley values of one row, summed over all trees, to `into` (one number a feature). `laid_out` are
/// the same trees in the form that is scored.
pub(super) fn add_shap_values<const SLOTS: usize>(
    trees: &[Tree],
    laid_out: &PerfectTrees<SLOTS>,
    x: &[f32],
    into: &mut [f64],
) {
    if SLOTS <= 1 << 8 {
        add_by(&FOUR, trees, laid_out, x, into);
    } else {
        add_by(&SIX, trees, laid_out, x, into);
    }
}

fn add_by<const N: usize, const SLOTS: usize>(
    quadrature: &Quadrature<N>,
    trees: &[Tree],
    laid_out: &PerfectTrees<SLOTS>,
    x: &[f32],
    into: &mut [f64],
) {
    let mut rows = Vec::new();
    let mut players = vec![Player { along: true, share: 1.0, inverse: [1.0; N] }; x.len()];
    for (tree, expectations) in trees.iter().zip(laid_out.expectations()) {
        count_rows(tree.nodes(), &mut rows);
        let (nodes, rows, players) = (tree.nodes(), &rows[..], &mut players[..]);
        Pass { quadrature, nodes, expectations, rows, x, players, into: &mut *into }.branch(0, 1, [1.0; N]);
    }
}

/// The training rows below each node.
fn count_rows(nodes: &[Node], into: &mut Vec<f64>) {
    into.clear();
    into.resize(nodes.len(), 0.0);
    // Children stand behind their parent.
    for (at, node) in nodes.iter().enumerate().rev() {
        into[at] = match node {
            Node::Leaf { count } => f64::from(*count),
            Node::Split { right, .. } => into[at + 1] + into[*right as usize],
        };
    }
}

/// What the splits between the root and the present node say of one feature. Its factor at point t is
/// `t * (along ? 1 : 0) + (1 - t) * share`.
#[derive(Clone, Copy)]
struct Player<const N: usize> {
    /// Whether the row takes the path at each of the splits by this feature.
    along: bool,
    /// Share of the training rows that do. Not kept once the row does not.
    share: f64,
    /// 1 / its factor at each point. Not kept once the row does not take the path.
    inverse: [f64; N],
}

/// One tree under way.
struct Pass<'a, const N: usize, const SLOTS: usize> {
    quadrature: &'a Quadrature<N>,
    nodes: &'a [Node],
    expectations: Expectations<'a, SLOTS>,
    /// Training rows below each of the nodes.
    rows: &'a [f64],
    x: &'a [f32],
    players: &'a mut [Player<N>],
    into: &'a mut [f64],
}

// === impl Pass ===

impl<const N: usize, const SLOTS: usize> Pass<'_, N, SLOTS> {
    /// Credits the splits below `node`, which is laid out at `slot`. `product` is the product of all players'
    /// factors at each point; gives its sum over the leaves below, each times its path length. The
    /// recursion is as deep as the tree.
    fn branch(&mut self, node: usize, slot: usize, product: [f64; N]) -> [f64; N] {
        let Node::Split { feature, threshold, right } = self.nodes[node] else {
            let length = self.expectations.at(slot);
            return product.map(|product| product * length);
        };
        let (feature, right) = (usize::from(feature), right as usize);
        let above = self.x[feature] > threshold;
        let (left, right) = ((node + 1, 2 * slot), (right, 2 * slot + 1));
        let (along, aside) = if above { (right, left) } else { (left, right) };
        let share = |child: usize| self.rows[child] / self.rows[node];
        let (share_along, share_aside) = (share(along.0), share(aside.0));

        let before = self.players[feature];
        if !before.along {
            // The row left the path of this feature further up: here only its share shrinks.
            let through_along = self.branch(along.0, along.1, product.map(|product| product * share_along));
            let through_aside = self.branch(aside.0, aside.1, product.map(|product| product * share_aside));
            return each(|q| through_along[q] + through_aside[q]);
        }
        let points = &self.quadrature.points;
        let after = before.share * share_along;
        let factor: [f64; N] = each(|q| points[q] + (1.0 - points[q]) * after);
        let inverse: [f64; N] = each(|q| 1.0 / factor[q]);
        let others: [f64; N] = each(|q| product[q] * before.inverse[q]);
        let left_behind: [f64; N] = each(|q| others[q] * (1.0 - points[q]) * (before.share * share_aside));

        self.players[feature] = Player { along: true, share: after, inverse };
        let through_along = self.branch(along.0, along.1, each(|q| others[q] * factor[q]));
        self.players[feature].along = false;
        let through_aside = self.branch(aside.0, aside.1, left_behind);
        self.players[feature] = before;

        // (known - share) / factor, after the split less what the splits above were credited with.
        let credit = |q: usize| {
            let before = (1.0 - before.share) * before.inverse[q];
            let along = through_along[q] * ((1.0 - after) * inverse[q] - before);
            let aside = through_aside[q] * (1.0 / (1.0 - self.quadrature.points[q]) + before);
            self.quadrature.weights[q] * (along - aside)
        };
        self.into[feature] += (0..N).map(credit).sum::<f64>();
        each(|q| through_along[q] + through_aside[q])
    }
}

/// One number for each point.
#[inline(always)]
fn each<const N: usize>(number: impl Fn(usize) -> f64) -> [f64; N] {
    std::array::from_fn(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integrates<const N: usize>(quadrature: &Quadrature<N>) {
        for power in 0..2 * N as i32 {
            let terms = quadrature.points.iter().zip(quadrature.weights);
            let integral: f64 = terms.map(|(point, weight)| weight * point.powi(power)).sum();
            assert!((integral - 1.0 / f64::from(power + 1)).abs() < 1e-15, "power {power}: {integral}");
        }
    }

    /// The integral of t^k over 0 to 1 is 1 / (k + 1), for every power that a tree can need.
    #[test]
    fn quadrature_is_exact_for_the_powers_of_deep_trees() {
        integrates(&FOUR);
        integrates(&SIX);
    }
}
