//! Texts that are not expressions but parts of one: selectors and durations by themselves.

use super::{
    ast::{Kind, Node},
    error::{Fault, ParseError},
    literal, parse,
};
use crate::series::{LabelMatcher, METRIC_NAME, MatchOp};

/// The matchers of a selector that stands alone, such as `up{job="node"}`. Unlike in an expression they
/// may all be satisfied by the empty value.
///
/// # Errors
/// With the place of the mistake.
pub fn parse_selector(text: &str) -> Result<Vec<LabelMatcher>, ParseError> {
    let expr = parse(text)?;
    matchers(&expr.root).map_err(|fault| fault.in_text(text))
}

/// A duration such as `1h30m` in milliseconds; `None` when it is none.
#[must_use]
pub fn parse_duration_ms(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    literal::duration_ms(text).ok().filter(|_| !text.is_empty())
}

fn matchers(root: &Node) -> Result<Vec<LabelMatcher>, Fault> {
    let selector = match &root.kind {
        Kind::Selector(selector) if selector.range_ms.is_none() && selector.offset_ms.is_none() => selector,
        _ => return Err(Fault::new(root.span, "expected a series selector alone")),
    };
    let name = selector.metric.iter().map(|name| (METRIC_NAME, MatchOp::Equal, name.as_str(), root.span));
    let others = selector.matchers.iter().map(|m| (m.name.as_str(), m.op, m.value.as_str(), m.span));
    let compile = |(name, op, value, span)| {
        LabelMatcher::new(name, op, value).map_err(|invalid| Fault::new(span, invalid.to_string()))
    };
    name.chain(others).map(compile).collect()
}
