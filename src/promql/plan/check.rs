//! From the tree as written to a plan: types checked, names resolved, constants folded.

mod binary;

use super::{
    AggregateOp, Elementwise, Root, Scalar, Vector,
    function::{Function, lookup},
};
use crate::{
    promql::{
        ast::{Grouping, Kind, Name, Node, Selector},
        error::{Fault, Span},
        leaf::{Leaf, RangeFunction, Read},
        lex::quoted,
    },
    series::{LabelMatcher, METRIC_NAME, MatchOp},
};

/// The plan of a tree: its root and its leaves.
pub(super) fn check(root: &Node) -> Result<(Root, Vec<Leaf>), Fault> {
    let mut checker = Checker::default();
    let root = match checker.node(root)? {
        Typed::Scalar(scalar) => Root::Scalar(scalar),
        Typed::Vector(vector) => Root::Vector(vector),
        other => return Err(expected("a scalar or an instant vector as the result", &other, root.span)),
    };
    Ok((root, checker.leaves))
}

/// A checked part of each of PromQL's types.
enum Typed {
    Scalar(Scalar),
    Vector(Vector),
    Range(RangeSelector),
    Text,
}

/// A selector with a range, before its function is known.
struct RangeSelector {
    matchers: Vec<LabelMatcher>,
    offset_ms: i64,
    range_ms: i64,
}

#[derive(Default)]
struct Checker {
    leaves: Vec<Leaf>,
}

