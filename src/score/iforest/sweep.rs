//! Scoring a batch without walking: every node of a tree is compared, for 128 or 64 rows at once.
//!
//! A walk visits 8 of a tree's 50 nodes, but each step waits for the one before it. Comparing all of them
//! waits for nothing, and 64 rows fit one vector register when a value takes one byte. So:
//! - `ranker`: a feature's value becomes its rank among the thresholds that the forest has for it,
//!   which decides every comparison exactly;
//! - trees are put into groups in which no feature has more than 254 thresholds: there a rank is one byte;
//! - `program`: a tree is a list of "take the left or the right result" from the leaves up to the
//!   root, which leaves the number of the leaf that each row ends in;
//! - the path lengths of the leaves are added up in the order of the trees, as a walk does: the same bits.
//!
//! Compare QuickScorer (Lucchese et al., SIGIR 2015), which masks out unreachable leaves instead; with
//! some fifty leaves and half of the comparisons true, selecting is less work.

mod program;

mod ranker;

use super::{Node, Tree};
use ndarray::ArrayView2;
use program::{Arena, LeafNumbers, Program};
use ranker::Ranker;
use std::ops::{Deref, DerefMut};

/// Rows in a block.
const ROWS: usize = 128;

/// Rows in a small block, for a batch or a rest that is no larger.
pub(super) const SMALL_ROWS: usize = 64;

/// One value for each row of a block. It begins where a cache line does: a vector register that holds a
/// line would else be read and written in two halves.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Lane<T>([T; ROWS]);

/// Most thresholds of one feature in a group: then ranks are 0 to 254.
const MAX_GROUP_THRESHOLDS: usize = 254;

/// Most thresholds of one feature in the forest: then ranks fit 16 bits.
const MAX_THRESHOLDS: usize = u16::MAX as usize;

/// Most bytes of all groups' rank tables. A forest of thousands of trees over one feature would need many
/// times its own size.
const MAX_TABLE_BYTES: usize = 4 << 20;

/// Trees whose leaf numbers are held at a time.
const TREES_AT_A_TIME: usize = 8;

/// The vector registers that a sweep makes use of, at most: where they are absent, those of the next line are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registers {
    /// AVX-512.
    Avx512,
    /// AVX2.
    Avx2,
    /// What every processor of the architecture has.
    Baseline,
}

/// A forest, made ready to be swept.
#[derive(Clone, Debug)]
pub(super) struct Sweep {
    /// For each feature.
    rankers: Vec<Ranker>,
    groups: Vec<Group>,
    /// In the order of the trees.
    programs: Vec<Program>,
}

/// Trees that share one rank table a feature.
#[derive(Clone, Debug)]
struct Group {
    /// For each feature, from the rank among all thresholds to the one among the group's, less 128.
    tables: Vec<Vec<i8>>,
    n_trees: usize,
}

/// What the blocks of one batch share.
struct Scratch {
    columns: Vec<Lane<f32>>,
    ranks: Vec<Lane<u16>>,
    /// Of the group at hand.
    group_ranks: Vec<Lane<i8>>,
    arena: Box<Arena>,
    numbers: Box<[LeafNumbers; TREES_AT_A_TIME]>,
}

// === impl Sweep ===

impl Sweep {
    /// Prepares trees that passed their check; `path_length(depth, rows)` is that of a leaf. `None`
    /// where they do not fit (a tree of more than 256 leaves, very many thresholds): then they are walked.
    pub(super) fn new(
        trees: &[Tree],
        n_features: usize,
        path_length: &impl Fn(u32, u32) -> f64,
    ) -> Option<Self> {
        let groups = group(trees, n_features);
        let all: Vec<Vec<f32>> = (0..n_features)
            .map(|feature| {
                sorted(groups.iter().flat_map(|(_, thresholds)| &thresholds[feature]).copied().collect())
            })
            .collect();
        let table_bytes = groups.len() * all.iter().map(|all| all.len() + 1).sum::<usize>();
        if all.iter().any(|all| all.len() > MAX_THRESHOLDS) || table_bytes > MAX_TABLE_BYTES {
            return None;
        }
        let mut programs = Vec::with_capacity(trees.len());
        for (n_trees, thresholds) in &groups {
            let own = &trees[programs.len()..programs.len() + n_trees];
            for tree in own {
                programs.push(Program::new(tree.nodes(), thresholds, path_length)?);
            }
        }
        let groups = groups
            .iter()
            .map(|(n_trees, thresholds)| Group {
                tables: all.iter().zip(thresholds).map(|(all, own)| table(all, own)).collect(),
                n_trees: *n_trees,
            })
            .collect();
        Some(Self { rankers: all.iter().map(|all| Ranker::new(all)).collect(), groups, programs })
    }

    /// Calls `finish(row, sum of path lengths)` for every row of a batch, rows ascending.
    pub(super) fn sums_of_path_lengths(
        &self,
        registers: Registers,
        rows: ArrayView2<'_, f32>,
        mut finish: impl FnMut(usize, f64),
    ) {
        let mut scratch = Scratch::new(rows.ncols());
        for first in (0..rows.nrows()).step_by(ROWS) {
            let filled = scratch.fill(rows, first);
            let sums = if filled <= SMALL_ROWS {
                self.block::<SMALL_ROWS>(registers, &mut scratch)
            } else {
                self.block::<ROWS>(registers, &mut scratch)
            };
            for (row, sum) in sums.iter().enumerate().take(filled) {
                finish(first + row, *sum);
            }
        }
    }

