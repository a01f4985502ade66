//! From the tree as written to a checked one: types, names, numbers of arguments; constants folded.

mod aggregate;

mod binary;

mod call;

mod function;

use super::{
    ast::{self, Kind, Moment, Name, Node, Selector},
    error::{Fault, Span},
    leaf::{Leaf, Read, SubqueryRange},
    lex::quoted,
    range::RangeFunction,
    tree::{Elementwise, Order, RangeVector, Root, Scalar, Tree, Vector},
};
use crate::series::{LabelMatcher, METRIC_NAME, MatchOp};
use std::sync::Arc;

/// The step of a subquery that names none: Prometheus' default evaluation interval.
const DEFAULT_SUBQUERY_STEP_MS: i64 = 60_000;

/// Checks a whole expression.
pub(super) fn check(root: &Node) -> Result<Tree, Fault> {
    let mut checker = Checker::default();
    let checked = match checker.node(root)? {
        Typed::Scalar(scalar) => Root::Scalar(scalar),
        Typed::Vector(vector) => Root::Vector(vector),
        Typed::Range(range) => Root::Range(checker.range_vector(range)),
        Typed::Text(text) => Root::Text(text),
    };
    let Checker { leaves, leaf_spans, subqueries, fault_of_evaluation, .. } = checker;
    if let Some(fault) = fault_of_evaluation {
        return Err(fault);
    }
    Ok(Tree { root: checked, root_span: root.span, order: order(root), leaves, leaf_spans, subqueries })
}

/// The matchers of a selector that stands alone: `up{job="node"}`.
pub(super) fn check_matchers(root: &Node) -> Result<Vec<LabelMatcher>, Fault> {
    match &root.kind {
        Kind::Selector(selector) if selector.range_ms.is_none() && selector.moment == Moment::default() => {
            matchers(selector, root.span)
        }
        _ => Err(Fault::new(root.span, "expected a series selector alone")
            .hint("write for example up{job=\"node\"}")),
    }
}

/// A checked part of each of PromQL's types.
enum Typed {
    Scalar(Scalar),
    Vector(Vector),
    Range(Range),
    Text(String),
}

// === impl Range ===

impl Range {
    /// Where remarks about a function of it say that it stands; a subquery loses its place in Prometheus.
    fn at(&self) -> usize {
        match self {
            Self::Selector { span, .. } => span.start,
            Self::Subquery { .. } => 0,
        }
    }
}

/// A range vector before it is known which function reads it.
enum Range {
    Selector { matchers: Arc<[LabelMatcher]>, range_ms: i64, moment: Moment, span: Span },
    Subquery { of: Box<Vector>, range: SubqueryRange },
}

#[derive(Default)]
struct Checker {
    leaves: Vec<Leaf>,
    leaf_spans: Vec<Span>,
    /// The subqueries around the present place, the outermost first.
    around: Vec<SubqueryRange>,
    subqueries: Vec<(Span, Vec<SubqueryRange>)>,
    /// The first of its kind: what is wrong in another way goes before.
    fault_of_evaluation: Option<Fault>,
}

impl Checker {
    fn note_fault_of_evaluation(&mut self, fault: Fault) {
        self.fault_of_evaluation.get_or_insert(fault.of_evaluation());
    }

    fn node(&mut self, node: &Node) -> Result<Typed, Fault> {
        match &node.kind {
            Kind::Number(value) => Ok(Typed::Scalar(Scalar::Number(*value))),
            Kind::Text(text) => Ok(Typed::Text(text.clone())),
            Kind::Paren(inner) => self.node(inner),
            Kind::Selector(selector) => self.selector(selector, node.span),
            Kind::Subquery(subquery) => self.subquery(subquery, node.span),
            Kind::Plus(inner) => self.signed(inner),
            Kind::Minus(inner) => Ok(match self.signed(inner)? {
                Typed::Scalar(Scalar::Number(value)) => Typed::Scalar(Scalar::Number(-value)),
                Typed::Scalar(scalar) => Typed::Scalar(Scalar::Minus(Box::new(scalar))),
                Typed::Vector(of) => elementwise(Elementwise::Minus, of),
                other => other,
            }),
            Kind::Binary(binary) => self.binary(binary),
            Kind::Call { name, args } => self.call(name, args, node.span),
            Kind::Aggregate { op, grouping, args } => self.aggregate(op, grouping, args, node.span),
        }
    }

