//! The evaluation of a checked expression on the answers to its leaves, all steps at once.

mod aggregate;

mod elementwise;

mod histogram;

mod matching;

mod order;

mod over_range;

mod relabel;

mod select;

use super::{
    Budget, Point,
    ast::Side,
    labels,
    leaf::{Answer, LeafMatrix, Times},
    matrix::{Cell, Matrix},
    memo::Memo,
    op::ElementOp,
    tree::{Scalar, Tree, Vector},
};
use crate::series::LabelSet;
pub(super) use aggregate::Groups;
pub(super) use order::ordered;
use std::borrow::Cow;

/// Why the data does not allow an operation, or what a query may not cost. Prometheus fails in the
/// same cases.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EvalError {
    /// Series that only differed in what the operation drops, as a rule the metric name.
    #[error("two series of a result have the same labels {labels}")]
    SameLabels {
        /// The labels.
        labels: LabelSet,
    },
    /// The side of a match that must be unique is not.
    #[error(
        "series {first} and {second} on the {side}-hand side both belong to the match group {group}: \
         many-to-many matching is not possible, matching labels must be unique on one side"
    )]
    ManyToMany {
        /// `left` or `right`.
        side: &'static str,
        /// The labels that are matched.
        group: LabelSet,
        /// One series.
        first: LabelSet,
        /// Another one.
        second: LabelSet,
    },
    /// Several series of the left side found the same one on the right side.
    #[error("several series match {labels}: many-to-one matching must be said by group_left or group_right")]
    ManyToOne {
        /// The second of them.
        labels: LabelSet,
    },
    /// The labels taken over by a group modifier make two results equal.
    #[error("several matches give {labels}: the labels of the group modifier must keep results apart")]
    SameGroupLabels {
        /// The labels.
        labels: LabelSet,
    },
    /// `topk` and its kin with a number of elements that is none.
    #[error("{value} is not a number of elements to select")]
    Count {
        /// The number.
        value: f64,
    },
    /// A factor of `double_exponential_smoothing` outside 0 to 1.
    #[error("the {name} factor must lie between 0 and 1, but is {value}")]
    Factor {
        /// `smoothing` or `trend`.
        name: &'static str,
        /// The factor.
        value: f64,
    },
    /// A range query of something that is not a number at a step.
    #[error("a range query must be a scalar or an instant vector, not {found}")]
    NotForRange {
        /// What it is.
        found: &'static str,
    },
    /// A native histogram where only numbers can be used: as a feature.
    #[error(
        "{labels} is a native histogram, not a number: use histogram_quantile(..), histogram_avg(..) or the like"
    )]
    HistogramFeature {
        /// The labels of the result.
        labels: LabelSet,
    },
    /// The query holds more points in memory than it may.
    #[error("the query needs more than {limit} points in memory at once")]
    TooManyPoints {
        /// The most it may hold.
        limit: usize,
    },
    /// The time given to the query is over.
    #[error("the time for the query is over")]
    Expired,
    /// The caller's mistake: not the answers to this expression's leaves.
    #[error("the expression has {expected} leaves, but {given} other answers were given")]
    WrongLeaves {
        /// Leaves of the expression.
        expected: usize,
        /// Answers given.
        given: usize,
    },
}

/// One evaluation: what it reads, and at which steps.
pub(super) struct Evaluation<'a, 'b> {
    pub(super) tree: &'a Tree,
    pub(super) answers: &'a [&'a LeafMatrix],
    pub(super) times: Times,
    pub(super) budget: &'b mut Budget,
    pub(super) memo: &'b mut Memo,
}

