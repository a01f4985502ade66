//! Names in the `U__` escaping, by which clients put UTF-8 names into paths.
//!
//! `U__` announces it; `__` stands for `_`, and `_<hex>_` for a character
//! (prometheus/common: `model/metric.go`, "ValueEncodingEscaping").

/// Most hexadecimal digits of a character.
const MAX_DIGITS: usize = 6;

/// The name that `escaped` stands for; a name that is not escaped, or wrongly, stands for itself.
pub(super) fn unescaped(escaped: &str) -> String {
    escaped.strip_prefix("U__").and_then(decode).unwrap_or_else(|| escaped.to_owned())
}

fn decode(escaped: &str) -> Option<String> {
    let mut name = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, after)) = rest.split_once('_') {
        name.push_str(plain);
        let (code, after) = after.split_once('_')?;
        rest = after;
        if code.is_empty() {
            name.push('_');
        } else if code.len() <= MAX_DIGITS && code.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            name.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        } else {
            return None;
        }
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escaped_names_are_read_and_others_left_alone() {
        for (escaped, name) in [
            ("instance", "instance"),
            ("U__http_2e_status", "http.status"),
            ("U__snake__case", "snake_case"),
            ("U___1f600_x", "😀x"),
            ("U__", ""),
            ("U__open_2e", "U__open_2e"),
            ("U__bad_zz_", "U__bad_zz_"),
            ("U__end_", "U__end_"),
            ("U___d800_", "U___d800_"),
            ("U___0000041_", "U___0000041_"),
        ] {
            assert_eq!(unescaped(escaped), name, "{escaped}");
        }
    }

    proptest! {
        /// For all names, escaping every character that is not a letter or digit is undone.
        #[test]
        fn escaping_is_undone(name in "\\PC{0,20}") {
            let escape = |c: char| match c {
                '_' => "__".to_owned(),
                c if c.is_ascii_alphanumeric() => c.to_string(),
                c => format!("_{:x}_", u32::from(c)),
            };
            let escaped: String = name.chars().map(escape).collect();
            prop_assert_eq!(unescaped(&format!("U__{escaped}")), name);
        }
    }
}
