//! Label matchers: `=`, `!=`, `=~`, `!~`.

use super::LabelSet;
use regex::Regex;
use std::fmt;

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Regex,
    /// `!~`, anchored at both ends
    NotRegex,
}

impl MatchOp {
    /// The operator as PromQL writes it.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// A regular expression that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("invalid regular expression {pattern:?} for label {name:?}: {reason}")]
pub struct InvalidMatcher {
    /// The label it was meant for.
    pub name: String,
    /// The pattern.
    pub pattern: String,
    /// The regex engine's words.
    pub reason: String,
}

/// One condition on one label. An absent label has the empty value, as in Prometheus.
#[derive(Clone, Debug)]
pub struct LabelMatcher {
    name: String,
    op: MatchOp,
    value: String,
    regex: Option<Regex>,
}

impl LabelMatcher {
    /// A checked matcher; regular expressions are anchored at both ends and `.` matches newlines, as in Prometheus.
    ///
    /// # Errors
    /// When the pattern of a regex matcher does not compile.
    pub fn new(
        name: impl Into<String>,
        op: MatchOp,
        value: impl Into<String>,
    ) -> Result<Self, InvalidMatcher> {
        let (name, value) = (name.into(), value.into());
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => {
                // Checked alone first: `a)|(b` would only hold inside the parentheses added here.
                let checked = Regex::new(&value).and_then(|_| Regex::new(&format!("^(?s:{value})$")));
                Some(checked.map_err(|error| InvalidMatcher {
                    name: name.clone(),
                    pattern: value.clone(),
                    reason: error.to_string(),
                })?)
            }
        };
        Ok(Self { name, op, value, regex })
    }

    /// The label it looks at.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    #[must_use]
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// What it compares with: a value or a pattern.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a label value (empty when absent) satisfies the matcher.
    #[must_use]
    pub fn matches_value(&self, value: &str) -> bool {
        match (self.op, &self.regex) {
            (MatchOp::Equal, _) => value == self.value,
            (MatchOp::NotEqual, _) => value != self.value,
            (MatchOp::Regex, Some(regex)) => regex.is_match(value),
            (MatchOp::NotRegex, Some(regex)) => !regex.is_match(value),
            // `new` compiles a regex for both regex operators.
            (MatchOp::Regex | MatchOp::NotRegex, None) => false,
        }
    }

    /// Whether the label set satisfies the matcher.
    #[must_use]
    pub fn matches(&self, labels: &LabelSet) -> bool {
        self.matches_value(labels.get(&self.name).unwrap_or(""))
    }
}

/// Same label, operator and value; the compiled regex follows from them.
impl PartialEq for LabelMatcher {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.op == other.op && self.value == other.value
    }
}

impl Eq for LabelMatcher {}

impl fmt::Display for LabelMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.op.symbol(), self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regexes_are_anchored_and_absent_is_empty() {
        let labels = LabelSet::from_pairs([("mode", "idle")]).unwrap();
        let matches = |op, value: &str| LabelMatcher::new("mode", op, value).unwrap().matches(&labels);
        assert!(matches(MatchOp::Regex, "idle|user"));
        assert!(!matches(MatchOp::Regex, "idl"));
        assert!(matches(MatchOp::NotRegex, "idl"));
        assert!(LabelMatcher::new("absent", MatchOp::Equal, "").unwrap().matches(&labels));
        assert!(LabelMatcher::new("absent", MatchOp::NotRegex, ".+").unwrap().matches(&labels));
    }

    #[test]
    fn a_broken_pattern_says_so() {
        assert!(LabelMatcher::new("a", MatchOp::Regex, "x)|(y").is_err(), "only valid when wrapped");
        let error = LabelMatcher::new("a", MatchOp::Regex, "(").unwrap_err();
        assert!(error.to_string().contains(r#""(" for label "a""#), "{error}");
    }
}
