//! Function calls: which function, and whether its arguments fit.

use super::{
    Checker, Range, Typed, elementwise,
    function::{Function, lookup},
    invalid_pattern, unwrapped,
};
use crate::{
    promql::{
        ast::{Kind, Name, Node},
        error::{Fault, Span},
        leaf::Read,
        lex::quoted,
        range::RangeFunction,
        tree::{Elementwise, Relabel, Scalar, Vector},
    },
    series::{LabelMatcher, LabelSet, METRIC_NAME, MatchOp},
};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};

impl Checker {
    pub(super) fn call(&mut self, name: &Name, args: &[Node], span: Span) -> Result<Typed, Fault> {
        let Some(function) = lookup(&name.text) else {
            return Err(Fault::new(name.span, format!("unknown function {}", quoted(&name.text))));
        };
        let role = &format!("as argument of {}", name.text);
        match (function, args) {
            (Function::Unsupported(instead), _) => {
                let message = format!("function {:?} is not supported", name.text);
                Err(Fault::new(name.span, message).hint(instead))
            }
            (Function::Time, []) => Ok(Typed::Scalar(Scalar::Time)),
            (Function::Pi, []) => Ok(Typed::Scalar(Scalar::Number(std::f64::consts::PI))),
            (Function::Scalar, [of]) => Ok(Typed::Scalar(Scalar::OfVector(self.boxed_vector(of, role)?))),
            (Function::Plain(function), [of]) => {
                Ok(elementwise(Elementwise::Plain(function), self.vector(of, role)?))
            }
            (Function::OfHistogram(function), [of]) => {
                Ok(elementwise(Elementwise::OfHistogram(function), self.vector(of, role)?))
            }
            (Function::Clamp, [of, min, max]) => self.clamp(of, Some(min), Some(max), role),
            (Function::ClampMin, [of, min]) => self.clamp(of, Some(min), None, role),
            (Function::ClampMax, [of, max]) => self.clamp(of, None, Some(max), role),
            (Function::Round, [of]) => self.round(of, None, role),
            (Function::Round, [of, to_nearest]) => self.round(of, Some(to_nearest), role),
            (Function::Calendar(function), []) => {
                Ok(elementwise(Elementwise::Plain(function), Vector::OfScalar(Scalar::Time)))
            }
            (Function::Calendar(function), [of]) => {
                Ok(elementwise(Elementwise::Plain(function), self.vector(of, role)?))
            }
            (Function::Timestamp, [of]) => self.timestamp(of, role),
            (function, args) => match self.vector_call(function, args, role)? {
                Some(vector) => Ok(Typed::Vector(vector)),
                None => {
                    let (wanted, given) = (function.arguments(), args.len());
                    Err(Fault::new(span, format!("{} takes {wanted}, {given} given", name.text)))
                }
            },
        }
    }

    /// The calls that make a vector of more than the values of one; `None` for a wrong number of arguments.
    fn vector_call(
        &mut self,
        function: Function,
        args: &[Node],
        role: &str,
    ) -> Result<Option<Vector>, Fault> {
        Ok(Some(match (function, args) {
            (Function::Range(function), [range]) => {
                let range = self.range(range, role)?;
                let at = range.at();
                self.over_range(function, Vec::new(), range, at)
            }
            (Function::QuantileOverTime, [q, range]) => {
                // All remarks are about the first argument.
                let at = unwrapped(q).span.start;
                let (q, range) = (self.scalar(q, role)?, self.range(range, role)?);
                self.over_range(RangeFunction::QuantileOverTime, vec![q], range, at)
            }
            (Function::PredictLinear, [range, ahead]) => {
                let (range, ahead) = (self.range(range, role)?, self.scalar(ahead, role)?);
                let at = range.at();
                self.over_range(RangeFunction::PredictLinear, vec![ahead], range, at)
            }
            (Function::DoubleExponentialSmoothing, [range, smoothing, trend]) => {
                let range = self.range(range, role)?;
                let factors = vec![self.scalar(smoothing, role)?, self.scalar(trend, role)?];
                let at = range.at();
                self.over_range(RangeFunction::DoubleExponentialSmoothing, factors, range, at)
            }
            (Function::AbsentOverTime, [range]) => {
                let range = self.range(range, role)?;
                let labels = match &range {
                    Range::Selector { matchers, .. } => labels_of_absent(matchers),
                    Range::Subquery { .. } => LabelSet::empty(),
                };
                // Which keeps names, so that no two series become one.
                let at = range.at();
                let of = self.over_range(RangeFunction::LastOverTime, Vec::new(), range, at);
                Vector::Absent { labels, of: Box::new(of) }
            }
            (Function::Absent, [of]) => {
                let vector = self.vector(of, role)?;
                let labels = match (&unwrapped(of).kind, &vector) {
                    (Kind::Selector(_), Vector::Leaf { number, .. }) => {
                        labels_of_absent(&self.leaves[*number].matchers)
                    }
                    _ => LabelSet::empty(),
                };
                Vector::Absent { labels, of: Box::new(vector) }
            }
            (Function::Sort, [of]) => Vector::Floats(self.boxed_vector(of, role)?),
            (Function::SortByLabel, [of, labels @ ..]) => {
                for label in labels {
                    self.text(label, role)?;
                }
                self.vector(of, role)?
            }
            (Function::Vector, [of]) => Vector::OfScalar(self.scalar(of, role)?),
            (Function::HistogramQuantile, [q, of]) => {
                let at = [q, of].map(|node| unwrapped(node).span.start);
                Vector::HistogramQuantile { q: self.scalar(q, role)?, of: self.boxed_vector(of, role)?, at }
            }
            (Function::HistogramFraction, [lower, upper, of]) => {
                let at = [lower, of].map(|node| unwrapped(node).span.start);
                let (lower, upper) = (self.scalar(lower, role)?, self.scalar(upper, role)?);
                Vector::HistogramFraction { lower, upper, of: self.boxed_vector(of, role)?, at }
            }
            (Function::LabelReplace, [of, target, template, source, pattern]) => {
                let of = self.boxed_vector(of, role)?;
                let how = Relabel::Replace {
                    target: self.label_name(target, role)?,
                    template: self.text(template, role)?,
                    source: self.text(source, role)?,
                    pattern: self.pattern(pattern, role)?,
                };
                Vector::Relabel { how, of }
            }
            (Function::LabelJoin, [of, target, separator, sources @ ..]) => {
                let of = self.boxed_vector(of, role)?;
                let how = Relabel::Join {
                    target: self.label_name(target, role)?,
                    separator: self.text(separator, role)?,
                    sources: sources
                        .iter()
                        .map(|node| self.label_name(node, role))
                        .collect::<Result<_, _>>()?,
                };
                Vector::Relabel { how, of }
            }
            _ => return Ok(None),
        }))
    }

