//! A small scanner of Rust source: enough to see which module a file uses, no more.
//!
//! It skips comments, strings and character literals, and follows `crate::`, `super::` and grouped
//! paths. It does not expand macros and does not resolve names, so a re-export hides its origin.

use std::{fs, path::Path};

/// One file of `src/`.
pub(crate) struct SourceFile {
    /// Path from the root of the package.
    pub(crate) path: String,
    /// The file as it is.
    pub(crate) text: String,
    /// `window` for `src/window.rs` and for `src/window/ring.rs`.
    pub(crate) top_module: String,
    /// How deep the file's module lies: 1 for `src/window.rs`, 2 for `src/window/ring.rs`.
    depth: usize,
    tokens: Vec<Token>,
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) line: usize,
}

#[derive(Clone, Debug)]
struct Token {
    /// A word, `::`, or a single other character.
    text: String,
    line: usize,
    /// Inside `#[cfg(test)] mod ... { }`, or in a file of tests.
    in_test: bool,
    /// Number of `mod ... { }` around it in this file.
    inline_depth: usize,
}

/// Every `.rs` file under `folder`, by path.
pub(crate) fn read_all(folder: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn collect(folder: &Path, files: &mut Vec<SourceFile>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            files.push(SourceFile::new(&path.to_string_lossy(), text));
        }
    }
}

// === impl SourceFile ===

impl SourceFile {
    /// `path` begins with `src/`.
    pub(crate) fn new(path: &str, text: String) -> Self {
        let modules: Vec<&str> = path.trim_end_matches(".rs").split('/').skip(1).collect();
        let is_test = modules.iter().skip(1).any(|module| *module == "tests");
        let mut tokens = tokenize(&text);
        mark_blocks(&mut tokens, is_test);
        Self {
            path: path.to_owned(),
            top_module: modules.first().copied().unwrap_or_default().to_owned(),
            depth: modules.len(),
            text,
            tokens,
        }
    }

    /// Every mention of a top module by `crate::...`, or by enough `super::`.
    pub(crate) fn uses_of_top_modules(&self) -> Vec<Named> {
        let mut found = Vec::new();
        for at in 0..self.tokens.len() {
            if at > 0 && self.tokens[at - 1].text == "::" {
                continue;
            }
            let mut end = at;
            let mut supers = 0;
            while self.is(end, "super") && self.is(end + 1, "::") {
                supers += 1;
                end += 2;
            }
            if self.is(at, "crate") && self.is(at + 1, "::") {
                self.first_names(at + 2, &mut found);
            } else if supers > 0 && supers == self.depth + self.tokens[at].inline_depth {
                self.first_names(end, &mut found);
            }
        }
        found
    }

    /// Every path `root::x` outside tests, by `x` and by `x::y`.
    pub(crate) fn paths_outside_tests(&self, root: &str) -> Vec<Named> {
        let mut found = Vec::new();
        for at in 0..self.tokens.len() {
            if self.is(at, root) && self.is(at + 1, "::") && !self.tokens[at].in_test {
                self.first_names(at + 2, &mut found);
            }
        }
        found
    }

    /// Every word outside tests.
    pub(crate) fn words_outside_tests(&self) -> impl Iterator<Item = Named> {
        let words = self.tokens.iter().filter(|token| !token.in_test && is_word(&token.text));
        words.map(|token| Named { name: token.text.clone(), line: token.line })
    }

    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.text == text)
    }

    /// The names that a path goes on with at `at`: one, or the heads of a group `{a::b, c}`.
    fn first_names(&self, at: usize, found: &mut Vec<Named>) {
        if !self.is(at, "{") {
            let name = self.tokens.get(at).filter(|token| is_word(&token.text));
            found.extend(name.map(|token| Named { name: token.text.clone(), line: token.line }));
            return;
        }
        let mut open = 0;
        for (place, token) in self.tokens.iter().enumerate().skip(at) {
            match token.text.as_str() {
                "{" => open += 1,
                "}" => open -= 1,
                word if open == 1
                    && is_word(word)
                    && (self.is(place - 1, "{") || self.is(place - 1, ",")) =>
                {
                    found.push(Named { name: word.to_owned(), line: token.line });
                }
                _ => {}
            }
            if open == 0 {
                return;
            }
        }
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Fills in which tokens lie in inline modules, and which of those are tests.
fn mark_blocks(tokens: &mut [Token], is_test: bool) {
    /// What a `{` opened.
    #[derive(Clone, Copy)]
    enum Block {
        Module { test: bool },
        Other,
    }
    let mut open: Vec<Block> = Vec::new();
    for at in 0..tokens.len() {
        let before = |n: usize| at.checked_sub(n).map_or("", |place| tokens[place].text.as_str());
        let attribute: String = (3..=10).rev().map(before).collect();
        let opens_module = before(2) == "mod" && is_word(before(1));
        match tokens[at].text.as_str() {
            "{" if opens_module => open.push(Block::Module { test: attribute.contains("cfg(test)]") }),
            "{" => open.push(Block::Other),
            "}" => drop(open.pop()),
            _ => {}
        }
        tokens[at].in_test =
            is_test || open.iter().any(|block| matches!(block, Block::Module { test: true }));
        tokens[at].inline_depth = open.iter().filter(|block| matches!(block, Block::Module { .. })).count();
    }
}

fn tokenize(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let skipped = skipped_bytes(rest);
        let taken = if skipped > 0 {
            skipped
        } else {
            let length = token_bytes(rest);
            if !first.is_whitespace() {
                tokens.push(Token { text: rest[..length].to_owned(), line, in_test: false, inline_depth: 0 });
            }
            length
        };
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
    }
    tokens
}

