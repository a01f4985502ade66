//! What an evaluation takes over from the one before.

use super::{ast::Grouping, eval::Groups, labels::without_name, matrix::Matrix, rows::Rows};
use std::sync::Arc;

/// What follows from labels alone, worked out at the last evaluation of an expression: good as long as the
/// lists of rows are the very same. It changes no result.
#[derive(Debug, Default)]
pub struct Memo {
    groups: Vec<Kept<Grouping, Arc<Groups>>>,
    nameless: Vec<Kept<(), Rows>>,
}

/// A value worked out from `rows`.
#[derive(Debug)]
struct Kept<K, V> {
    rows: Rows,
    key: K,
    value: V,
    /// Whether it was asked for since the last [`Memo::forget_unused`].
    used: bool,
}

// === impl Memo ===

impl Memo {
    /// Which rows of `matrix` belong together.
    pub(super) fn groups(&mut self, matrix: &Matrix, grouping: &Grouping) -> Arc<Groups> {
        let make = || Arc::new(Groups::of(matrix.labels(), grouping));
        match matrix.shared_rows() {
            Some(rows) => kept(&mut self.groups, rows, grouping, make),
            None => make(),
        }
    }

    /// The labels of `rows` without those that say what the metric is.
    pub(super) fn nameless(&mut self, rows: &Rows) -> Rows {
        kept(&mut self.nameless, rows, &(), || {
            let nameless: Vec<_> = rows.iter().map(without_name).collect();
            // What has no name is as it was, and so is what was worked out from it.
            if nameless == rows[..] { rows.clone() } else { nameless.into() }
        })
    }

    /// Forgets what was not asked for since the last call.
    pub(super) fn forget_unused(&mut self) {
        self.groups.retain_mut(|kept| std::mem::take(&mut kept.used));
        self.nameless.retain_mut(|kept| std::mem::take(&mut kept.used));
    }
}

/// What is kept of `rows` under `key`; made if it is not there.
fn kept<K: Clone + PartialEq, V: Clone>(
    list: &mut Vec<Kept<K, V>>,
    rows: &Rows,
    key: &K,
    make: impl FnOnce() -> V,
) -> V {
    if let Some(known) = list.iter_mut().find(|known| known.rows.is(rows) && known.key == *key) {
        known.used = true;
        return known.value.clone();
    }
    let value = make();
    list.push(Kept { rows: rows.clone(), key: key.clone(), value: value.clone(), used: true });
    value
}
