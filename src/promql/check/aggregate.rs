//! Aggregations: their parameters and what they aggregate.

use super::{Checker, Typed, unwrapped};
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
        "limit_ratio" => Selection::Share,
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
        let has_parameter =
            selection(&op.text).is_some() || matches!(op.text.as_str(), "quantile" | "count_values");
        let (parameter, of): (Option<&Node>, &Node) = match args {
            [parameter, of] if has_parameter => (Some(parameter), of),
            [of] if !has_parameter => (None, of),
            _ => {
                let wanted = if has_parameter { "2 arguments" } else { "1 argument" };
                return Err(Fault::new(span, format!("{} takes {wanted}, {} given", op.text, args.len())));
            }
        };
        let operand_at = of.span.start;
        let role = &format!("as argument of {}", op.text);
        let grouping = grouping.clone();
        Ok(Typed::Vector(match parameter {
            None => {
                let of = self.boxed_vector(of, role)?;
                Vector::Aggregate { op: plain(&op.text, op.span)?, grouping, of, at: [operand_at; 2] }
            }
            Some(label) if op.text == "count_values" => {
                let text = self.text(label, role)?;
                if text.is_empty() {
                    self.note_fault_of_evaluation(Fault::new(label.span, "a label needs a name"));
                }
                Vector::CountValues { label: text, grouping, of: self.boxed_vector(of, role)? }
            }
            Some(parameter) => {
                let parameter_at = unwrapped(parameter).span.start;
                let parameter = self.scalar(parameter, role)?;
                let of = self.boxed_vector(of, role)?;
                match selection(&op.text) {
                    Some(which) => {
                        let at = [parameter_at, span.start];
                        Vector::Select { which, count: parameter, grouping, of, at }
                    }
                    None => {
                        let at = [parameter_at, operand_at];
                        Vector::Aggregate { op: AggregateOp::Quantile(parameter), grouping, of, at }
                    }
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