    /// The operand of a sign: a scalar or an instant vector.
    fn signed(&mut self, node: &Node) -> Result<Typed, Fault> {
        match self.node(node)? {
            typed @ (Typed::Scalar(_) | Typed::Vector(_)) => Ok(typed),
            other => Err(expected("a scalar or an instant vector behind the sign", &other, node.span)),
        }
    }

    fn vector(&mut self, node: &Node, role: &str) -> Result<Vector, Fault> {
        match self.node(node)? {
            Typed::Vector(vector) => Ok(vector),
            other => Err(expected(&format!("an instant vector {role}"), &other, node.span)),
        }
    }

    fn boxed_vector(&mut self, node: &Node, role: &str) -> Result<Box<Vector>, Fault> {
        self.vector(node, role).map(Box::new)
    }

    fn scalar(&mut self, node: &Node, role: &str) -> Result<Scalar, Fault> {
        match self.node(node)? {
            Typed::Scalar(scalar) => Ok(scalar),
            other => Err(expected(&format!("a scalar {role}"), &other, node.span)),
        }
    }

    /// An argument that may be left out.
    fn scalar_or(&mut self, default: f64, node: Option<&Node>, role: &str) -> Result<Scalar, Fault> {
        node.map_or(Ok(Scalar::Number(default)), |node| self.scalar(node, role))
    }

    fn text(&mut self, node: &Node, role: &str) -> Result<String, Fault> {
        match self.node(node)? {
            Typed::Text(text) => Ok(text),
            other => Err(expected(&format!("a string {role}"), &other, node.span)),
        }
    }

    fn range(&mut self, node: &Node, role: &str) -> Result<Range, Fault> {
        match self.node(node)? {
            Typed::Range(range) => Ok(range),
            other => Err(expected(&format!("a range vector {role}"), &other, node.span)
                .hint("write a selector with a range, for example a[5m]")),
        }
    }

    fn subquery(&mut self, subquery: &ast::Subquery, span: Span) -> Result<Typed, Fault> {
        let range = SubqueryRange {
            range_ms: subquery.range_ms,
            step_ms: subquery.step_ms.unwrap_or(DEFAULT_SUBQUERY_STEP_MS),
            moment: subquery.moment,
        };
        self.around.push(range);
        self.subqueries.push((span, self.around.clone()));
        let of = self.boxed_vector(&subquery.inner, "inside a subquery")?;
        self.around.pop();
        Ok(Typed::Range(Range::Subquery { of, range }))
    }

    fn selector(&mut self, selector: &Selector, span: Span) -> Result<Typed, Fault> {
        let matchers: Arc<[LabelMatcher]> = matchers(selector, span)?.into();
        let moment = selector.moment;
        Ok(match selector.range_ms {
            Some(range_ms) => Typed::Range(Range::Selector { matchers, range_ms, moment, span }),
            None => {
                let number = self.leaf(matchers, Read::Newest, moment, span);
                Typed::Vector(Vector::Leaf { number, at: span.start })
            }
        })
    }

    /// A range function of constants is a leaf where its samples come from a selector. Remarks about it are said to
    /// be `at` that place.
    fn over_range(
        &mut self,
        function: RangeFunction,
        arguments: Vec<Scalar>,
        range: Range,
        at: usize,
    ) -> Vector {
        if let Range::Selector { matchers, range_ms, moment, span } = &range
            && let Some(constants) = constants(&arguments)
        {
            let read = Read::Range { range_ms: *range_ms, function, arguments: constants };
            return Vector::Leaf { number: self.leaf(Arc::clone(matchers), read, *moment, *span), at };
        }
        Vector::OverRange { function, arguments, of: self.range_vector(range), at }
    }

