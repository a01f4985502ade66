//! Where buckets begin and end.
//!
//! Bounds must be Prometheus' own to the last bit, since every instrumented program has counted by them:
//! `getBoundExponential` of `model/histogram/generic.go`. Its table was made by repeated multiplication,
//! each schema filling the gaps of the one before, and is up to five units in the last place away from the
//! true powers; the same recurrence makes it again here.

/// `2^(2^-schema)` for schemas 1 to 8. The first is one unit below the nearest float to the square root of
/// two, as in the program that made the table.
#[expect(clippy::approx_constant, reason = "deliberately not the nearest float to the square root of two")]
const FACTORS: [f64; 8] = [
    1.414_213_562_373_095,
    1.189_207_115_002_721,
    1.090_507_732_665_257_7,
    1.044_273_782_427_413_8,
    1.021_897_148_654_116_6,
    1.010_889_286_051_700_5,
    1.005_429_901_112_802_7,
    1.002_711_275_050_202_5,
];

/// Bounds from 0.5 to 1 of schema 8; those of schema `s` are every `2^(8 - s)`-th of them.
const FRACTIONS: [f64; 256] = fractions();

const fn fractions() -> [f64; 256] {
    let mut table = [0.5; 256];
    let mut schema = 1;
    while schema <= 8 {
        let step = 256 >> schema;
        // Bounds at even multiples of `step` stand from the schema before.
        let mut at = step;
        while at < 256 {
            table[at] = table[at - step] * FACTORS[schema - 1];
            at += 2 * step;
        }
        schema += 1;
    }
    table
}

/// The upper bound of positive bucket `index` of an exponential schema (-4 to 8; beyond that, of the nearest
/// one). The last bucket of finite values ends at the largest float, the one behind it holds infinity.
pub(super) fn exponential(schema: i32, index: i32) -> f64 {
    let index = i64::from(index);
    let (fraction, exponent) = match schema {
        ..0 => (0.5, index * (1 << schema.unsigned_abs().min(4)) + 1),
        _ => {
            let schema = schema.min(8) as u32;
            let place = index & ((1 << schema) - 1);
            (FRACTIONS[(place as usize) << (8 - schema)], (index >> schema) + 1)
        }
    };
    if fraction == 0.5 && exponent == 1025 { f64::MAX } else { scale(fraction, exponent) }
}

/// The upper bound of custom bucket `index`.
pub(super) fn custom(bounds: &[f64], index: i32) -> f64 {
    match usize::try_from(index) {
        Err(_) => f64::NEG_INFINITY,
        Ok(index) => bounds.get(index).copied().unwrap_or(f64::INFINITY),
    }
}

/// `fraction * 2^exponent` for a fraction from 0.5 to 1, rounded once.
fn scale(fraction: f64, exponent: i64) -> f64 {
    match exponent {
        1025.. => f64::INFINITY,
        1024 => fraction * 2.0 * power_of_two(1023),
        -1021..1024 => fraction * power_of_two(exponent),
        // Below the normal floats: the last multiplication alone rounds.
        -1080..-1021 => fraction * power_of_two(exponent + 200) * power_of_two(-200),
        _ => 0.0,
    }
}

/// `2^exponent` for -1022 to 1023.
fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_prometheus() {
        // Places 1, 37, 100, 128, 213 and 255 of schema 8 in `exponentialBounds`.
        for (index, bound) in [
            (1, 0.501_355_637_525_101_3),
            (37, 0.552_685_722_850_870_6),
            (100, 0.655_480_605_762_382_2),
            (128, 0.707_106_781_186_547_5),
            (213, 0.890_095_013_257_712),
            (255, 0.997_296_056_085_469_8),
        ] {
            assert_eq!(exponential(8, index - 256), bound, "{index}");
        }
    }

    #[test]
    fn one_is_a_bound_of_every_schema_and_powers_of_two_are_exact() {
        for schema in -4..=8 {
            assert_eq!(exponential(schema, 0), 1.0, "{schema}");
        }
        assert_eq!([0, 1, 2, 8].map(|schema| exponential(schema, 1 << schema)), [2.0; 4]);
        assert_eq!([-1, -2, -4].map(|schema| exponential(schema, 1)), [4.0, 16.0, 65_536.0]);
        assert_eq!([exponential(0, -1), exponential(-2, -1)], [0.5, 0.0625]);
    }

    #[test]
    fn the_last_finite_bucket_ends_at_the_largest_float_and_infinity_lies_behind() {
        for schema in 0..=8 {
            let last = 1024 << schema;
            assert_eq!([exponential(schema, last), exponential(schema, last + 1)], [f64::MAX, f64::INFINITY]);
        }
        for schema in 1..=4 {
            let last = 1024 >> schema;
            assert_eq!(
                [exponential(-schema, last), exponential(-schema, last + 1)],
                [f64::MAX, f64::INFINITY]
            );
        }
        assert_eq!([exponential(8, i32::MAX), exponential(8, i32::MIN)], [f64::INFINITY, 0.0]);
    }

    #[test]
    fn subnormal_bounds_are_powers_of_two_down_to_the_smallest_float() {
        assert_eq!(exponential(0, -1022), f64::MIN_POSITIVE);
        assert_eq!(exponential(0, -1074), f64::from_bits(1));
        assert_eq!(exponential(0, -1100), 0.0);
        assert!(exponential(1, -2043) > exponential(1, -2044));
    }

    #[test]
    fn custom_buckets_are_open_at_both_ends() {
        let bounds = [1.0, 2.5];
        let seen = [-1, 0, 1, 2].map(|index| custom(&bounds, index));
        assert_eq!(seen, [f64::NEG_INFINITY, 1.0, 2.5, f64::INFINITY]);
    }
}
