//! `limit_ratio`: a share of the series, chosen by a hash of their labels.

use super::EvalError;
use crate::{
    promql::{
        annotation::{Remark, Remarks, general},
        matrix::Matrix,
    },
    series::LabelSet,
};
use xxhash_rust::xxh64::xxh64;

/// Of each step the elements whose place among all hashes lies in the first `ratio[step]`, or, of a negative
/// ratio, in the last. Groups have no say in it.
pub(super) fn selected(
    ratio: &[f64],
    of: &Matrix,
    at: usize,
    remarks: &mut Remarks,
) -> Result<Matrix, EvalError> {
    let steps = of.steps();
    let mut result = Matrix::with_capacity(steps, of.row_count());
    // Prometheus does not look at a step before it has seen that there is any ratio but zero.
    if ratio.iter().all(|ratio| *ratio == 0.0) {
        return Ok(result);
    }
    remark_on(ratio, at, remarks);
    let occupied = of.occupied_steps();
    if ratio.iter().zip(occupied).any(|(ratio, occupied)| occupied && ratio.is_nan()) {
        return Err(EvalError::Ratio);
    }
    for (labels, cells) in of.rows() {
        let place = place(labels);
        let kept = cells.iter().zip(ratio).map(|(cell, ratio)| {
            let ratio = ratio.clamp(-1.0, 1.0);
            let stays = if ratio < 0.0 { place >= 1.0 + ratio } else { place < ratio };
            if stays { cell.clone() } else { None }
        });
        result.push_with(|row| row.extend(kept), || labels.clone());
    }
    Ok(result)
}

/// Of the largest and the smallest ratio of all steps; of none where one is NaN.
fn remark_on(ratio: &[f64], at: usize, remarks: &mut Remarks) {
    let extreme = |pick: fn(f64, f64) -> f64| ratio.iter().copied().reduce(pick);
    let (Some(smallest), Some(largest)) = (extreme(f64::min), extreme(f64::max)) else { return };
    if ratio.iter().any(|ratio| ratio.is_nan()) {
        return;
    }
    if largest > 1.0 {
        remarks.add(at, Remark::Ratio(general(largest), 1));
    }
    if smallest < -1.0 {
        remarks.add(at, Remark::Ratio(general(smallest), -1));
    }
}

/// The hash of the labels as a share of the largest one: XXH64 of the bytes in which Prometheus keeps them, each
/// name and value behind its length.
fn place(labels: &LabelSet) -> f64 {
    let mut bytes = Vec::new();
    for text in labels.iter().flat_map(|label| [label.name, label.value]) {
        match u8::try_from(text.len()) {
            Ok(length) if length < 255 => bytes.push(length),
            _ => {
                bytes.push(255);
                bytes.extend_from_slice(&text.len().to_le_bytes()[..3]);
            }
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    xxh64(&bytes, 0) as f64 / u64::MAX as f64
}
