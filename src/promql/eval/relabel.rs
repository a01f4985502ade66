//! `label_replace` and `label_join`.

use super::EvalError;
use crate::{
    promql::{matrix::Matrix, tree::Relabel},
    series::LabelSet,
};
use regex::Captures;

/// The same points under other labels.
pub(super) fn relabelled(how: &Relabel, of: &Matrix) -> Result<Matrix, EvalError> {
    let mut relabelled = Matrix::with_capacity(of.steps(), of.row_count());
    for (labels, cells) in of.rows() {
        relabelled.push(relabel(how, labels), cells.iter().cloned());
    }
    relabelled.distinct()
}

fn relabel(how: &Relabel, labels: &LabelSet) -> LabelSet {
    match how {
        Relabel::Replace { target, template, source, pattern } => {
            match pattern.captures(labels.get(source).unwrap_or("")) {
                Some(captures) => labels.with(target, &expanded(template, &captures)),
                None => labels.clone(),
            }
        }
        Relabel::Join { target, separator, sources } => {
            let values: Vec<&str> = sources.iter().map(|name| labels.get(name).unwrap_or("")).collect();
            labels.with(target, &values.join(separator))
        }
    }
}

/// The template with its `$1`, `${1}`, `$name` and `${name}` filled in, as Go does: a name is as long
/// as it can be, `$$` is a dollar sign, and a dollar sign before anything else stays.
fn expanded(template: &str, captures: &Captures<'_>) -> String {
    let mut expanded = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = behind;
        } else if let Some((name, behind)) = reference(rest) {
            expanded.push_str(captured(name, captures));
            rest = behind;
        } else {
            expanded.push('$');
        }
    }
    expanded + rest
}

/// The name at the start of `text`, in braces or without, and what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let braced = text.strip_prefix('{');
    let inner = braced.unwrap_or(text);
    let end = inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, behind) = inner.split_at(end);
    if name.is_empty() {
        return None;
    }
    if braced.is_some() { Some((name, behind.strip_prefix('}')?)) } else { Some((name, behind)) }
}

fn captured<'c>(name: &str, captures: &'c Captures<'_>) -> &'c str {
    let numbered = name.bytes().all(|b| b.is_ascii_digit());
    let found = if numbered {
        // A number with a leading zero names nothing.
        let number = if name.len() > 1 && name.starts_with('0') { None } else { name.parse().ok() };
        number.and_then(|number: usize| captures.get(number))
    } else {
        captures.name(name)
    };
    found.map_or("", |group| group.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    #[test]
    fn templates_are_expanded_as_in_go() {
        let pattern = Regex::new("^(?P<first>a+)(b+)$").unwrap();
        let captures = pattern.captures("aabbb").unwrap();
        for (template, expected) in [
            ("$1-$2", "aa-bbb"),
            ("${1}x", "aax"),
            ("$1x", ""),
            ("$first.", "aa."),
            ("${first}$$", "aa$"),
            ("$0", "aabbb"),
            ("$3|$01|$99999999999999999999", "||"),
            ("$ ${ ${-} $", "$ ${ ${-} $"),
        ] {
            assert_eq!(expanded(template, &captures), expected, "{template}");
        }
    }
}