/// Length of the token at the front of `text`, which is not empty.
fn token_bytes(text: &str) -> usize {
    let word = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    match word {
        0 if text.starts_with("::") => 2,
        0 => text.chars().next().map_or(0, char::len_utf8),
        word => word,
    }
}

/// Length of the comment or literal at the front of `text`, 0 when there is none.
fn skipped_bytes(text: &str) -> usize {
    let to = |end: Option<usize>| end.unwrap_or(text.len());
    if text.starts_with("//") {
        return to(text.find('\n'));
    }
    if text.starts_with("/*") {
        return block_comment_bytes(text);
    }
    let after_prefix = text.strip_prefix('b').or_else(|| text.strip_prefix('c')).unwrap_or(text);
    let prefix = text.len() - after_prefix.len();
    if let Some(raw) = after_prefix.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = prefix + 1 + hashes + 1;
            return to(text[body..].find(&close).map(|at| body + at + close.len()));
        }
    }
    if after_prefix.starts_with('"') {
        return prefix + quoted_bytes(after_prefix, '"');
    }
    // A lifetime has no closing quote right after its first character.
    let mut characters = after_prefix.chars().skip(1);
    if after_prefix.starts_with('\'') && (characters.next() == Some('\\') || characters.next() == Some('\''))
    {
        return prefix + quoted_bytes(after_prefix, '\'');
    }
    0
}

fn quoted_bytes(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Block comments nest.
fn block_comment_bytes(text: &str) -> usize {
    let mut open = 0;
    let mut at = 0;
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (open, at) = (open + 1, at + 2),
            [b'*', b'/', ..] => (open, at) = (open - 1, at + 2),
            _ => at += 1,
        }
        if open == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::SourceFile;

    fn uses(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile::new(path, text.to_owned());
        file.uses_of_top_modules().into_iter().map(|used| format!("{}:{}", used.line, used.name)).collect()
    }

    #[test]
    fn paths_groups_and_supers_are_seen() {
        let text = "use crate::series::Sample;\nuse crate::{wire::{Limits, decompress}, window};\n\
                    fn f() { crate::promql::parse(\"\") }\nuse super::features;\nuse super::super::score;\n";
        assert_eq!(
            uses("src/x/y.rs", text),
            ["1:series", "2:wire", "2:window", "3:promql", "5:score"],
            "one super stays inside x, two reach the root"
        );
        assert_eq!(
            uses("src/x.rs", "use super::wire;\nmod tests { use super::f; use super::super::train; }"),
            ["1:wire", "2:train"]
        );
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = "// crate::a\n/* /* crate::b */ crate::c */\nlet s = \"crate::d \\\" crate::e\";\n\
                    let r = r#\"crate::f\" crate::g\"#; let c = '\"'; let q = '\\''; crate::h::<'a>(b\"crate::i\");\n\
                    //! [`crate::j`]\n";
        assert_eq!(uses("src/x.rs", text), ["4:h"]);
    }

    #[test]
    fn tests_are_told_from_code() {
        let text = "use std::{fmt, fs::File};\n#[cfg(test)]\nmod tests {\n use std::net::TcpStream;\n fn g() { tokio }\n}\nfn f() {}";
        let file = SourceFile::new("src/x.rs", text.to_owned());
        let names: Vec<String> = file.paths_outside_tests("std").into_iter().map(|used| used.name).collect();
        assert_eq!(names, ["fmt", "fs"]);
        let words: Vec<String> = file.words_outside_tests().map(|word| word.name).collect();
        assert!(words.contains(&"f".to_owned()) && !words.contains(&"tokio".to_owned()));
        assert!(SourceFile::new("src/x/tests.rs", text.to_owned()).words_outside_tests().next().is_none());
    }
}
