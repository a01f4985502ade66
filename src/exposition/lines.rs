//! A text, line by line.

use super::{
    cursor::Fault,
    error::{ExpositionError, Problem},
    line::{self, Parts},
    time::Unit,
};
use crate::series::Sample;

/// The longest line, in bytes.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// A text on its way: takes line after line, and gives the samples.
#[derive(Debug, Default)]
pub struct Exposition {
    line: u64,
    /// The unit of the first timestamp, and its line.
    unit: Option<(Unit, u64)>,
    /// `# EOF` was read.
    ended: bool,
    parts: Parts,
    canonical: String,
}

/// A sample as it stands in a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exposed<'a> {
    /// Canonical label text, as [`crate::series::LabelSet::canonical_text`]: labels sorted, those without a value left out.
    pub labels: &'a str,
    /// When and what.
    pub sample: Sample,
}

// === impl Exposition ===

impl Exposition {
    /// The sample of the next line, which may end with a line break; none where it is empty or a comment.
    ///
    /// # Errors
    /// When the line is no line of an exposition, has no timestamp, or contradicts an earlier one. Nothing should be made of the rest then.
    pub fn take(&mut self, line: &[u8]) -> Result<Option<Exposed<'_>>, ExpositionError> {
        self.line += 1;
        self.canonical.clear();
        let number = self.line;
        match self.read(line.strip_suffix(b"\n").unwrap_or(line)) {
            Ok(Some(sample)) => Ok(Some(Exposed { labels: &self.canonical, sample })),
            Ok(None) => Ok(None),
            Err((at, problem)) => Err(ExpositionError { line: number, column: column(line, at), problem }),
        }
    }

    /// Says that there are no more lines.
    ///
    /// # Errors
    /// When it ends as a text in its unit does not end: then a part may be missing.
    pub fn finish(self) -> Result<(), ExpositionError> {
        let problem = match (self.unit, self.ended) {
            (Some((Unit::Seconds, _)), false) => Problem::NoEof,
            (Some((Unit::Milliseconds, first)), true) => Problem::MillisecondsWithEof { first },
            _ => return Ok(()),
        };
        Err(ExpositionError { line: self.line, column: 1, problem })
    }

    fn read(&mut self, line: &[u8]) -> Result<Option<Sample>, Fault> {
        if line.len() > MAX_LINE_BYTES {
            return Err((0, Problem::LongLine));
        }
        let text = str::from_utf8(line).map_err(|error| (error.valid_up_to(), Problem::NotUtf8))?;
        let said = text.trim_matches([' ', '\t', '\r']);
        if said.is_empty() {
            return Ok(None);
        }
        if self.ended {
            return Err((0, Problem::AfterEof));
        }
        if said.starts_with('#') {
            self.ended = said == "# EOF";
            return Ok(None);
        }
        let (sample, unit) = line::sample(text, &mut self.parts, &mut self.canonical)?;
        match self.unit {
            None => self.unit = Some((unit, self.line)),
            Some((first, line)) if first != unit => {
                return Err((0, Problem::MixedUnits { unit, first: line }));
            }
            Some(_) => {}
        }
        Ok(Some(sample))
    }
}

/// The character, from 1, that a byte of a line belongs to.
fn column(line: &[u8], at: usize) -> usize {
    String::from_utf8_lossy(&line[..at.min(line.len())]).chars().count() + 1
}
