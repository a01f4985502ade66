//! A window that was added while the sidecar runs.

use crate::{
    pipeline::{InvalidMaintenance, Maintenance, Times},
    series::{LabelMatcher, TimestampMs},
};
use xxhash_rust::xxh3::Xxh3;

/// Planned work that is open once, and who planned it.
#[derive(Clone, Debug)]
pub struct Window {
    id: String,
    work: Maintenance,
    from: TimestampMs,
    to: TimestampMs,
    comment: String,
    created_by: String,
    created_at: TimestampMs,
}

/// Where a window stands, in Alertmanager's words for silences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Has not begun.
    Pending,
    /// Is open.
    Active,
    /// Is over.
    Expired,
}

/// All that a window is made of but its id; the texts are checked.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) matchers: Vec<LabelMatcher>,
    pub(super) from: TimestampMs,
    pub(super) to: TimestampMs,
    pub(super) comment: String,
    pub(super) created_by: String,
    pub(super) created_at: TimestampMs,
}

// === impl Window ===

impl Window {
    /// A new window; its id follows from all of it.
    pub(super) fn new(parts: Parts) -> Result<Self, InvalidMaintenance> {
        let mut hash = Xxh3::new();
        for matcher in &parts.matchers {
            hash.update(matcher.to_string().as_bytes());
        }
        // Each ends with a zero byte, so that what moves from one to the next is seen.
        for text in [&parts.name, &parts.comment, &parts.created_by] {
            hash.update(text.as_bytes());
            hash.update(&[0]);
        }
        for instant in [parts.from, parts.to, parts.created_at] {
            hash.update(&instant.0.to_le_bytes());
        }
        Self::with_id(format!("{:016x}", hash.digest()), parts)
    }

    /// A window that has its id.
    pub(super) fn with_id(id: String, parts: Parts) -> Result<Self, InvalidMaintenance> {
        let Parts { name, matchers, from, to, comment, created_by, created_at } = parts;
        let work = Maintenance::new(name, matchers, Times::Once { from, to })?;
        Ok(Self { id, work, from, to, comment, created_by, created_at })
    }

    /// The same, over at `now`; `None` where it is not open then.
    pub(super) fn until(&self, now: TimestampMs) -> Option<Self> {
        let times = Times::Once { from: self.from, to: now };
        let is_inside = self.from < now && now < self.to;
        let (name, matchers) = (self.name().to_owned(), self.work.matchers().to_vec());
        let work = Maintenance::new(name, matchers, times).ok().filter(|_| is_inside)?;
        Some(Self { work, to: now, ..self.clone() })
    }

    /// 16 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.work.name()
    }

    /// What it is for the evaluation of steps.
    #[must_use]
    pub fn work(&self) -> &Maintenance {
        &self.work
    }

    /// Its first instant.
    #[must_use]
    pub fn from(&self) -> TimestampMs {
        self.from
    }

    /// The first instant after it.
    #[must_use]
    pub fn to(&self) -> TimestampMs {
        self.to
    }

    /// What whoever planned it says of it; may be empty.
    #[must_use]
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Who planned it; may be empty.
    #[must_use]
    pub fn created_by(&self) -> &str {
        &self.created_by
    }

    /// When it was added.
    #[must_use]
    pub fn created_at(&self) -> TimestampMs {
        self.created_at
    }

    /// Where it stands at `now`.
    #[must_use]
    pub fn state(&self, now: TimestampMs) -> State {
        if now < self.from {
            State::Pending
        } else if now < self.to {
            State::Active
        } else {
            State::Expired
        }
    }
}

// === impl State ===

impl State {
    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}
