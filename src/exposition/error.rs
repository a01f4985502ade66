//! What can be wrong with a line, where, and what to write instead.

use super::{lines::MAX_LINE_BYTES, time::Unit};
use crate::series::InvalidLabels;

/// The most of a text that reaches a message.
const SHOWN: usize = 40;

/// A line that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ExpositionError {
    /// The line, counted from 1.
    pub line: u64,
    /// The place in it, in characters from 1.
    pub column: usize,
    /// What is wrong. Not named as a source: the message says it already.
    pub problem: Problem,
}

/// What is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// More than a line may have.
    #[error("the line is longer than {MAX_LINE_BYTES} bytes; write one sample a line")]
    LongLine,
    /// Bytes that are no text.
    #[error("this is not UTF-8; write the file as UTF-8")]
    NotUtf8,
    /// No name where one belongs.
    #[error(
        "expected the name of a metric, found {found}; write name{{label=\"value\"}} value timestamp, a name of other characters in quotes: {{\"http.requests\"}}"
    )]
    NoName {
        /// What stands there.
        found: String,
    },
    /// Something else than `expected`.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What belongs there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A quote without its other half.
    #[error(
        "this quote is not closed; write a quote inside a value as \\\", a backslash as \\\\, a line break as \\n"
    )]
    OpenQuote,
    /// Labels that are none.
    #[error("{0}; write each label once")]
    Labels(#[from] InvalidLabels),
    /// Not a number.
    #[error("{text:?} is no value; write a number, NaN, +Inf or -Inf")]
    Value {
        /// What stands there.
        text: String,
    },
    /// A sample at no time.
    #[error("the sample has no timestamp, so there is no time to put it at; write one behind the value")]
    NoTimestamp,
    /// Not a timestamp.
    #[error(
        "{text:?} is no timestamp; write Unix seconds (1700000000.25) or whole milliseconds (1700000000250)"
    )]
    Timestamp {
        /// What stands there.
        text: String,
    },
    /// A timestamp that could be in either unit, or in neither.
    #[error(
        "{text} is neither in seconds (1e9 to 1e11: the years 2001 to 5138) nor in milliseconds (1e11 to 1e14: 1973 to 5138) since 1970; write one of these"
    )]
    AmbiguousTimestamp {
        /// What stands there.
        text: String,
    },
    /// Another unit than that of the lines before.
    #[error("a timestamp in {unit}, where line {first} has one in {}; write all in one unit", unit.other())]
    MixedUnits {
        /// The unit of this one.
        unit: Unit,
        /// The line of the first timestamp.
        first: u64,
    },
    /// Text in the unit of OpenMetrics that does not end as OpenMetrics does.
    #[error(
        "timestamps in seconds are OpenMetrics, which ends with `# EOF`, and this does not: it is cut short, or its last line is missing"
    )]
    NoEof,
    /// Text that ends as OpenMetrics does and is not in its unit.
    #[error(
        "`# EOF` ends OpenMetrics, whose timestamps are in seconds, and line {first} has one in milliseconds; write seconds, or leave `# EOF` away"
    )]
    MillisecondsWithEof {
        /// The line of the first timestamp.
        first: u64,
    },
    /// Something behind the end.
    #[error(
        "there is something behind `# EOF`; write `# EOF` once, as the last line, and give several texts as several files"
    )]
    AfterEof,
}

/// The head of a text for a message: a message never grows with what it is about.
pub(super) fn head(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