impl<'a> Evaluation<'a, '_> {
    /// The value at each step.
    pub(super) fn scalar(&mut self, scalar: &Scalar) -> Result<Vec<f64>, EvalError> {
        let steps = self.times.count();
        self.budget.work(steps)?;
        Ok(match scalar {
            Scalar::Number(value) => vec![*value; steps],
            Scalar::Time => self.times.steps().map(|at| at.seconds()).collect(),
            Scalar::Minus(of) => self.scalar(of)?.into_iter().map(|value| -value).collect(),
            Scalar::Binary { op, left, right } => {
                let (left, right) = (self.scalar(left)?, self.scalar(right)?);
                left.into_iter().zip(right).map(|(left, right)| op.apply(left, right)).collect()
            }
            Scalar::OfVector(of) => only_floats(&*self.vector(of)?, steps),
        })
    }

    /// The points at each step. What a part held while it was evaluated is given back; its result is
    /// held by whoever asked.
    pub(super) fn vector(&mut self, vector: &Vector) -> Result<Cow<'a, Matrix>, EvalError> {
        let held = self.budget.held();
        let matrix = self.part(vector)?;
        let own = if let Cow::Owned(matrix) = &matrix { matrix.cell_count() } else { 0 };
        self.budget.settle(held.saturating_add(own))?;
        Ok(matrix)
    }

    fn part(&mut self, vector: &Vector) -> Result<Cow<'a, Matrix>, EvalError> {
        Ok(Cow::Owned(match vector {
            Vector::Leaf(number) => return self.leaf(*number),
            Vector::OfScalar(scalar) => of_scalar(self.scalar(scalar)?),
            Vector::OverRange { function, arguments, of } => self.over_range(*function, arguments, of)?,
            Vector::Elementwise { function, of } => {
                let of = self.vector(of)?;
                self.elementwise(function, &of)?
            }
            Vector::Absent { labels, of } => {
                let occupied = self.vector(of)?.occupied_steps();
                absent(labels, &occupied)
            }
            Vector::Relabel { how, of } => relabel::relabelled(how, &*self.vector(of)?)?,
            Vector::Floats(of) => floats(&*self.vector(of)?),
            Vector::Aggregate { op, grouping, of } => {
                let of = self.vector(of)?;
                self.aggregate(op, grouping, &of)?
            }
            Vector::CountValues { label, grouping, of } => {
                let of = self.vector(of)?;
                select::count_values(label, grouping, &of, self.budget)?
            }
            Vector::Select { which, count, grouping, of } => {
                let (count, of) = (self.scalar(count)?, self.vector(of)?);
                let groups = self.memo.groups(&of, grouping);
                select::selected(*which, &count, &groups, &of)?
            }
            Vector::HistogramQuantile { q, of } => {
                let (q, of) = (self.scalar(q)?, self.vector(of)?);
                histogram::quantiles(&q, &of)?
            }
            Vector::HistogramFraction { lower, upper, of } => {
                let (lower, upper, of) = (self.scalar(lower)?, self.scalar(upper)?, self.vector(of)?);
                histogram::fractions(&lower, &upper, &of)?
            }
            Vector::WithScalar { op, vector, scalar, scalar_side } => {
                let (vector, scalar) = (self.vector(vector)?, self.scalar(scalar)?);
                self.with_scalar(*op, &vector, &scalar, *scalar_side)?
            }
            Vector::Matched { op, left, right, matching } => {
                let (left, right) = (self.vector(left)?, self.vector(right)?);
                matching::matched(*op, &left, &right, matching, self.budget)?
            }
            Vector::Set { op, left, right, matching } => {
                let (left, right) = (self.vector(left)?, self.vector(right)?);
                matching::set(*op, &left, &right, matching)?
            }
        }))
    }

    fn leaf(&mut self, number: usize) -> Result<Cow<'a, Matrix>, EvalError> {
        // The tree numbers its own leaves, and their count was checked.
        match self.answers.get(number).map(|answer| &answer.answer) {
            Some(Answer::Steps(matrix)) if matrix.steps() == self.times.count() => {
                matrix.check_distinct()?;
                Ok(Cow::Borrowed(matrix))
            }
            _ => Ok(Cow::Owned(Matrix::new(self.times.count()))),
        }
    }

    /// A vector and a scalar; a filter keeps the vector's value on whichever side it stands.
    fn with_scalar(
        &mut self,
        op: ElementOp,
        vector: &Matrix,
        scalar: &[f64],
        scalar_side: Side,
    ) -> Result<Matrix, EvalError> {
        let combine = |step: usize, point: &Point| {
            let scalar = Point::Float(scalar[step]);
            match scalar_side {
                Side::Right => op.apply_to(point, &scalar),
                Side::Left if op.keeps_name() => op.apply_to(&scalar, point).map(|_| point.clone()),
                Side::Left => op.apply_to(&scalar, point),
            }
        };
        self.mapped(vector, op.keeps_name(), combine).joined()
    }

    /// Every float through `function`; the metric name goes, and histograms are left out.
    fn map_floats(&mut self, of: &Matrix, function: impl Fn(usize, f64) -> f64) -> Result<Matrix, EvalError> {
        self.mapped(of, false, |step, point| Some(Point::Float(function(step, point.float()?)))).joined()
    }

    /// Every point through `function`, which is given the number of its step.
    fn mapped(&mut self, of: &Matrix, keeps_name: bool, function: impl Fn(usize, &Point) -> Cell) -> Matrix {
        let row = |cells: &[Cell], into: &mut Vec<Cell>| {
            let cells = cells.iter().enumerate();
            into.extend(cells.map(|(step, cell)| function(step, cell.as_ref()?)));
        };
        if let Some(rows) = of.shared_rows() {
            let rows = if keeps_name { rows.clone() } else { self.memo.nameless(rows) };
            let mut cells = Vec::with_capacity(of.cell_count());
            of.rows().for_each(|(_, of)| row(of, &mut cells));
            return Matrix::of_occupied_rows(of.steps(), rows, cells);
        }
        let mut mapped = Matrix::with_capacity(of.steps(), of.row_count());
        for (labels, cells) in of.rows() {
            let labels_of = || if keeps_name { labels.clone() } else { labels::without_name(labels) };
            mapped.push_with(|into| row(cells, into), labels_of);
        }
        mapped
    }
}

/// The only float of each step; NaN where there is none, or more than one.
fn only_floats(of: &Matrix, steps: usize) -> Vec<f64> {
    let mut found: Vec<Option<f64>> = vec![None; steps];
    let mut several = vec![false; steps];
    for (_, cells) in of.rows() {
        for (step, cell) in cells.iter().enumerate() {
            if let Some(value) = cell.as_ref().and_then(Point::float) {
                several[step] |= found[step].replace(value).is_some();
            }
        }
    }
    let only = |(value, several): (Option<f64>, bool)| value.filter(|_| !several).unwrap_or(f64::NAN);
    found.into_iter().zip(several).map(only).collect()
}

fn of_scalar(values: Vec<f64>) -> Matrix {
    let mut matrix = Matrix::with_capacity(values.len(), 1);
    matrix.push(LabelSet::empty(), values.into_iter().map(|value| Some(Point::Float(value))));
    matrix
}

fn absent(labels: &LabelSet, occupied: &[bool]) -> Matrix {
    let mut matrix = Matrix::with_capacity(occupied.len(), 1);
    matrix.push(labels.clone(), occupied.iter().map(|occupied| (!occupied).then_some(Point::Float(1.0))));
    matrix
}

fn floats(of: &Matrix) -> Matrix {
    let mut matrix = Matrix::with_capacity(of.steps(), of.row_count());
    for (labels, cells) in of.rows() {
        matrix.push(labels.clone(), cells.iter().map(float));
    }
    matrix
}

fn float(cell: &Cell) -> Cell {
    cell.as_ref().and_then(Point::float).map(Point::Float)
}
