//! Numbers for people.

/// Four digits, whatever the size.
pub(in crate::cli) fn short(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let digits = if magnitude >= 1.0 { 3 - (magnitude.log10().floor() as i32).clamp(0, 3) } else { 4 };
        let text = format!("{value:.*}", digits as usize);
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{value:.3e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (0.123_456, "0.1235"),
            (1.0, "1"),
            (12.345_6, "12.35"),
            (1_234.56, "1235"),
            (123_456.7, "123457"),
            (-2.5, "-2.5"),
            (1.5e9, "1.500e9"),
            (2e-5, "2.000e-5"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
