//! Binary operators and how their sides are matched.

use super::{MAX_HEIGHT, Parser, too_deep};
use crate::promql::{
    ast::{Arithmetic, Binary, BinaryOp, Comparison, Group, Kind, Matching, Node, SetOp, Side},
    error::Fault,
    lex::Token,
};

impl Parser {
    /// The binary operator here, if there is one.
    pub(super) fn binary_op(&self) -> Option<BinaryOp> {
        let word;
        let written = match self.peek() {
            Token::Symbol(symbol) => *symbol,
            Token::Word(_) => {
                word = self.keyword()?;
                word.as_str()
            }
            _ => return None,
        };
        Some(match written {
            "+" => BinaryOp::Arithmetic(Arithmetic::Add),
            "-" => BinaryOp::Arithmetic(Arithmetic::Subtract),
            "*" => BinaryOp::Arithmetic(Arithmetic::Multiply),
            "/" => BinaryOp::Arithmetic(Arithmetic::Divide),
            "%" => BinaryOp::Arithmetic(Arithmetic::Modulo),
            "^" => BinaryOp::Arithmetic(Arithmetic::Power),
            "atan2" => BinaryOp::Arithmetic(Arithmetic::Atan2),
            "==" => BinaryOp::Comparison(Comparison::Equal),
            "!=" => BinaryOp::Comparison(Comparison::NotEqual),
            ">" => BinaryOp::Comparison(Comparison::Greater),
            ">=" => BinaryOp::Comparison(Comparison::GreaterOrEqual),
            "<" => BinaryOp::Comparison(Comparison::Less),
            "<=" => BinaryOp::Comparison(Comparison::LessOrEqual),
            "and" => BinaryOp::Set(SetOp::And),
            "or" => BinaryOp::Set(SetOp::Or),
            "unless" => BinaryOp::Set(SetOp::Unless),
            _ => return None,
        })
    }

    /// `on (..)` or `ignoring (..)`, with `group_left (..)` or `group_right (..)`.
    pub(super) fn matching(&mut self) -> Result<Option<Matching>, Fault> {
        let on = self.eat_keyword("on");
        if !on && !self.eat_keyword("ignoring") {
            return match self.keyword().as_deref() {
                Some(group @ ("group_left" | "group_right")) => {
                    Err(Fault::new(self.span(), format!("{group} needs on(..) or ignoring(..) before it"))
                        .hint(format!("write for example on (instance) {group} ()")))
                }
                _ => Ok(None),
            };
        }
        let (labels, _) = self.label_names()?;
        let many = if self.eat_keyword("group_left") {
            Some(Side::Left)
        } else if self.eat_keyword("group_right") {
            Some(Side::Right)
        } else {
            None
        };
        let group = match many {
            Some(many) if self.at_symbol("(") => Some(Group { many, include: self.label_names()?.0 }),
            Some(many) => Some(Group { many, include: Vec::new() }),
            None => None,
        };
        Ok(Some(Matching { on, labels, group }))
    }
}

/// The node of a binary operator; a chain of them is as deep as it is long.
pub(super) fn node(binary: Binary) -> Result<Node, Fault> {
    let span = binary.left.span.to(binary.right.span);
    let height = binary.left.height.max(binary.right.height) + 1;
    // A chain `a + a + ...` grows the tree without nesting the parser.
    if height > MAX_HEIGHT {
        return Err(too_deep(binary.op_span));
    }
    Ok(Node { span, height, kind: Kind::Binary(Box::new(binary)) })
}
