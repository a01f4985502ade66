//! Numbers as Go reads and writes them.

use crate::promql::shortest;
use std::fmt::Write as _;

/// Reads a number as Go's `strconv.ParseFloat` does, but for hexadecimal ones: what is too large for a
/// float is no number.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    let too_large = number.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
    (!too_large).then_some(number)
}

/// Appends `value` as Prometheus writes sample values: the shortest text that reads back, with an exponent
/// below 1e-6 and from 1e21 on.
pub(super) fn push_value(out: &mut String, value: f64) {
    let size = value.abs();
    if value.is_finite() && size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        // Go writes at least two digits. Writing to a string does not fail.
        let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
    } else {
        out.push_str(&shortest(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(value: f64) -> String {
        let mut out = String::new();
        push_value(&mut out, value);
        out
    }

    /// Worked out with Go's `strconv.FormatFloat`, format `f` or `e`, precision -1.
    #[test]
    fn values_are_written_as_go_writes_them() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (-1234.5, "-1234.5"),
            (1e-6, "0.000001"),
            (1e-7, "1e-07"),
            (-1.25e-7, "-1.25e-07"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            // In the middle between two texts of three decimals: the even one.
            (140_737_488_355_334.5 / 8.0, "17592186044416.812"),
        ] {
            assert_eq!(value(number), text);
        }
        assert_eq!(shortest(1e21), "1000000000000000000000");
    }

    #[test]
    fn what_overflows_is_no_number() {
        assert_eq!(parse_float("1e400"), None);
        assert_eq!(parse_float("inf"), Some(f64::INFINITY));
        assert_eq!(parse_float("1e3"), Some(1000.0));
        assert_eq!(parse_float(""), None);
        assert_eq!(parse_float(" 1"), None);
    }

    proptest! {
        /// For all floats, what is written reads back as the same number.
        #[test]
        fn written_values_are_read_back(number in any::<f64>()) {
            let read = parse_float(&value(number)).unwrap();
            prop_assert!(read.to_bits() == number.to_bits() || (read.is_nan() && number.is_nan()));
        }
    }
}