    /// Of a selector itself the times of its samples, of anything else the step.
    fn timestamp(&mut self, of: &Node, role: &str) -> Result<Typed, Fault> {
        let inner = unwrapped(of);
        if let Kind::Selector(selector) = &inner.kind
            && selector.range_ms.is_none()
        {
            let matchers = super::matchers(selector, inner.span)?.into();
            let number = self.leaf(matchers, Read::NewestTime, selector.moment, inner.span);
            let leaf = Vector::Leaf { number, at: inner.span.start };
            return Ok(elementwise(Elementwise::Plain(|seconds| seconds), leaf));
        }
        Ok(elementwise(Elementwise::StepTime, self.vector(of, role)?))
    }

    fn clamp(
        &mut self,
        of: &Node,
        min: Option<&Node>,
        max: Option<&Node>,
        role: &str,
    ) -> Result<Typed, Fault> {
        let of = self.vector(of, role)?;
        let min = self.scalar_or(f64::NEG_INFINITY, min, role)?;
        let max = self.scalar_or(f64::INFINITY, max, role)?;
        Ok(elementwise(Elementwise::Clamp { min, max }, of))
    }

    fn round(&mut self, of: &Node, to_nearest: Option<&Node>, role: &str) -> Result<Typed, Fault> {
        let of = self.vector(of, role)?;
        let to_nearest = self.scalar_or(1.0, to_nearest, role)?;
        Ok(elementwise(Elementwise::Round { to_nearest }, of))
    }

    fn label_name(&mut self, node: &Node, role: &str) -> Result<String, Fault> {
        let name = self.text(node, role)?;
        if name.is_empty() {
            self.note_fault_of_evaluation(Fault::new(node.span, "a label needs a name"));
        }
        Ok(name)
    }

    /// A pattern that must match the whole text, line breaks included; one that stands for it where it is invalid.
    fn pattern(&mut self, node: &Node, role: &str) -> Result<Regex, Fault> {
        let pattern = self.text(node, role)?;
        // Checked by itself first: `)(` would be a pattern between the brackets of the anchors.
        let compiled = Regex::new(&pattern).and_then(|_| Regex::new(&format!("^(?s:{pattern})$")));
        compiled.or_else(|error| {
            let invalid = invalid_pattern(node.span, &pattern, &error.to_string());
            self.note_fault_of_evaluation(invalid.clone());
            Regex::new("").map_err(|_| invalid)
        })
    }
}

/// The labels that a missing series would have: those that one matcher alone pins to a value.
fn labels_of_absent(matchers: &[LabelMatcher]) -> LabelSet {
    let mut pinned: BTreeMap<&str, &str> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME) {
        if matcher.op() == MatchOp::Equal && seen.insert(matcher.name()) {
            pinned.insert(matcher.name(), matcher.value());
        } else {
            pinned.remove(matcher.name());
        }
    }
    LabelSet::from_pairs(pinned).unwrap_or_default()
}
