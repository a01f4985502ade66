//! Literals: numbers, durations and strings, as Prometheus writes them.

/// The value of a number: decimal, hexadecimal (`0x1f`), octal with a leading zero (`017`), with
/// exponent, with `_` between digits. `None` when it is none or too large.
pub(super) fn number(text: &str) -> Option<f64> {
    let digits = without_underscores(text)?;
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return unsigned(hex, 16);
    }
    // Go's `ParseInt` with base 0, which Prometheus tries first, reads a leading zero as octal.
    if digits.len() > 1
        && digits.starts_with('0')
        && let Some(octal) = unsigned(&digits, 8)
    {
        return Some(octal);
    }
    if !digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    digits.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// How many bytes at the start of `text` are one number, by the rules of Prometheus' lexer; what is
/// one may still have no value. `None` where letters follow: it can only be a duration then.
pub(super) fn number_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is = |at: usize, set: &[u8]| bytes.get(at).is_some_and(|byte| set.contains(byte));
    let hexadecimal = is(0, b"0") && is(1, b"xX");
    let mut at = if hexadecimal { 2 + usize::from(is(2, b"_")) } else { 0 };
    let is_digit = |at: usize| {
        bytes.get(at).is_some_and(|b| if hexadecimal { b.is_ascii_hexdigit() } else { b.is_ascii_digit() })
    };
    at += usize::from(is(at, b"."));
    at += usize::from(is_digit(at));
    let (mut has_dot, mut has_exponent) = (false, false);
    loop {
        if is(at, b".") {
            if has_dot || hexadecimal || is(at + 1, b"_.") {
                return None;
            }
            has_dot = true;
            at += 1;
        } else if is(at, b"eE") {
            // Even in a hexadecimal number, where it is a digit only behind the second one.
            at += 1;
            at += usize::from(is(at, b"+-"));
            if has_exponent || at >= bytes.len() || is(at, b"._eE") {
                return None;
            }
            has_exponent = true;
        } else if is(at, b"_") {
            at += 1;
            if at >= bytes.len() || is(at, b"._eE") {
                return None;
            }
        } else if is_digit(at) {
            at += (at..).take_while(|at| is_digit(*at)).count();
        } else {
            let ends = bytes.get(at).is_none_or(|b| !b.is_ascii_alphanumeric());
            return (ends && at > 0).then_some(at);
        }
    }
}

/// The numbers that are written as a word, in any case.
pub(super) fn named_number(word: &str) -> Option<f64> {
    match word.to_ascii_lowercase().as_str() {
        "inf" => Some(f64::INFINITY),
        "nan" => Some(f64::NAN),
        _ => None,
    }
}

fn unsigned(digits: &str, radix: u32) -> Option<f64> {
    // `from_str_radix` would take a sign.
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok().map(|value| value as f64)
}

/// The text without its underscores, if each stands between two digits (or after `0x`).
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let hexadecimal = bytes.get(1).is_some_and(|b| matches!(b, b'x' | b'X'));
    for (at, _) in text.match_indices('_') {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let after = bytes.get(at + 1);
        let digit = |byte: Option<&u8>| {
            byte.is_some_and(|b| if hexadecimal { b.is_ascii_hexdigit() } else { b.is_ascii_digit() })
        };
        let prefix = at == 2 && before.is_some_and(|b| matches!(b, b'x' | b'X'));
        if !(digit(before) || prefix) || !digit(after) {
            return None;
        }
    }
    Some(text.replace('_', ""))
}

/// Milliseconds of each unit of a duration, in the only order they may stand in.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// The longest duration, as in Prometheus: 2^63 ns.
const MAX_DURATION_MS: i64 = i64::MAX / 1_000_000;

/// A duration (`1h30m`) in milliseconds: units from large to small, each at most once.
pub(super) fn duration_ms(text: &str) -> Result<i64, &'static str> {
    const FORM: &str =
        "a duration is written like 1h30m: units y, w, d, h, m, s, ms in this order, each at most once";
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total = 0i64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (count, tail) = rest.split_at(digits);
        let unit = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(unit);
        let (_, unit_ms) = units.find(|(name, _)| *name == unit).ok_or(FORM)?;
        if count.is_empty() {
            return Err(FORM);
        }
        let part = count.parse::<i64>().ok().and_then(|count| count.checked_mul(*unit_ms));
        total = part
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= MAX_DURATION_MS)
            .ok_or("the duration is out of range")?;
        rest = tail;
    }
    if text.is_empty() { Err(FORM) } else { Ok(total) }
}

