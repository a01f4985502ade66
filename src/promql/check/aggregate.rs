//! Aggregations: their parameters and what they aggregate.

use super::{Checker, Typed};
use crate::promql::{
    ast::{Grouping, Name, Node},
    error::{Fault, Span},
    tree::{AggregateOp, Selection, Vector},
};

/// What `topk` and its kin leave of a group.
pub(super) fn selection(op: &str) -> Option<Selection> {
    Some(match op {
        "topk" => Selection::Largest,
        "bottomk" => Selection::Smallest,
        "limitk" => Selection::First,
        _ => return None,
    })
}

impl Checker {
    pub(super) fn aggregate(
        &mut self,
        op: &Name,
        grouping: &Grouping,
        args: &[Node],
        span: Span,
    ) -> Result<Typed, Fault> {
        if op.text == "limit_ratio" {
            return Err(Fault::new(
                op.span,
                "aggregation \"limit_ratio\" is not supported: an experiment of Prometheus",
            )
            .hint("use limitk(..) for a sample of the series"));
        }
        let has_parameter =
            selection(&op.text).is_some() || matches!(op.text.as_str(), "quantile" | "count_values");
        let (parameter, of) = match args {
            [parameter, of] if has_parameter => (Some(parameter), of),
            [of] if !has_parameter => (None, of),
            _ => {
                let wanted = if has_parameter { "2 arguments" } else { "1 argument" };
                return Err(Fault::new(span, format!("{} takes {wanted}, {} given", op.text, args.len())));
            }
        };
        let role = &format!("as argument of {}", op.text);
        let grouping = grouping.clone();
        Ok(Typed::Vector(match parameter {
            None => {
                let of = self.boxed_vector(of, role)?;
                Vector::Aggregate { op: plain(&op.text, op.span)?, grouping, of }
            }
            Some(label) if op.text == "count_values" => {
                let text = self.text(label, role)?;
                if text.is_empty() {
                    return Err(Fault::new(label.span, "a label needs a name"));
                }
                Vector::CountValues { label: text, grouping, of: self.boxed_vector(of, role)? }
            }
            Some(parameter) => {
                let parameter = self.scalar(parameter, role)?;
                let of = self.boxed_vector(of, role)?;
                match selection(&op.text) {
                    Some(which) => Vector::Select { which, count: parameter, grouping, of },
                    None => Vector::Aggregate { op: AggregateOp::Quantile(parameter), grouping, of },
                }
            }
        }))
    }
}

fn plain(op: &str, span: Span) -> Result<AggregateOp, Fault> {
    Ok(match op {
        "sum" => AggregateOp::Sum,
        "avg" => AggregateOp::Avg,
        "min" => AggregateOp::Min,
        "max" => AggregateOp::Max,
        "count" => AggregateOp::Count,
        "group" => AggregateOp::Group,
        "stddev" => AggregateOp::Stddev,
        "stdvar" => AggregateOp::Stdvar,
        _ => return Err(Fault::new(span, format!("unknown aggregation {op:?}"))),
    })
}
