//! What is wrong with an expression, and where.

use std::fmt;

/// A part of an expression's text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    /// From the start of this one to the end of `other`.
    pub(super) fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// A mistake at a place, before it is shown in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    span: Span,
    message: String,
    hint: Option<String>,
    of_evaluation: bool,
}

impl Fault {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None, of_evaluation: false }
    }

    /// Adds what to write instead.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says that Prometheus only finds it when it evaluates.
    pub(super) fn of_evaluation(self) -> Self {
        Self { of_evaluation: true, ..self }
    }

    /// The error with line, column and the line itself.
    pub(super) fn in_text(self, text: &str) -> ParseError {
        let Span { start, end } = self.span;
        let offset = floor_char_boundary(text, start);
        let line_start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
        let before: Vec<char> = text[line_start..offset].chars().collect();
        let after = &text[offset..line_end];
        let marked = floor_char_boundary(text, end.clamp(offset, line_end)) - offset;
        let shown_before = &before[before.len().saturating_sub(CONTEXT)..];
        ParseError {
            offset,
            line: text[..offset].matches('\n').count() + 1,
            column: before.len() + 1,
            message: self.message,
            hint: self.hint,
            of_evaluation: self.of_evaluation,
            indent: shown_before.len(),
            width: after[..marked].chars().count().clamp(1, CONTEXT),
            excerpt: shown_before.iter().copied().chain(after.chars().take(CONTEXT)).collect(),
        }
    }
}

/// Characters of the line shown on either side of the place.
const CONTEXT: usize = 60;

/// An expression that cannot be used: broken, wrongly typed, or outside the supported subset.
///
/// Displayed with its position and a caret under the place:
///
/// ```text
/// 1:5: function "topk" is not supported
///   | sum(topk(3, a))
///   |     ^^^^
///   = help: ...
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    offset: usize,
    line: usize,
    column: usize,
    message: String,
    hint: Option<String>,
    of_evaluation: bool,
    /// The line around the place, and where in it the place is, in characters.
    excerpt: String,
    indent: usize,
    width: usize,
}

impl ParseError {
    /// Byte offset of the place in the text.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Line of the place, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Column of the place in its line, in characters from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether Prometheus only finds the mistake when it evaluates: a pattern or a label name in a string.
    #[must_use]
    pub fn is_of_evaluation(&self) -> bool {
        self.of_evaluation
    }

    /// What to write instead, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        // Tabs would shift the caret.
        writeln!(f, "  | {}", self.excerpt.replace(['\t', '\r'], " "))?;
        write!(f, "  | {}{}", " ".repeat(self.indent), "^".repeat(self.width))?;
        match &self.hint {
            Some(hint) => write!(f, "\n  = help: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ParseError {}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_shown_in_its_line() {
        let text = "sum(\n  größe + 1\n)";
        let start = text.find('+').unwrap();
        let fault = Fault::new(Span { start, end: start + 1 }, "wrong").hint("write -");
        let error = fault.in_text(text);
        assert_eq!((error.offset(), error.line(), error.column()), (15, 2, 9));
        assert_eq!(error.to_string(), "2:9: wrong\n  |   größe + 1\n  |         ^\n  = help: write -");
    }

    #[test]
    fn a_place_outside_or_inside_a_character_is_moved_and_long_lines_are_cut() {
        assert_eq!(Fault::new(Span { start: 99, end: 120 }, "m").in_text("ä").offset(), 2);
        assert_eq!(Fault::new(Span { start: 1, end: 1 }, "m").in_text("ä").offset(), 0);
        let long = "a".repeat(5000);
        let error = Fault::new(Span { start: 2500, end: 4000 }, "m").in_text(&long);
        assert!(error.to_string().len() < 300);
        assert_eq!(error.column(), 2501);
    }
}