    fn range_vector(&mut self, range: Range) -> RangeVector {
        match range {
            Range::Selector { matchers, range_ms, moment, span } => {
                RangeVector::Samples(self.leaf(matchers, Read::Samples { range_ms }, moment, span))
            }
            Range::Subquery { of, range } => RangeVector::Subquery { of, range },
        }
    }

    /// The number of a leaf; equal leaves are one.
    fn leaf(&mut self, matchers: Arc<[LabelMatcher]>, read: Read, moment: Moment, span: Span) -> usize {
        let leaf = Leaf { matchers, read, moment, subqueries: self.around.clone() };
        let known = self.leaves.iter().position(|other| *other == leaf);
        known.unwrap_or_else(|| {
            self.leaves.push(leaf);
            self.leaf_spans.push(span);
            self.leaves.len() - 1
        })
    }
}

/// Scalar arguments that are known beforehand; there are at most two.
fn constants(arguments: &[Scalar]) -> Option<[f64; 2]> {
    let mut constants = [0.0; 2];
    for (constant, argument) in constants.iter_mut().zip(arguments) {
        let Scalar::Number(value) = argument else { return None };
        *constant = *value;
    }
    Some(constants)
}

fn matchers(selector: &Selector, span: Span) -> Result<Vec<LabelMatcher>, Fault> {
    let mut matchers = Vec::with_capacity(selector.matchers.len() + 1);
    if let Some(metric) = &selector.metric {
        matchers.push(compile(METRIC_NAME, MatchOp::Equal, metric, span)?);
    }
    for matcher in &selector.matchers {
        matchers.push(compile(&matcher.name, matcher.op, &matcher.value, matcher.span)?);
    }
    if matchers.iter().all(|matcher| matcher.matches_value("")) {
        return Err(Fault::new(span, "the selector matches series that have none of its labels")
            .hint("add a metric name, or a matcher that an empty value does not satisfy"));
    }
    Ok(matchers)
}

fn compile(name: &str, op: MatchOp, value: &str, span: Span) -> Result<LabelMatcher, Fault> {
    LabelMatcher::new(name, op, value)
        .map_err(|invalid| invalid_pattern(span, value, &invalid.reason.to_string()))
}

fn invalid_pattern(span: Span, pattern: &str, reason: &str) -> Fault {
    // The engine draws the pattern over several lines; the last says what is wrong.
    let reason = reason.lines().last().unwrap_or("").trim_start_matches("error: ");
    Fault::new(span, format!("invalid regular expression {}: {reason}", quoted(pattern)))
}

fn elementwise(function: Elementwise, of: Vector) -> Typed {
    Typed::Vector(Vector::Elementwise { function, of: Box::new(of) })
}

/// The order in which the outermost call wants the elements of an instant query.
fn order(root: &Node) -> Order {
    match &root.kind {
        Kind::Paren(inner) => order(inner),
        Kind::Call { name: Name { text, .. }, args } => match text.as_str() {
            "sort" => Order::Ascending,
            "sort_desc" => Order::Descending,
            "sort_by_label" | "sort_by_label_desc" => {
                let names = args.iter().skip(1).filter_map(string_literal).collect();
                Order::ByLabels { names, descending: text == "sort_by_label_desc" }
            }
            _ => Order::Labels,
        },
        Kind::Aggregate { op, grouping, .. } => match aggregate::selection(&op.text) {
            Some(which) => Order::Selected { which, grouping: grouping.clone() },
            None => Order::Labels,
        },
        _ => Order::Labels,
    }
}

fn string_literal(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Text(text) => Some(text.clone()),
        Kind::Paren(inner) => string_literal(inner),
        _ => None,
    }
}

/// What stands inside brackets.
fn unwrapped(node: &Node) -> &Node {
    match &node.kind {
        Kind::Paren(inner) => unwrapped(inner),
        _ => node,
    }
}

fn expected(what: &str, found: &Typed, span: Span) -> Fault {
    let found = match found {
        Typed::Scalar(_) => "a scalar",
        Typed::Vector(_) => "an instant vector",
        Typed::Range(_) => "a range vector",
        Typed::Text(_) => "a string",
    };
    Fault::new(span, format!("expected {what}, found {found}"))
}
