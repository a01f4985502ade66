//! A tree as a list of selections.

use super::{Lane, ROWS, Registers, SMALL_ROWS};
use crate::score::iforest::{MAX_DEPTH, Node};

/// Most leaves of a tree: their numbers are one byte.
const MAX_LEAVES: usize = 256;

/// The leaf that each row ends in.
pub(super) type LeafNumbers = Lane<u8>;

/// Places for results: first every leaf number as a constant, then two for each level of a tree.
pub(super) type Arena = [LeafNumbers; PLACES];

/// A power of two, so that a mask makes any number a valid place.
const PLACES: usize = 512;
const _: () = assert!(MAX_LEAVES + 2 * (MAX_DEPTH as usize + 1) <= PLACES);

/// For each row: `into = if rank of the feature > threshold { right } else { left }`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Select {
    feature: u8,
    /// The rank of the threshold, less 128.
    threshold: i8,
    left: u16,
    right: u16,
    into: u16,
}

/// A tree, from the leaves up.
#[derive(Clone, Debug)]
pub(super) struct Program {
    selects: Vec<Select>,
    /// Where the result of the root stands.
    root: u16,
    path_lengths: Box<[f64; MAX_LEAVES]>,
}

/// An arena with its constants.
pub(super) fn new_arena() -> Box<Arena> {
    let mut arena = Box::new([Lane([0; ROWS]); PLACES]);
    for (number, place) in (0..=u8::MAX).zip(arena.iter_mut()) {
        *place = Lane([number; ROWS]);
    }
    arena
}

/// A rank or threshold number as it is compared: bytes are compared with their sign.
pub(super) fn shifted(rank: usize) -> i8 {
    (rank as u8 ^ 0x80) as i8
}

// === impl Program ===

impl Program {
    /// The program of a tree that passed its check; `thresholds` are its group's, feature by feature.
    /// `None` when it has too many leaves.
    pub(super) fn new(
        nodes: &[Node],
        thresholds: &[Vec<f32>],
        path_length: &impl Fn(u32, u32) -> f64,
    ) -> Option<Self> {
        let path_lengths = Box::new([0.0; MAX_LEAVES]);
        let program = Self { selects: Vec::with_capacity(nodes.len() / 2), root: 0, path_lengths };
        let mut writing = Writing { nodes, thresholds, path_length, n_leaves: 0, program };
        writing.program.root = writing.write(0, 0, 0)?;
        Some(writing.program)
    }

    /// The path length of each leaf, by number.
    pub(super) fn path_lengths(&self) -> &[f64; MAX_LEAVES] {
        &self.path_lengths
    }

    /// Which leaf each row ends in, given the shifted ranks of its features.
    pub(super) fn run<const N: usize>(
        &self,
        select_all: SelectAll,
        ranks: &[Lane<i8>],
        arena: &mut Arena,
        into: &mut LeafNumbers,
    ) {
        select_all(&self.selects, ranks, arena);
        *into.first_mut::<N>() = *arena[usize::from(self.root) & (PLACES - 1)].first();
    }
}

/// What carries out selections for the first rows of a block.
pub(super) type SelectAll = fn(&[Select], &[Lane<i8>], &mut Arena);

/// That for the first `N` rows, a block or a small one.
pub(super) fn select_all<const N: usize>(registers: Registers) -> SelectAll {
    const { assert!(N == ROWS || N == SMALL_ROWS) };
    match (registers, N) {
        (Registers::Avx512, ROWS) => avx512,
        (Registers::Avx512, _) => avx512_small,
        (Registers::Avx2, ROWS) => avx2,
        (Registers::Avx2, _) => avx2_small,
        (Registers::Baseline, _) => select::<N>,
    }
}

// Each is compiled for its registers and for narrower ones, and when it runs the widest of these that there are are chosen.
#[multiversion::multiversion(targets(
    "x86_64+avx+avx2+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx+avx2"
))]
fn avx512(selects: &[Select], ranks: &[Lane<i8>], arena: &mut Arena) {
    select::<ROWS>(selects, ranks, arena);
}

#[multiversion::multiversion(targets(
    "x86_64+avx+avx2+avx512f+avx512bw+avx512dq+avx512vl",
    "x86_64+avx+avx2"
))]
fn avx512_small(selects: &[Select], ranks: &[Lane<i8>], arena: &mut Arena) {
    select::<SMALL_ROWS>(selects, ranks, arena);
}

#[multiversion::multiversion(targets("x86_64+avx+avx2"))]
fn avx2(selects: &[Select], ranks: &[Lane<i8>], arena: &mut Arena) {
    select::<ROWS>(selects, ranks, arena);
}

#[multiversion::multiversion(targets("x86_64+avx+avx2"))]
fn avx2_small(selects: &[Select], ranks: &[Lane<i8>], arena: &mut Arena) {
    select::<SMALL_ROWS>(selects, ranks, arena);
}

/// Inlined, so that each of the above has it compiled for its own registers.
#[inline(always)]
fn select<const N: usize>(selects: &[Select], ranks: &[Lane<i8>], arena: &mut Arena) {
    for select in selects {
        let Some(ranks) = ranks.get(usize::from(select.feature)) else { continue };
        let ranks = ranks.first::<N>();
        let left = arena[usize::from(select.left) & (PLACES - 1)].first::<N>();
        let right = arena[usize::from(select.right) & (PLACES - 1)].first::<N>();
        let mut into = [0; N];
        for row in 0..N {
            // With an `if` the compiler selects an address for each row instead of a byte.
            let takes_right = u8::from(ranks[row] > select.threshold).wrapping_neg();
            into[row] = left[row] ^ ((left[row] ^ right[row]) & takes_right);
        }
        *arena[usize::from(select.into) & (PLACES - 1)].first_mut() = into;
    }
}

/// A program on its way.
struct Writing<'a, F> {
    nodes: &'a [Node],
    thresholds: &'a [Vec<f32>],
    path_length: &'a F,
    n_leaves: usize,
    program: Program,
}

// === impl Writing ===

impl<F: Fn(u32, u32) -> f64> Writing<'_, F> {
    /// Writes the branch that starts at `node`; gives the place of its result. A result stands in the
    /// place of its level and side until the level above has read it.
    fn write(&mut self, node: usize, depth: u32, side: u16) -> Option<u16> {
        match self.nodes[node] {
            Node::Leaf { count } => {
                let number = self.n_leaves;
                *self.program.path_lengths.get_mut(number)? = (self.path_length)(depth, count);
                self.n_leaves += 1;
                Some(number as u16)
            }
            Node::Split { feature, threshold, right } => {
                let left = self.write(node + 1, depth + 1, 0)?;
                let right = self.write(right as usize, depth + 1, 1)?;
                let rank = self.thresholds[usize::from(feature)].partition_point(|t| *t < threshold);
                let into = MAX_LEAVES as u16 + 2 * depth as u16 + side;
                // Features are at most 256: their numbers fit a byte.
                let feature = feature as u8;
                self.program.selects.push(Select { feature, threshold: shifted(rank), left, right, into });
                Some(into)
            }
        }
    }
}