    /// The sums of the first `N` rows of a block.
    fn block<const N: usize>(&self, registers: Registers, scratch: &mut Scratch) -> Lane<f64> {
        let Scratch { columns, ranks, group_ranks, arena, numbers } = scratch;
        for ((ranker, column), ranks) in self.rankers.iter().zip(columns).zip(&mut *ranks) {
            ranker.rank::<N>(column.first(), ranks.first_mut());
        }
        let select_all = program::select_all::<N>(registers);
        let mut sums = Lane([0.0; ROWS]);
        let mut rest = &self.programs[..];
        for group in &self.groups {
            for ((table, ranks), into) in group.tables.iter().zip(&*ranks).zip(&mut *group_ranks) {
                for (into, rank) in into.first_mut::<N>().iter_mut().zip(ranks.first::<N>()) {
                    *into = table[usize::from(*rank)];
                }
            }
            let (own, behind) = rest.split_at(group.n_trees);
            rest = behind;
            for programs in own.chunks(TREES_AT_A_TIME) {
                for (program, numbers) in programs.iter().zip(numbers.iter_mut()) {
                    program.run::<N>(select_all, group_ranks, arena, numbers);
                }
                add_path_lengths::<N>(programs, numbers, sums.first_mut());
            }
        }
        sums
    }
}

/// Adds the path length of the leaf that each row ended in, tree by tree.
fn add_path_lengths<const N: usize>(
    programs: &[Program],
    numbers: &[LeafNumbers; TREES_AT_A_TIME],
    sums: &mut [f64; N],
) {
    match <&[Program; TREES_AT_A_TIME]>::try_from(programs) {
        Ok(programs) => {
            let lengths = programs.each_ref().map(Program::path_lengths);
            for (row, sum) in sums.iter_mut().enumerate() {
                for (lengths, numbers) in lengths.iter().zip(numbers) {
                    *sum += lengths[usize::from(numbers[row])];
                }
            }
        }
        Err(_) => {
            for (program, numbers) in programs.iter().zip(numbers) {
                for (sum, number) in sums.iter_mut().zip(numbers.iter()) {
                    *sum += program.path_lengths()[usize::from(*number)];
                }
            }
        }
    }
}

/// Consecutive trees, as many as share one-byte ranks: their number, and each feature's thresholds.
fn group(trees: &[Tree], n_features: usize) -> Vec<(usize, Vec<Vec<f32>>)> {
    let mut groups: Vec<(usize, Vec<Vec<f32>>)> = Vec::new();
    for tree in trees {
        let mut own = vec![Vec::new(); n_features];
        for node in tree.nodes() {
            if let Node::Split { feature, threshold, .. } = node {
                own[usize::from(*feature)].push(*threshold);
            }
        }
        let own: Vec<Vec<f32>> = own.into_iter().map(sorted).collect();
        let joined = groups.last_mut().and_then(|(n_trees, thresholds)| {
            let joined: Vec<Vec<f32>> =
                thresholds.iter().zip(&own).map(|(a, b)| sorted([&a[..], &b[..]].concat())).collect();
            let fits = joined.iter().all(|thresholds| thresholds.len() <= MAX_GROUP_THRESHOLDS);
            fits.then(|| (*n_trees, *thresholds) = (*n_trees + 1, joined))
        });
        if joined.is_none() {
            groups.push((1, own));
        }
    }
    groups
}

/// In ascending order, each once.
fn sorted(mut thresholds: Vec<f32>) -> Vec<f32> {
    // The stable sort merges two sorted halves in one pass.
    thresholds.sort_by(f32::total_cmp);
    // By value: a zero is a zero whatever its sign.
    thresholds.dedup();
    thresholds
}

/// From the rank among `all` thresholds to the rank among `own`, some of them; less 128.
fn table(all: &[f32], own: &[f32]) -> Vec<i8> {
    let mut below = 0;
    let mut table = Vec::with_capacity(all.len() + 1);
    table.push(program::shifted(0));
    for threshold in all {
        below += usize::from(own.get(below).is_some_and(|own| own <= threshold));
        table.push(program::shifted(below));
    }
    table
}

// === impl Lane ===

impl<T> Lane<T> {
    /// The first `N` rows.
    fn first<const N: usize>(&self) -> &[T; N] {
        const { assert!(N <= ROWS) };
        &self.0.as_chunks().0[0]
    }

    fn first_mut<const N: usize>(&mut self) -> &mut [T; N] {
        const { assert!(N <= ROWS) };
        &mut self.0.as_chunks_mut().0[0]
    }
}

impl<T> Deref for Lane<T> {
    type Target = [T; ROWS];

    fn deref(&self) -> &[T; ROWS] {
        &self.0
    }
}

impl<T> DerefMut for Lane<T> {
    fn deref_mut(&mut self) -> &mut [T; ROWS] {
        &mut self.0
    }
}

// === impl Scratch ===

impl Scratch {
    fn new(n_features: usize) -> Self {
        Self {
            columns: vec![Lane([0.0; ROWS]); n_features],
            ranks: vec![Lane([0; ROWS]); n_features],
            group_ranks: vec![Lane([0; ROWS]); n_features],
            arena: program::new_arena(),
            numbers: Box::new([Lane([0; ROWS]); TREES_AT_A_TIME]),
        }
    }

    /// Takes as many rows as fit, from `first` on, turned into columns; gives their number. Lanes
    /// beyond it keep old values, which nobody reads.
    fn fill(&mut self, rows: ArrayView2<'_, f32>, first: usize) -> usize {
        let filled = (rows.nrows() - first).min(ROWS);
        for row in 0..filled {
            for (column, value) in self.columns.iter_mut().zip(rows.row(first + row)) {
                column[row] = *value;
            }
        }
        filled
    }
}
