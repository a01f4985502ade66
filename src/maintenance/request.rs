//! What a window is asked for with, and what is wrong with it.

use super::window::{Parts, Window};
use crate::{
    pipeline::{InvalidMaintenance, Maintenance},
    promql::{ParseError, parse_duration_ms},
    series::{InvalidMatcher, LabelMatcher, MatchOp, TimestampMs},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const MAX_NAME_BYTES: usize = 128;
const MAX_CREATED_BY_BYTES: usize = 256;
const MAX_COMMENT_BYTES: usize = 1024;
const MAX_MATCHERS: usize = 32;

/// A window as it is asked for: names are the configuration's, and those of Alertmanager's silences where they have one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowRequest {
    /// What the work is called.
    pub name: String,
    /// The entities that it is for, as a selector.
    #[serde(rename = "match")]
    pub selector: Option<String>,
    /// The same, as a list.
    pub matchers: Option<Vec<MatcherText>>,
    /// When it begins; now where nothing is said.
    #[serde(alias = "startsAt")]
    pub starts_at: Option<String>,
    /// When it is over.
    #[serde(alias = "endsAt")]
    pub ends_at: Option<String>,
    /// Or how long it is.
    pub duration: Option<String>,
    /// Why.
    pub comment: String,
    /// Who plans it.
    #[serde(alias = "createdBy")]
    pub created_by: String,
}

/// One condition on one label, as in Alertmanager's silences.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MatcherText {
    /// The label.
    pub name: String,
    /// A value, or a pattern.
    pub value: String,
    /// Whether it is a pattern.
    #[serde(default, alias = "isRegex")]
    pub is_regex: bool,
    /// Whether it is to match, or not to.
    #[serde(default = "yes", alias = "isEqual")]
    pub is_equal: bool,
}

/// Why there can be no such window, and what to write.
#[derive(Debug, thiserror::Error)]
pub enum InvalidWindow {
    /// It has no name.
    #[error("name is missing: write what the work is called, such as backup")]
    Nameless,
    /// A text is too long.
    #[error("{field} has {bytes} bytes, at most {limit}")]
    TooLong {
        /// Which.
        field: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// It is for nobody, or for two lists of entities.
    #[error(
        "write either match, a selector such as {{instance=~\"db.*\"}} ({{}} for all), or matchers, a list with an entry at least"
    )]
    Whom,
    /// There are too many conditions.
    #[error("{matchers} matchers, at most {MAX_MATCHERS}")]
    Matchers {
        /// How many.
        matchers: usize,
    },
    /// The selector is none.
    #[error("match is no selector: {0}")]
    Selector(Box<ParseError>),
    /// A condition is none.
    #[error("matchers: {0}")]
    Matcher(#[from] InvalidMatcher),
    /// An instant is none.
    #[error(
        "{field}: {text:?} is not an instant; write one such as 2026-12-24T00:00:00Z or 2026-12-24T01:00:00+01:00"
    )]
    Instant {
        /// Which.
        field: &'static str,
        /// As written.
        text: String,
    },
    /// A duration is none.
    #[error("duration: {text:?} is not one; write a time such as 2h or 1h30m")]
    Duration {
        /// As written.
        text: String,
    },
    /// It has no end, or two.
    #[error("write either ends_at or duration")]
    End,
    /// It would be over before it began.
    #[error(transparent)]
    Times(#[from] InvalidMaintenance),
    /// Nothing would be left to judge.
    #[error("it was over more than five days ago: what was judged then is not judged again")]
    LongOver,
}

// === impl WindowRequest ===

impl WindowRequest {
    /// The window that is asked for at `now`.
    pub(super) fn check(self, now: TimestampMs) -> Result<Window, InvalidWindow> {
        if self.name.trim().is_empty() {
            return Err(InvalidWindow::Nameless);
        }
        bounded("name", &self.name, MAX_NAME_BYTES)?;
        bounded("comment", &self.comment, MAX_COMMENT_BYTES)?;
        bounded("created_by", &self.created_by, MAX_CREATED_BY_BYTES)?;
        let matchers = self.wanted_matchers()?;
        let from = self.starts_at.as_deref().map(|text| instant("starts_at", text));
        let from = from.transpose()?.unwrap_or(now);
        let to = self.end(from)?;
        let Self { name, comment, created_by, .. } = self;
        let parts = Parts { name, matchers, from, to, comment, created_by, created_at: now };
        Ok(Window::new(parts)?)
    }

    fn wanted_matchers(&self) -> Result<Vec<LabelMatcher>, InvalidWindow> {
        let matchers = match (&self.selector, &self.matchers) {
            (Some(selector), None) => Maintenance::parse_matchers(selector)
                .map_err(|error| InvalidWindow::Selector(Box::new(error)))?,
            (None, Some(matchers)) if !matchers.is_empty() => {
                matchers.iter().take(MAX_MATCHERS + 1).map(MatcherText::parse).collect::<Result<_, _>>()?
            }
            _ => return Err(InvalidWindow::Whom),
        };
        match matchers.len() {
            ..=MAX_MATCHERS => Ok(matchers),
            matchers => Err(InvalidWindow::Matchers { matchers }),
        }
    }

    fn end(&self, from: TimestampMs) -> Result<TimestampMs, InvalidWindow> {
        match (&self.ends_at, &self.duration) {
            (Some(text), None) => instant("ends_at", text),
            (None, Some(text)) => {
                let duration = parse_duration_ms(text).filter(|ms| *ms > 0);
                let duration = duration.ok_or_else(|| InvalidWindow::Duration { text: text.clone() })?;
                Ok(from.plus_ms(duration))
            }
            _ => Err(InvalidWindow::End),
        }
    }
}

// === impl MatcherText ===

impl MatcherText {
    /// A matcher in words.
    pub(super) fn of(matcher: &LabelMatcher) -> Self {
        let (is_regex, is_equal) = match matcher.op() {
            MatchOp::Equal => (false, true),
            MatchOp::NotEqual => (false, false),
            MatchOp::Regex => (true, true),
            MatchOp::NotRegex => (true, false),
        };
        let (name, value) = (matcher.name().to_owned(), matcher.value().to_owned());
        Self { name, value, is_regex, is_equal }
    }

    /// The matcher that it says.
    pub(super) fn parse(&self) -> Result<LabelMatcher, InvalidMatcher> {
        let op = match (self.is_regex, self.is_equal) {
            (false, true) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Regex,
            (true, false) => MatchOp::NotRegex,
        };
        LabelMatcher::new(&self.name, op, &self.value)
    }
}

/// The default of [`MatcherText::is_equal`].
fn yes() -> bool {
    true
}

pub(super) fn instant(field: &'static str, text: &str) -> Result<TimestampMs, InvalidWindow> {
    let read: Result<Timestamp, _> = text.parse();
    let instant = read.map_err(|_| InvalidWindow::Instant { field, text: text.to_owned() })?;
    Ok(TimestampMs(instant.as_millisecond()))
}

fn bounded(field: &'static str, text: &str, limit: usize) -> Result<(), InvalidWindow> {
    match text.len() {
        bytes if bytes > limit => Err(InvalidWindow::TooLong { field, bytes, limit }),
        _ => Ok(()),
    }
}
