//! Binary operators: between scalars, vectors, or one of each.

use super::{Checker, Typed, expected};
use crate::promql::{
    ast::{Binary, BinaryOp, Node, SetOp, Side},
    error::Fault,
    lex::quoted,
    op::{ElementOp, ScalarOp},
    tree::{Scalar, Vector},
};

impl Checker {
    pub(super) fn binary(&mut self, binary: &Binary) -> Result<Typed, Fault> {
        if binary.returns_bool && !matches!(binary.op, BinaryOp::Comparison(_)) {
            return Err(Fault::new(binary.op_span, "bool only belongs to comparisons"));
        }
        let left = self.operand(&binary.left)?;
        let right = self.operand(&binary.right)?;
        let both_vectors = matches!((&left, &right), (Operand::Vector(_), Operand::Vector(_)));
        if !both_vectors && binary.matching.as_ref().is_some_and(|matching| !matching.labels.is_empty()) {
            return Err(Fault::new(
                binary.op_span,
                "on(..) and ignoring(..) only belong between two vectors",
            ));
        }
        match (left, right) {
            (Operand::Scalar(left), Operand::Scalar(right)) => scalars(binary, left, right),
            (Operand::Vector(vector), Operand::Scalar(scalar)) => {
                with_scalar(binary, vector, scalar, Side::Right)
            }
            (Operand::Scalar(scalar), Operand::Vector(vector)) => {
                with_scalar(binary, vector, scalar, Side::Left)
            }
            (Operand::Vector(left), Operand::Vector(right)) => vectors(binary, left, right),
        }
    }

    fn operand(&mut self, node: &Node) -> Result<Operand, Fault> {
        match self.node(node)? {
            Typed::Scalar(scalar) => Ok(Operand::Scalar(scalar)),
            Typed::Vector(vector) => Ok(Operand::Vector(vector)),
            other => Err(expected("a scalar or an instant vector beside the operator", &other, node.span)),
        }
    }
}

enum Operand {
    Scalar(Scalar),
    Vector(Vector),
}

fn scalars(binary: &Binary, left: Scalar, right: Scalar) -> Result<Typed, Fault> {
    let op = match binary.op {
        BinaryOp::Arithmetic(op) => ScalarOp::Arithmetic(op),
        BinaryOp::Comparison(op) if binary.returns_bool => ScalarOp::Truth(op),
        BinaryOp::Comparison(_) => {
            return Err(Fault::new(binary.op_span, "a comparison between scalars needs bool")
                .hint("write for example 1 < bool 2"));
        }
        BinaryOp::Set(_) => return Err(set_of_scalar(binary)),
    };
    Ok(Typed::Scalar(match (left, right) {
        (Scalar::Number(left), Scalar::Number(right)) => Scalar::Number(op.apply(left, right)),
        (left, right) => Scalar::Binary { op, left: Box::new(left), right: Box::new(right) },
    }))
}

fn with_scalar(binary: &Binary, vector: Vector, scalar: Scalar, scalar_side: Side) -> Result<Typed, Fault> {
    let op = element_op(binary).map_err(|_| set_of_scalar(binary))?;
    Ok(Typed::Vector(Vector::WithScalar {
        op,
        vector: Box::new(vector),
        scalar,
        scalar_side,
        at: binary.left.span.start,
    }))
}

fn vectors(binary: &Binary, left: Vector, right: Vector) -> Result<Typed, Fault> {
    let matching = binary.matching.clone().unwrap_or_default();
    if let Some(group) = &matching.group {
        if let BinaryOp::Set(_) = binary.op {
            return Err(Fault::new(binary.op_span, "and, or and unless take no group_left or group_right"));
        }
        if let Some(label) = group.include.iter().find(|label| matching.on && matching.labels.contains(label))
        {
            let message = format!("label {} is both in on(..) and in the group modifier", quoted(label));
            return Err(Fault::new(binary.op_span, message));
        }
    }
    let (left, right) = (Box::new(left), Box::new(right));
    Ok(Typed::Vector(match element_op(binary) {
        Ok(op) => Vector::Matched { op, left, right, matching, at: binary.left.span.start },
        Err(op) => Vector::Set { op, left, right, matching },
    }))
}

/// The operator between elements, or the one between whole vectors.
fn element_op(binary: &Binary) -> Result<ElementOp, SetOp> {
    match binary.op {
        BinaryOp::Arithmetic(op) => Ok(ElementOp::Arithmetic(op)),
        BinaryOp::Comparison(op) if binary.returns_bool => Ok(ElementOp::Truth(op)),
        BinaryOp::Comparison(op) => Ok(ElementOp::Filter(op)),
        BinaryOp::Set(op) => Err(op),
    }
}

fn set_of_scalar(binary: &Binary) -> Fault {
    Fault::new(binary.op_span, "and, or and unless only stand between two vectors")
        .hint("write vector(..) around the scalar")
}
