//! A place in a line.

use super::error::{Problem, head};

/// Reads a line from left to right.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// What is wrong with a line, and at which byte of it.
pub(super) type Fault = (usize, Problem);

// === impl Cursor ===

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The byte that is next.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Whether there is nothing left but space.
    pub(super) fn is_done(&mut self) -> bool {
        self.skip_space();
        self.rest().is_empty()
    }

    /// Passes over blanks and tabs, and over the carriage return of a line that was written elsewhere.
    pub(super) fn skip_space(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t' | '\r'));
    }

    /// Passes over `wanted`, if it is next.
    pub(super) fn take(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    /// Everything up to the first character that `wanted` does not hold for.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Everything up to the next space.
    pub(super) fn word(&mut self) -> &'a str {
        self.take_while(|c| !matches!(c, ' ' | '\t' | '\r'))
    }

    /// Appends what stands in quotes to `into`, without its escapes. The opening quote is next.
    ///
    /// A backslash in front of any other character is one, as Prometheus reads it.
    pub(super) fn quoted(&mut self, into: &mut String) -> Result<(), Fault> {
        let open = self.at;
        self.at += 1;
        loop {
            into.push_str(self.take_while(|c| c != '"' && c != '\\'));
            if self.take('"') {
                return Ok(());
            }
            self.at += 1;
            let escaped = match self.peek() {
                None => return Err((open, Problem::OpenQuote)),
                Some('n') => '\n',
                Some(c @ ('"' | '\\')) => c,
                Some(_) => {
                    into.push('\\');
                    continue;
                }
            };
            self.at += 1;
            into.push(escaped);
        }
    }

    /// What stands at a byte, for a message.
    pub(super) fn found(&self, at: usize) -> String {
        match self.text.get(at..) {
            None | Some("") => "the end of the line".to_owned(),
            Some(rest) => format!("{:?}", head(rest)),
        }
    }

    /// Something else than `expected` at a byte.
    pub(super) fn unexpected(&self, at: usize, expected: &'static str) -> Fault {
        (at, Problem::Unexpected { expected, found: self.found(at) })
    }

    fn rest(&self) -> &'a str {
        // A quote that is not closed ends behind the text.
        self.text.get(self.at..).unwrap_or("")
    }
}