impl Checker {
    fn node(&mut self, node: &Node) -> Result<Typed, Fault> {
        match &node.kind {
            Kind::Number(value) => Ok(Typed::Scalar(Scalar::Number(*value))),
            Kind::Text => Ok(Typed::Text),
            Kind::Paren(inner) => self.node(inner),
            Kind::Selector(selector) => self.selector(selector, node.span),
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

    /// A number known beforehand: leaves are evaluated apart from the rest of the expression.
    fn constant(&mut self, node: &Node, role: &str) -> Result<f64, Fault> {
        match self.scalar(node, role)? {
            Scalar::Number(value) => Ok(value),
            _ => Err(Fault::new(node.span, format!("only a constant is supported {role}"))
                .hint("write a number, for example 0.95 or 4 * 3600")),
        }
    }

    /// The leaf of a range function; the argument must be a range vector.
    fn range(&mut self, node: &Node, role: &str, function: RangeFunction) -> Result<Typed, Fault> {
        match self.node(node)? {
            Typed::Range(RangeSelector { matchers, offset_ms, range_ms }) => {
                Ok(self.leaf(Leaf { matchers, offset_ms, read: Read::Range { range_ms, function } }))
            }
            other => Err(expected(&format!("a range vector {role}"), &other, node.span)
                .hint("write a selector with a range, for example a[5m]")),
        }
    }

    /// The vector of a leaf; equal leaves are one.
    fn leaf(&mut self, leaf: Leaf) -> Typed {
        let known = self.leaves.iter().position(|other| *other == leaf);
        Typed::Vector(Vector::Leaf(known.unwrap_or_else(|| {
            self.leaves.push(leaf);
            self.leaves.len() - 1
        })))
    }

    fn selector(&mut self, selector: &Selector, span: Span) -> Result<Typed, Fault> {
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
        let offset_ms = selector.offset_ms.unwrap_or(0);
        Ok(match selector.range_ms {
            Some(range_ms) => Typed::Range(RangeSelector { matchers, offset_ms, range_ms }),
            None => self.leaf(Leaf { matchers, offset_ms, read: Read::Newest }),
        })
    }
}

fn compile(name: &str, op: MatchOp, value: &str, span: Span) -> Result<LabelMatcher, Fault> {
    LabelMatcher::new(name, op, value).map_err(|invalid| {
        // The engine draws the pattern over several lines; the last says what is wrong.
        let reason = invalid.reason.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
        Fault::new(span, format!("invalid regular expression {}: {reason}", quoted(value)))
    })
}

// === functions and aggregations ===

impl Checker {
    fn call(&mut self, name: &Name, args: &[Node], span: Span) -> Result<Typed, Fault> {
        let Some(function) = lookup(&name.text) else {
            return Err(Fault::new(name.span, format!("unknown function {}", quoted(&name.text))));
        };
        let role = &format!("as argument of {}", name.text);
        match (&function, args) {
            (Function::Unsupported(instead), _) => Err(unsupported(name, *instead)),
            (Function::Range(function), [range]) => self.range(range, role, *function),
            (Function::QuantileOverTime, [q, range]) => {
                let q = self.constant(q, role)?;
                self.range(range, role, RangeFunction::QuantileOverTime(q))
            }
            (Function::PredictLinear, [range, ahead]) => {
                let ahead = self.constant(ahead, role)?;
                self.range(range, role, RangeFunction::PredictLinear(ahead))
            }
            (Function::Elementwise(function), [of]) => {
                Ok(elementwise(function.clone(), self.vector(of, role)?))
            }
            (Function::Clamp, [of, min, max]) => self.clamp(of, Some(min), Some(max), role),
            (Function::ClampMin, [of, min]) => self.clamp(of, Some(min), None, role),
            (Function::ClampMax, [of, max]) => self.clamp(of, None, Some(max), role),
            (Function::Round, [of]) => self.round(of, None, role),
            (Function::Round, [of, to_nearest]) => self.round(of, Some(to_nearest), role),
            (Function::HistogramQuantile, [q, of]) => {
                let (q, of) = (self.scalar(q, role)?, Box::new(self.vector(of, role)?));
                Ok(Typed::Vector(Vector::HistogramQuantile { q, of }))
            }
            (Function::Scalar, [of]) => Ok(Typed::Scalar(Scalar::OfVector(Box::new(self.vector(of, role)?)))),
            (Function::Vector, [of]) => Ok(Typed::Vector(Vector::OfScalar(self.scalar(of, role)?))),
            (Function::Time, []) => Ok(Typed::Scalar(Scalar::Time)),
            (Function::Pi, []) => Ok(Typed::Scalar(Scalar::Number(std::f64::consts::PI))),
            _ => {
                let wanted = function.arguments();
                Err(Fault::new(span, format!("{} takes {wanted}, {} given", name.text, args.len())))
            }
        }
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

    fn aggregate(
        &mut self,
        op: &Name,
        grouping: &Grouping,
        args: &[Node],
        span: Span,
    ) -> Result<Typed, Fault> {
        let role = &format!("as argument of {}", op.text);
        let (op, of) = match (op.text.as_str(), args) {
            ("quantile", [q, of]) => (AggregateOp::Quantile(self.scalar(q, role)?), of),
            ("sum", [of]) => (AggregateOp::Sum, of),
            ("avg", [of]) => (AggregateOp::Avg, of),
            ("min", [of]) => (AggregateOp::Min, of),
            ("max", [of]) => (AggregateOp::Max, of),
            ("count", [of]) => (AggregateOp::Count, of),
            ("group", [of]) => (AggregateOp::Group, of),
            ("stddev", [of]) => (AggregateOp::Stddev, of),
            ("stdvar", [of]) => (AggregateOp::Stdvar, of),
            ("quantile", _) => {
                return Err(Fault::new(span, format!("quantile takes 2 arguments, {} given", args.len())));
            }
            ("sum" | "avg" | "min" | "max" | "count" | "group" | "stddev" | "stdvar", _) => {
                return Err(Fault::new(span, format!("{} takes 1 argument, {} given", op.text, args.len())));
            }
            _ => return Err(unsupported_aggregation(op)),
        };
        let of = Box::new(self.vector(of, role)?);
        Ok(Typed::Vector(Vector::Aggregate { op, grouping: grouping.clone(), of }))
    }
}

fn unsupported(name: &Name, instead: Option<&str>) -> Fault {
    let fault = Fault::new(name.span, format!("function {:?} is not supported", name.text));
    match instead {
        Some(instead) => fault.hint(instead),
        None => fault,
    }
}

fn unsupported_aggregation(op: &Name) -> Fault {
    let fault = Fault::new(op.span, format!("aggregation {:?} is not supported", op.text));
    match op.text.as_str() {
        "topk" | "limitk" | "limit_ratio" => {
            fault.hint("use max(..) or quantile(..): a feature has one value an entity")
        }
        "bottomk" => fault.hint("use min(..) or quantile(..): a feature has one value an entity"),
        _ => fault,
    }
}

fn elementwise(function: Elementwise, of: Vector) -> Typed {
    Typed::Vector(Vector::Elementwise { function, of: Box::new(of) })
}

fn expected(what: &str, found: &Typed, span: Span) -> Fault {
    let found = match found {
        Typed::Scalar(_) => "a scalar",
        Typed::Vector(_) => "an instant vector",
        Typed::Range(_) => "a range vector",
        Typed::Text => "a string",
    };
    Fault::new(span, format!("expected {what}, found {found}"))
}