/// A plain number taken as a duration in seconds, in milliseconds; what is finer is cut off.
pub(super) fn seconds_as_ms(seconds: f64) -> Result<i64, &'static str> {
    let nanoseconds = (seconds * 1e9).round();
    if nanoseconds.is_nan() || nanoseconds.abs() > i64::MAX as f64 {
        return Err("the duration is out of range");
    }
    Ok(nanoseconds as i64 / 1_000_000)
}

/// A duration as the number it is in an expression: seconds.
pub(super) fn ms_as_seconds(ms: i64) -> f64 {
    // Whole seconds and the rest apart, as Go's `Duration.Seconds` does: the last bit depends on it.
    (ms / 1000) as f64 + ((ms % 1000) * 1_000_000) as f64 / 1e9
}

/// Undoes the escapes of Go's quoted strings; `text` is what stands between the quotes.
///
/// # Errors
/// The byte offset of the escape that is wrong, and what is wrong with it.
pub(super) fn unescape(text: &str, quote: char) -> Result<String, (usize, &'static str)> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let offset = text.len() - rest.len() + at;
        let escape = &rest[at + 1..];
        let used = unescape_one(escape, quote, &mut bytes).map_err(|problem| (offset, problem))?;
        rest = &escape[used..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_err(|_| (0, "the string is not valid UTF-8"))
}

/// Decodes what follows a backslash into `bytes`; says how many bytes of text it took.
fn unescape_one(text: &str, quote: char, bytes: &mut Vec<u8>) -> Result<usize, &'static str> {
    let kind = text.chars().next().ok_or("the escape sequence is not finished")?;
    let simple = match kind {
        'a' => Some(0x07),
        'b' => Some(0x08),
        'f' => Some(0x0c),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(0x0b),
        '\\' => Some(b'\\'),
        '\'' | '"' if kind == quote => Some(kind as u8),
        _ => None,
    };
    if let Some(byte) = simple {
        bytes.push(byte);
        return Ok(1);
    }
    let (start, length, radix) = match kind {
        '0'..='7' => (0, 3, 8),
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        _ => return Err("unknown escape sequence"),
    };
    const DIGITS: &str = "the escape sequence has a wrong digit or too few of them";
    let digits = text.get(start..start + length).ok_or(DIGITS)?;
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(DIGITS);
    }
    let value = u32::from_str_radix(digits, radix).map_err(|_| DIGITS)?;
    if matches!(kind, 'u' | 'U') {
        let c = char::from_u32(value).ok_or("the escape sequence is not a Unicode character")?;
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        bytes.push(u8::try_from(value).map_err(|_| "the escape sequence is larger than a byte")?);
    }
    Ok(start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_prometheus() {
        let valid = [
            ("1", 1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("1e3", 1000.0),
            ("1e-3", 0.001),
            ("0x1F", 31.0),
            ("0x_1f", 31.0),
            ("017", 15.0),
            ("019", 19.0),
            ("1_000", 1000.0),
            ("0.5", 0.5),
        ];
        for (text, value) in valid {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in [
            "", ".", "1e", "0x", "1_", "_1", "1__0", "1_e3", "1e_3", "1e999", "1.2.3", "0xg", "infinity",
            "nan",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn durations_have_their_units_once_and_in_order() {
        assert_eq!(duration_ms("1h30m"), Ok(5_400_000));
        assert_eq!(duration_ms("1y2w3d4h5m6s7ms"), Ok(33_019_506_007));
        assert_eq!(duration_ms("0s"), Ok(0));
        for text in ["", "5", "m", "5m5m", "30m1h", "5x", "1.5h", "5ms1s"] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
        assert_eq!(duration_ms("300y"), Err("the duration is out of range"));
        assert_eq!(duration_ms("99999999999999999999s"), Err("the duration is out of range"));
    }

    #[test]
    fn plain_numbers_are_seconds() {
        assert_eq!(seconds_as_ms(0.3), Ok(300));
        assert_eq!(seconds_as_ms(-60.0), Ok(-60_000));
        assert_eq!(seconds_as_ms(0.0015), Ok(1));
        assert!(seconds_as_ms(1e18).is_err());
        assert!(seconds_as_ms(f64::NAN).is_err());
    }

    #[test]
    fn strings_have_the_escapes_of_go() {
        assert_eq!(unescape(r#"a\n\t\\\"b"#, '"').unwrap(), "a\n\t\\\"b");
        assert_eq!(unescape(r"\x41\101\u00e4\U0001F525", '"').unwrap(), "AAä🔥");
        assert_eq!(unescape(r"ok\'", '"'), Err((2, "unknown escape sequence")));
        for text in [r"\", r"\x4", r"\xzz", r"\+12", r"\u+123", r"\ud800", r"\777", r"\xff"] {
            assert!(unescape(text, '"').is_err(), "{text}");
        }
    }
}
