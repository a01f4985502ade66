//! From text to tokens.

use super::{
    error::{Fault, Span},
    literal,
};

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name or a keyword: the parser knows where a word is which.
    Word(String),
    Number(f64),
    /// A duration, in milliseconds.
    Duration(i64),
    /// A quoted string, without quotes and escapes.
    Text(String),
    /// An operator or a bracket.
    Symbol(&'static str),
    End,
}

/// A token and its place.
#[derive(Clone, Debug)]
pub(super) struct Lexed {
    pub(super) token: Token,
    pub(super) span: Span,
}

/// Operators and brackets, those first that another is the start of.
const SYMBOLS: [&str; 25] = [
    "==", "=~", "!=", "!~", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "%", "^", "(", ")", "{", "}", "[",
    "]", ",", "@", ":", ";",
];

/// All tokens of `text`, ended by [`Token::End`]. Comments and space are left out.
pub(super) fn lex(text: &str) -> Result<Vec<Lexed>, Fault> {
    let mut lexer = Lexer { text, at: 0, in_braces: false, in_brackets: false, wants_duration: false };
    let mut tokens = Vec::new();
    loop {
        let lexed = lexer.next()?;
        let done = lexed.token == Token::End;
        tokens.push(lexed);
        if done {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Label names have no colon; metric names may.
    in_braces: bool,
    /// A colon is the sign of a subquery, not the start of a name.
    in_brackets: bool,
    /// Directly behind a bracket, signs aside.
    wants_duration: bool,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Lexed, Fault> {
        self.skip_space_and_comments();
        let start = self.at;
        let token = match self.peek() {
            None => Token::End,
            Some('"' | '\'' | '`') => self.text_literal()?,
            Some(c) if c.is_ascii_digit() => self.number_or_duration()?,
            Some('.') if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                self.number_or_duration()?
            }
            Some(c) if self.starts_word(c) => self.word(),
            Some(c) => self.symbol(c)?,
        };
        Ok(Lexed { token, span: Span { start, end: self.at } })
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes characters while `wanted` holds for them.
    fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> String {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        let taken = rest[..length].to_owned();
        self.at += length;
        taken
    }

    fn skip_space_and_comments(&mut self) {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            // Prometheus knows no comments between a bracket and its duration.
            if self.peek() != Some('#') || self.wants_duration {
                return;
            }
            self.take_while(|c| !matches!(c, '\n' | '\r'));
        }
    }

    fn starts_word(&self, c: char) -> bool {
        c == '_' || c.is_ascii_alphabetic() || (c == ':' && !self.in_braces && !self.in_brackets)
    }

    fn word(&mut self) -> Token {
        let colon = !self.in_braces && !self.in_brackets;
        Token::Word(self.take_while(|c| c == '_' || c.is_ascii_alphanumeric() || (c == ':' && colon)))
    }

    fn number_or_duration(&mut self) -> Result<Token, Fault> {
        self.wants_duration = false;
        let start = self.at;
        if let Some(length) = literal::number_length(self.rest()) {
            self.at += length;
            let written = &self.text[start..self.at];
            let span = Span { start, end: self.at };
            let number = literal::number(written).map(Token::Number);
            return number.ok_or_else(|| Fault::new(span, format!("{} is not a number", quoted(written))));
        }
        let written = self.take_while(|c| matches!(c, '.' | '_') || c.is_ascii_alphanumeric());
        let span = Span { start, end: self.at };
        literal::duration_ms(&written).map(Token::Duration).map_err(|problem| {
            Fault::new(span, format!("{} is neither a number nor a duration", quoted(&written))).hint(problem)
        })
    }

    fn text_literal(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        let quote = self.peek().unwrap_or('"');
        let inner = start + 1;
        let Some(length) = string_length(&self.text[inner..], quote) else {
            let span = Span { start, end: self.text.len() };
            return Err(Fault::new(span, "the quoted string has no end"));
        };
        let content = &self.text[inner..inner + length];
        self.at = inner + length + 1;
        if quote == '`' {
            return Ok(Token::Text(content.to_owned()));
        }
        literal::unescape(content, quote).map(Token::Text).map_err(|(offset, problem)| {
            Fault::new(Span { start: inner + offset, end: inner + offset + 2 }, problem)
        })
    }

    fn symbol(&mut self, c: char) -> Result<Token, Fault> {
        let start = self.at;
        let Some(symbol) = SYMBOLS.into_iter().find(|symbol| self.rest().starts_with(symbol)) else {
            let span = Span { start, end: start + c.len_utf8() };
            return Err(Fault::new(span, format!("unexpected character {c:?}")));
        };
        self.at += symbol.len();
        match symbol {
            "{" => self.in_braces = true,
            "}" => self.in_braces = false,
            "[" => (self.in_brackets, self.wants_duration) = (true, true),
            "]" => (self.in_brackets, self.wants_duration) = (false, false),
            _ => {}
        }
        Ok(Token::Symbol(symbol))
    }
}

/// Bytes up to the closing quote; a backquoted string has no escapes and may have line breaks.
fn string_length(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            '\n' if quote != '`' => return None,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// The head of a text in quotes: a message never grows with hostile input.
pub(super) fn quoted(text: &str) -> String {
    let head: String = text.chars().take(40).collect();
    if head.len() == text.len() { format!("{head:?}") } else { format!("{head:?}...") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        lex(text).unwrap().into_iter().map(|lexed| lexed.token).collect()
    }

    #[test]
    fn colons_belong_to_metric_names_only() {
        let word = |text: &str| Token::Word(text.into());
        assert_eq!(tokens("job:rate5m"), [word("job:rate5m"), Token::End]);
        let subquery = [
            word("a"),
            Token::Symbol("["),
            Token::Duration(300_000),
            Token::Symbol(":"),
            Token::Duration(60_000),
            Token::Symbol("]"),
            Token::End,
        ];
        assert_eq!(tokens("a[5m:1m]"), subquery);
    }

    #[test]
    fn signs_are_part_of_exponents_and_of_nothing_else() {
        let one = Token::Number(1.0);
        assert_eq!(tokens("1e-3"), [Token::Number(0.001), Token::End]);
        assert_eq!(tokens("1-1"), [one.clone(), Token::Symbol("-"), one, Token::End]);
        assert_eq!(
            tokens("0xe+1"),
            [Token::Number(14.0), Token::Symbol("+"), Token::Number(1.0), Token::End]
        );
    }

    #[test]
    fn comments_and_quotes() {
        assert_eq!(tokens("# all \"\n1 # one"), [Token::Number(1.0), Token::End]);
        let text = |text: &str| Token::Text(text.into());
        assert_eq!(tokens(r##""a\"#" '\'' `\n`"##), [text("a\"#"), text("'"), text("\\n"), Token::End]);
        assert!(lex("\"a\nb\"").is_err());
        assert!(lex("'a").is_err());
        assert!(lex("a & b").is_err());
    }
}
