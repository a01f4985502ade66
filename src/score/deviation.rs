//! How far the features of a row are from ordinary, whichever features those are.
//!
//! An axis-parallel forest on many features hardly sees that *one* of them is extreme. These eight
//! numbers say exactly that, and a forest fitted on them sees it: the five largest absolute robust
//! deviations, their mean, and how many pass 3 and 8.

/// Numbers that [`order_statistics`] gives.
pub const N_STATISTICS: usize = 8;

/// How many of the largest deviations are given one by one; they are the first of the statistics.
pub const N_PLACES: usize = 5;

/// Deviations are cut here: beyond it, further away is not stranger.
const CLIP: f32 = 200.0;

/// Where they are cut in a mean, so that one feature cannot fill it.
const LARGE: f32 = 50.0;

/// The order statistics of a row's robust deviations `z`, in this order: `ln(1 + |z|)` of the 5 largest
/// |z|, largest first (0 where there are fewer features), the mean of `ln(1 + |z|)`, and `ln(1 + count)`
/// of the features with |z| > 3 and > 8. |z| is cut at 200. A NaN is a missing feature and is left out.
///
/// # Panics
/// When `into` has other than [`N_STATISTICS`] places.
pub fn order_statistics(z: &[f32], into: &mut [f32]) {
    assert_eq!(into.len(), N_STATISTICS, "places for statistics");
    let (mut sum, mut present, mut above_3, mut above_8) = (0.0_f64, 0_u32, 0_u32, 0_u32);
    for size in z.iter().filter_map(|&z| size(z)) {
        sum += f64::from(size.ln_1p());
        present += 1;
        above_3 += u32::from(size > 3.0);
        above_8 += u32::from(size > 8.0);
    }
    for (statistic, place) in into.iter_mut().zip(top_places(z)) {
        *statistic = place.and_then(|feature| size(z[feature])).map_or(0.0, f32::ln_1p);
    }
    into[N_PLACES] = (sum / f64::from(present.max(1))) as f32;
    into[N_PLACES + 1] = (above_3 as f32).ln_1p();
    into[N_PLACES + 2] = (above_8 as f32).ln_1p();
}

/// The mean of the 5 largest |z|, of all where there are fewer, each cut at 50; 0 without any. A NaN is left out.
pub fn mean_of_largest(z: &[f32]) -> f32 {
    let largest = top_places(z).into_iter().flatten().filter_map(|feature| size(z[feature]));
    let (sum, count) =
        largest.fold((0.0_f32, 0_u32), |(sum, count), size| (sum + size.min(LARGE), count + 1));
    sum / count.max(1) as f32
}

/// The features that hold the places of the 5 largest |z|, largest first; of equal ones the earlier
/// feature comes first. Fewer than 5 features (NaN left out) leave the last places empty.
fn top_places(z: &[f32]) -> [Option<usize>; N_PLACES] {
    let mut places: [Option<(usize, f32)>; N_PLACES] = [None; N_PLACES];
    for (feature, &z) in z.iter().enumerate() {
        let Some(size) = size(z) else { continue };
        let holds = |place: &Option<(usize, f32)>| place.is_some_and(|(_, held)| held >= size);
        let at = places.partition_point(holds);
        if at < N_PLACES {
            places[at..].rotate_right(1);
            places[at] = Some((feature, size));
        }
    }
    places.map(|place| place.map(|(feature, _)| feature))
}

fn size(z: f32) -> Option<f32> {
    (!z.is_nan()).then(|| z.abs().min(CLIP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn statistics_by_hand() {
        let mut into = [9.0; N_STATISTICS];
        order_statistics(&[0.0, -4.0, 500.0, f32::NAN, 1.0, 9.0, 3.0], &mut into);
        let top = [200.0_f32, 9.0, 4.0, 3.0, 1.0].map(f32::ln_1p);
        assert_eq!(into[..5], top);
        // ln 201 + ln 10 + ln 5 + ln 4 + ln 2 + ln 1 = ln 80,400, over six features.
        assert!((into[5] - 80_400_f32.ln() / 6.0).abs() < 1e-5);
        assert_eq!(into[6..], [3.0_f32.ln_1p(), 2.0_f32.ln_1p()]);
        assert_eq!(top_places(&[0.0, -4.0, 500.0, f32::NAN, 1.0, 9.0, 3.0]), [2, 5, 1, 6, 4].map(Some));
    }

    #[test]
    fn the_mean_is_of_five_and_no_feature_fills_it() {
        assert_eq!(
            mean_of_largest(&[0.0, -4.0, 500.0, f32::NAN, 1.0, 9.0, 3.0]),
            (50.0 + 9.0 + 4.0 + 3.0 + 1.0) / 5.0
        );
        assert_eq!(mean_of_largest(&[2.0, f32::NAN, -6.0]), 4.0);
        assert_eq!(mean_of_largest(&[]), 0.0);
    }

    #[test]
    fn few_features_leave_places_empty() {
        let mut into = [9.0; N_STATISTICS];
        order_statistics(&[f32::NAN], &mut into);
        assert_eq!(into, [0.0; N_STATISTICS]);
        assert_eq!(top_places(&[1.0, -1.0]), [Some(0), Some(1), None, None, None]);
    }

    proptest! {
        /// For all rows, the places are those of a full, stable sort by descending |z|.
        #[test]
        fn places_equal_a_full_sort(z in prop::collection::vec(-9_i8..9, 0..40)) {
            let z: Vec<f32> = z.into_iter().map(f32::from).collect();
            let mut sorted: Vec<usize> = (0..z.len()).collect();
            sorted.sort_by(|&a, &b| z[b].abs().total_cmp(&z[a].abs()));
            let expected: Vec<_> = sorted.into_iter().map(Some).chain([None; 5]).take(5).collect();
            prop_assert_eq!(top_places(&z).to_vec(), expected);
        }
    }
}
