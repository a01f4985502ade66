//! Reads one map of a document: typed values with defaults, and every problem noted.
//!
//! A reader asks for each key it knows and then calls [`Section::finish`], which reports the keys
//! nobody asked for. A wrong value is noted and replaced by its default, so that reading goes on and
//! finds the next problem; no checked config leaves [`super::parse`] when anything was noted.

use super::{
    problem::{Position, Problem},
    units::{format_duration, format_size, parse_duration, parse_size},
    yaml::{Entry, Node, Value},
};
use std::{cell::RefCell, ops::RangeInclusive, str::FromStr, time::Duration};

/// Where problems are collected.
pub(super) type Notes = RefCell<Vec<Problem>>;

/// A scalar with its place, for checks that come after reading.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) at: Position,
    pub(super) path: String,
    pub(super) value: String,
}

/// One map under reading.
pub(super) struct Section<'a> {
    at: Position,
    path: String,
    entries: &'a [Entry],
    known: Vec<&'static str>,
    notes: &'a Notes,
}

/// A value in a map whose keys are the user's own.
pub(super) enum FreeValue<'a> {
    Scalar(Text),
    Map(Section<'a>),
}

// === impl Section ===

impl<'a> Section<'a> {
    /// Reads `node`, which stands at `path`, as a map; anything else is noted and read as empty.
    pub(super) fn new(node: &'a Node, path: String, notes: &'a Notes) -> Self {
        let mut section = Self { at: node.at, path, entries: &[], known: Vec::new(), notes };
        match &node.value {
            Value::Map(entries) => section.entries = entries,
            Value::Null => {}
            Value::List(_) => section.note_here("must be a map, not a list", "write one `key: value` a line"),
            Value::Scalar(text) => {
                section.note_here(&format!("must be a map, not {text:?}"), "write one `key: value` a line");
            }
        }
        section
    }

