//! The order of an instant query's elements.

use super::aggregate::Groups;
use crate::{
    promql::{
        Point,
        matrix::Matrix,
        number::{ascending, descending},
        tree::{Order, Selection},
    },
    series::LabelSet,
};
use std::cmp::Ordering;

/// The elements at the first step, in `order`; of equal ones those first that are in label order.
pub(in crate::promql) fn ordered(of: Matrix, order: &Order) -> Vec<(LabelSet, Point)> {
    let groups = match order {
        Order::Selected { grouping, .. } => Groups::of(of.labels(), grouping).of_row,
        _ => Vec::new(),
    };
    let (labels, cells) = of.into_parts();
    let mut elements: Vec<(usize, (LabelSet, Point))> = labels
        .into_iter()
        .zip(cells)
        .enumerate()
        .filter_map(|(row, (labels, cell))| Some((row, (labels, cell?))))
        .collect();
    let value = |element: &(usize, (LabelSet, Point))| element.1.1.float().unwrap_or(f64::NAN);
    match order {
        Order::Labels => {}
        Order::Ascending => elements.sort_by(|a, b| ascending(value(a), value(b))),
        Order::Descending => elements.sort_by(|a, b| descending(value(a), value(b))),
        Order::Selected { which, .. } => elements.sort_by(|a, b| {
            let by_value = match which {
                Selection::Largest => descending(value(a), value(b)),
                Selection::Smallest => ascending(value(a), value(b)),
                Selection::First => Ordering::Equal,
            };
            groups[a.0].cmp(&groups[b.0]).then(by_value)
        }),
        Order::ByLabels { names, descending } => elements.sort_by(|a, b| {
            let order = by_labels(names, &a.1.0, &b.1.0);
            if *descending { order.reverse() } else { order }
        }),
    }
    elements.into_iter().map(|(_, element)| element).collect()
}

fn by_labels(names: &[String], a: &LabelSet, b: &LabelSet) -> Ordering {
    let value = |labels: &LabelSet, name: &str| labels.get(name).unwrap_or("").to_owned();
    let named = names.iter().map(|name| natural(&value(a, name), &value(b, name)));
    named.reduce(Ordering::then).unwrap_or(Ordering::Equal).then_with(|| a.cmp(b))
}

/// Runs of digits compare as numbers: `disk2` comes before `disk10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (chunks(a).into_iter(), chunks(b).into_iter());
    loop {
        let (a, b) = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => (a, b),
        };
        let order = match (a.parse::<u64>(), b.parse::<u64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y).then_with(|| a.len().cmp(&b.len())),
            _ => a.cmp(b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The runs of digits and of anything else.
fn chunks(text: &str) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (chunk, behind) = rest.split_at(end);
        chunks.push(chunk);
        rest = behind;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_compare_as_numbers() {
        let mut disks = ["disk10", "disk2", "disk", "disk02", "disk2b", "a"];
        disks.sort_by(|a, b| natural(a, b));
        assert_eq!(disks, ["a", "disk", "disk2", "disk2b", "disk02", "disk10"]);
    }

    #[test]
    fn nan_comes_last_either_way() {
        assert_eq!(ascending(f64::NAN, 1.0), Ordering::Greater);
        assert_eq!(descending(f64::NAN, 1.0), Ordering::Greater);
        assert_eq!(descending(1.0, 2.0), Ordering::Greater);
        assert_eq!(ascending(f64::NAN, f64::NAN), Ordering::Equal);
    }
}