    /// The map under `key`; an empty one when absent.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let path = self.path_of(key);
        match self.node(key) {
            Some(node) => Section::new(node, path, self.notes),
            None => Section { at: self.at, path, entries: &[], known: Vec::new(), notes: self.notes },
        }
    }

    /// The map under `key`; `None` when absent.
    pub(super) fn optional_section(&mut self, key: &'static str) -> Option<Section<'a>> {
        let path = self.path_of(key);
        self.node(key).map(|node| Section::new(node, path, self.notes))
    }

    /// The maps of the list under `key`; `None` when absent.
    pub(super) fn sections(&mut self, key: &'static str) -> Option<Vec<Section<'a>>> {
        let notes = self.notes;
        let items = self.items(key)?.into_iter();
        Some(items.map(|(path, node)| Section::new(node, path, notes)).collect())
    }

    /// The scalars of the list under `key`; `None` when absent.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<Text>> {
        let items = self.items(key)?.into_iter();
        Some(items.filter_map(|(path, node)| self.scalar(node, path)).collect())
    }

    /// The scalar under `key`, or those of a list; `None` when absent.
    pub(super) fn one_or_more(&mut self, key: &'static str) -> Option<Vec<Text>> {
        match self.node(key)?.value {
            Value::Scalar(_) => self.text(key).map(|text| vec![text]),
            _ => self.texts(key),
        }
    }

    /// Notes that `key` must not be written here, where it is.
    pub(super) fn refuse(&mut self, key: &'static str, message: &str, hint: &str) {
        if let Some(node) = self.node(key) {
            self.push(node.at, self.path_of(key), message, hint);
        }
    }

    /// The scalar under `key`; `None` when absent or empty.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Text> {
        let path = self.path_of(key);
        let node = self.node(key)?;
        self.scalar(node, path)
    }

    /// All entries of a map whose keys are the user's own, such as label or feature names.
    pub(super) fn free_entries(&self) -> Vec<(Text, Text)> {
        let entry = |entry: &Entry| {
            let path = self.path_of(&entry.key);
            let value = self.scalar(&entry.node, path.clone())?;
            Some((Text { at: entry.key_at, path, value: entry.key.clone() }, value))
        };
        self.entries.iter().filter_map(entry).collect()
    }

    /// As [`Self::free_entries`], where a value can also be a map.
    pub(super) fn free_values(&self) -> Vec<(Text, FreeValue<'a>)> {
        let notes = self.notes;
        let entry = |entry: &'a Entry| {
            let path = self.path_of(&entry.key);
            let value = match &entry.node.value {
                Value::Map(_) => FreeValue::Map(Section::new(&entry.node, path.clone(), notes)),
                _ => FreeValue::Scalar(self.scalar(&entry.node, path.clone())?),
            };
            Some((Text { at: entry.key_at, path, value: entry.key.clone() }, value))
        };
        let entries: &'a [Entry] = self.entries;
        entries.iter().filter_map(entry).collect()
    }

    /// A finite number, of at least `least` where there is one; `None` when absent.
    pub(super) fn real(&mut self, key: &'static str, least: Option<f64>) -> Option<f64> {
        let text = self.text(key)?;
        self.real_of(&text, least)
    }

    /// The two numbers of a list; `None` when absent.
    pub(super) fn pair(&mut self, key: &'static str) -> Option<(f64, f64)> {
        let texts = self.texts(key)?;
        let [low, high] = texts.as_slice() else {
            self.note_at(key, "must have two numbers; write, for example, [0, 1]");
            return None;
        };
        // Both are read before either is given up on: all problems are wanted.
        let (low, high) = (self.real_of(low, None), self.real_of(high, None));
        low.zip(high)
    }

    fn real_of(&self, text: &Text, least: Option<f64>) -> Option<f64> {
        let fits = |number: &f64| number.is_finite() && least.is_none_or(|least| *number >= least);
        let number = text.value.parse().ok().filter(fits);
        if number.is_none() {
            let from = least.map_or_else(String::new, |least| format!(" from {least} up"));
            let message = format!("{:?} is not a number{from}", text.value);
            self.note(text, &message, "write, for example, 0.05 or 12");
        }
        number
    }

    /// A duration within `range`.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = self.text(key) else { return default };
        let (low, high) = (format_duration(*range.start()), format_duration(*range.end()));
        match parse_duration(&text.value) {
            Some(duration) if range.contains(&duration) => return duration,
            Some(_) => self.note(
                &text,
                &format!("{} is out of range", text.value),
                &format!("write {low} to {high}"),
            ),
            None => self.note(
                &text,
                &format!("{:?} is not a duration", text.value),
                "write units from y w d h m s ms, each once and in this order, such as 15s or 1h30m",
            ),
        }
        default
    }

    /// A size in bytes within `range`.
    pub(super) fn size(&mut self, key: &'static str, default: usize, range: RangeInclusive<usize>) -> usize {
        let Some(text) = self.text(key) else { return default };
        let (low, high) = (format_size(*range.start() as u64), format_size(*range.end() as u64));
        match parse_size(&text.value).map(usize::try_from) {
            Some(Ok(size)) if range.contains(&size) => return size,
            Some(_) => self.note(
                &text,
                &format!("{} is out of range", text.value),
                &format!("write {low} to {high}"),
            ),
            None => self.note(
                &text,
                &format!("{:?} is not a size", text.value),
                "write a whole number with a unit such as KiB, MiB or GiB",
            ),
        }
        default
    }

    /// A number, whole or not as `T` is, within `range`.
    pub(super) fn number<T>(&mut self, key: &'static str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        let Some(text) = self.text(key) else { return default };
        match text.value.parse::<T>() {
            Ok(number) if range.contains(&number) => return number,
            _ => self.note(
                &text,
                &format!("{:?} is not a number from {} to {}", text.value, range.start(), range.end()),
                &format!("the default is {default}"),
            ),
        }
        default
    }

    /// One of some names.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
        default: T,
    ) -> T {
        let Some(text) = self.text(key) else { return default };
        let chosen = choices.iter().find(|(name, _)| *name == text.value);
        chosen.map_or_else(
            || {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                let hint = did_you_mean(&text.value, &names, || format!("write {}", names.join(", ")));
                self.note(&text, &format!("{:?} is none of the choices", text.value), &hint);
                default
            },
            |(_, choice)| *choice,
        )
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, key: &'static str, default: bool) -> bool {
        let Some(text) = self.text(key) else { return default };
        text.value.parse().unwrap_or_else(|_| {
            self.note(&text, &format!("{:?} is neither true nor false", text.value), "write true or false");
            default
        })
    }

    /// Whether anything is written under `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Notes the keys that no call asked for.
    pub(super) fn finish(self) {
        for entry in self.entries.iter().filter(|entry| !self.known.contains(&entry.key.as_str())) {
            let known_here = || format!("known here: {}", self.known.join(", "));
            let hint = did_you_mean(&entry.key, &self.known, known_here);
            self.push(entry.key_at, self.path_of(&entry.key), "unknown key", &hint);
        }
    }

    /// Notes a problem of the map itself.
    pub(super) fn note_here(&self, message: &str, hint: &str) {
        self.push(self.at, self.path.clone(), message, hint);
    }

    /// Notes a problem of one value.
    pub(super) fn note(&self, text: &Text, message: &str, hint: &str) {
        self.push(text.at, text.path.clone(), message, hint);
    }

    /// Notes a problem of the value under `key` (with dots for maps in maps), or of the map itself when
    /// the key is not written. The message says what to write instead.
    pub(super) fn note_at(&self, key: &str, message: &str) {
        let first = key.split('.').next().unwrap_or_default();
        let at = self.entries.iter().find(|entry| entry.key == first).map_or(self.at, |entry| entry.node.at);
        let path = if key.is_empty() { self.path.clone() } else { self.path_of(key) };
        self.notes.borrow_mut().push(Problem { at, path, message: message.to_owned(), hint: None });
    }

    /// The path of `key` in this map.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn push(&self, at: Position, path: String, message: &str, hint: &str) {
        let problem = Problem { at, path, message: message.to_owned(), hint: Some(hint.to_owned()) };
        self.notes.borrow_mut().push(problem);
    }

    fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let entries: &'a [Entry] = self.entries;
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The items of the list under `key` with their paths.
    fn items(&mut self, key: &'static str) -> Option<Vec<(String, &'a Node)>> {
        let path = self.path_of(key);
        let node = self.node(key)?;
        match &node.value {
            Value::List(items) => {
                Some(items.iter().enumerate().map(|(i, item)| (format!("{path}[{i}]"), item)).collect())
            }
            Value::Null => None,
            Value::Scalar(_) | Value::Map(_) => {
                self.push(node.at, path, "must be a list", "write one item a line, each after a dash");
                None
            }
        }
    }

    fn scalar(&self, node: &Node, path: String) -> Option<Text> {
        match &node.value {
            Value::Scalar(value) => Some(Text { at: node.at, path, value: value.clone() }),
            Value::Null => None,
            Value::List(_) | Value::Map(_) => {
                self.push(node.at, path, "must be a single value", "write `key: value`");
                None
            }
        }
    }
}

/// What to write instead of `word`: the known one that was probably meant, or else what `otherwise` says.
pub(super) fn did_you_mean(word: &str, known: &[&str], otherwise: impl FnOnce() -> String) -> String {
    nearest(word, known).map_or_else(otherwise, |meant| format!("did you mean {meant:?}?"))
}

/// The known key that differs from `key` by the fewest edits, when those are few enough for a slip.
fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let (edits, best) = known.iter().map(|candidate| (edits(key, candidate), *candidate)).min()?;
    (edits <= 2.max(best.len() / 3)).then_some(best)
}

/// Levenshtein distance, in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    // A key longer than any of ours is far from all of them; the bound keeps hostile keys cheap.
    for (i, from) in a.chars().take(100).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_offered_only_for_a_slip() {
        assert_eq!(nearest("tresholds", &["thresholds", "by"]), Some("thresholds"));
        assert_eq!(nearest("colour", &["thresholds", "by"]), None);
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
