//! From tokens to a tree: recursive descent, binary operators by precedence.

mod binary;

mod modifier;

mod selector;

use super::{
    ast::{Binary, Grouping, Kind, Name, Node, POWER_PRECEDENCE},
    error::{Fault, Span},
    lex::{Lexed, Token, lex, quoted},
    literal,
};

/// Most bytes of an expression.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// Most levels of a tree; keeps every recursion over it far from the end of the stack.
const MAX_HEIGHT: usize = 200;

/// The aggregation operators of PromQL.
const AGGREGATIONS: [&str; 14] = [
    "avg",
    "bottomk",
    "count",
    "count_values",
    "group",
    "limit_ratio",
    "limitk",
    "max",
    "min",
    "quantile",
    "stddev",
    "stdvar",
    "sum",
    "topk",
];

/// Keywords that cannot be a metric name.
const RESERVED: [&str; 6] = ["atan2", "bool", "group_left", "group_right", "ignoring", "on"];

/// Parses an expression. It is only known to be well formed then: `check` looks at types and names.
pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    if text.len() > MAX_TEXT_BYTES {
        let span = Span { start: MAX_TEXT_BYTES, end: text.len() };
        return Err(Fault::new(span, format!("the expression is longer than {MAX_TEXT_BYTES} bytes")));
    }
    let mut parser = Parser { tokens: lex(text)?, at: 0, depth: 0 };
    if *parser.peek() == Token::End {
        return Err(Fault::new(parser.span(), "there is no expression"));
    }
    let root = parser.expression(0)?;
    if *parser.peek() != Token::End {
        return Err(parser.unexpected("an operator or the end"));
    }
    Ok(root)
}

struct Parser {
    /// Invariant: ends with [`Token::End`].
    tokens: Vec<Lexed>,
    /// Invariant: less than `tokens.len()`.
    at: usize,
    depth: usize,
}

// === tokens ===

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn peek_second(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].token
    }

    fn span(&self) -> Span {
        self.tokens[self.at].span
    }

    /// The token here, stepping over it; the end is never stepped over.
    fn take(&mut self) -> Lexed {
        let lexed = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        lexed
    }

    fn at_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(found) if *found == symbol)
    }

    /// Steps over `symbol` if it is here.
    fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        if found {
            self.take();
        }
        found
    }

    fn expect_symbol(&mut self, symbol: &str, wanted: &str) -> Result<Span, Fault> {
        if self.at_symbol(symbol) { Ok(self.take().span) } else { Err(self.unexpected(wanted)) }
    }

    /// The word here in lower case: keywords do not distinguish case.
    fn keyword(&self) -> Option<String> {
        match self.peek() {
            Token::Word(word) => Some(word.to_ascii_lowercase()),
            _ => None,
        }
    }

    fn eat_keyword(&mut self, keyword: &str) -> bool {
        let found = self.keyword().is_some_and(|word| word == keyword);
        if found {
            self.take();
        }
        found
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        let found = match self.peek() {
            Token::Word(word) => quoted(word),
            Token::Number(_) => "a number".to_owned(),
            Token::Duration(_) => "a duration".to_owned(),
            Token::Text(_) => "a string".to_owned(),
            Token::Symbol(symbol) => quoted(symbol),
            Token::End => "the end".to_owned(),
        };
        Fault::new(self.span(), format!("unexpected {found}, expected {wanted}"))
    }
}

// === expressions ===

impl Parser {
    /// An expression whose binary operators bind at least as tightly as `weakest`.
    fn expression(&mut self, weakest: u8) -> Result<Node, Fault> {
        self.depth += 1;
        if self.depth > MAX_HEIGHT {
            return Err(too_deep(self.span()));
        }
        let mut left = self.operand()?;
        while let Some(op) = self.binary_op() {
            let precedence = op.precedence();
            if precedence < weakest {
                break;
            }
            let op_span = self.take().span;
            let returns_bool = self.eat_keyword("bool");
            let matching = self.matching()?;
            // Only `^` groups to the right.
            let right = self.expression(precedence + u8::from(precedence != POWER_PRECEDENCE))?;
            left = binary::node(Binary { op, op_span, left, right, returns_bool, matching })?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// A signed operand, or a primary with its modifiers.
    fn operand(&mut self) -> Result<Node, Fault> {
        let start = self.span();
        let minus = self.at_symbol("-");
        if !minus && !self.at_symbol("+") {
            let primary = self.primary()?;
            return self.modifiers(primary);
        }
        self.take();
        let of = self.expression(POWER_PRECEDENCE)?;
        let (span, height) = (start.to(of.span), of.height + 1);
        let kind = match of.kind {
            Kind::Number(value) => Kind::Number(if minus { -value } else { value }),
            _ if minus => Kind::Minus(Box::new(of)),
            _ => Kind::Plus(Box::new(of)),
        };
        Ok(Node { span, height, kind })
    }

    fn primary(&mut self) -> Result<Node, Fault> {
        let span = self.span();
        let leaf = |kind| Node { span, height: 1, kind };
        match self.peek().clone() {
            Token::Number(value) => {
                self.take();
                Ok(leaf(Kind::Number(value)))
            }
            Token::Duration(ms) => {
                self.take();
                Ok(leaf(Kind::Number(literal::ms_as_seconds(ms))))
            }
            Token::Text(text) => {
                self.take();
                Ok(leaf(Kind::Text(text)))
            }
            Token::Symbol("(") => self.parenthesis(),
            Token::Symbol("{") => self.selector(),
            Token::Word(word) => self.named(&word),
            Token::Symbol(_) | Token::End => Err(self.unexpected("an expression")),
        }
    }

    fn parenthesis(&mut self) -> Result<Node, Fault> {
        let open = self.take().span;
        let inner = self.expression(0)?;
        let close = self.expect_symbol(")", "\")\"")?;
        Ok(Node { span: open.to(close), height: inner.height + 1, kind: Kind::Paren(Box::new(inner)) })
    }

    /// What begins with a word: a special number, an aggregation, a call or a selector.
    fn named(&mut self, word: &str) -> Result<Node, Fault> {
        let span = self.span();
        let lower = word.to_ascii_lowercase();
        if let Some(value) = literal::named_number(word) {
            self.take();
            return Ok(Node { span, height: 1, kind: Kind::Number(value) });
        }
        let opens = *self.peek_second() == Token::Symbol("(");
        if AGGREGATIONS.contains(&lower.as_str()) {
            let grouped = matches!(self.peek_second(), Token::Word(next)
                if ["by", "without"].contains(&next.to_ascii_lowercase().as_str()));
            if opens || grouped {
                return self.aggregation(lower);
            }
        } else if RESERVED.contains(&lower.as_str()) {
            return Err(self.unexpected("an expression"));
        } else if opens {
            return self.call(word);
        }
        self.selector()
    }

    fn call(&mut self, name: &str) -> Result<Node, Fault> {
        let span = self.take().span;
        let (args, end) = self.arguments()?;
        let name = Name { text: name.to_owned(), span };
        Ok(Node { span: span.to(end), height: height_of(&args), kind: Kind::Call { name, args } })
    }

    fn aggregation(&mut self, op: String) -> Result<Node, Fault> {
        let span = self.take().span;
        let before = self.grouping()?;
        let (args, mut end) = self.arguments()?;
        let grouping = match before {
            Some((grouping, _)) => grouping,
            None => match self.grouping()? {
                Some((grouping, grouping_end)) => {
                    end = grouping_end;
                    grouping
                }
                None => Grouping::By(Vec::new()),
            },
        };
        let height = height_of(&args);
        let kind = Kind::Aggregate { op: Name { text: op, span }, grouping, args };
        Ok(Node { span: span.to(end), height, kind })
    }

    /// `by (..)` or `without (..)`, and where it ends.
    fn grouping(&mut self) -> Result<Option<(Grouping, Span)>, Fault> {
        let by = self.eat_keyword("by");
        if !by && !self.eat_keyword("without") {
            return Ok(None);
        }
        let (labels, end) = self.label_names()?;
        Ok(Some((if by { Grouping::By(labels) } else { Grouping::Without(labels) }, end)))
    }

    /// `(a, b)` and where it ends.
    fn arguments(&mut self) -> Result<(Vec<Node>, Span), Fault> {
        self.expect_symbol("(", "\"(\"")?;
        let mut args = Vec::new();
        if self.at_symbol(")") {
            return Ok((args, self.take().span));
        }
        loop {
            args.push(self.expression(0)?);
            if !self.eat_symbol(",") {
                break;
            }
        }
        Ok((args, self.expect_symbol(")", "\",\" or \")\"")?))
    }

    /// `(job, "my.label")` and where it ends; a trailing comma is allowed.
    fn label_names(&mut self) -> Result<(Vec<String>, Span), Fault> {
        self.expect_symbol("(", "\"(\" and label names")?;
        let mut names = Vec::new();
        while !self.at_symbol(")") {
            match self.peek().clone() {
                Token::Word(name) if literal::named_number(&name).is_none() => names.push(name),
                Token::Text(name) if !name.is_empty() => names.push(name),
                _ => return Err(self.unexpected("a label name or \")\"")),
            }
            self.take();
            if !self.eat_symbol(",") {
                break;
            }
        }
        Ok((names, self.expect_symbol(")", "\",\" or \")\"")?))
    }
}

fn height_of(args: &[Node]) -> usize {
    1 + args.iter().map(|arg| arg.height).max().unwrap_or(0)
}

fn too_deep(span: Span) -> Fault {
    Fault::new(span, format!("the expression is nested more than {MAX_HEIGHT} levels deep"))
        .hint("split it into several expressions")
}

#[cfg(test)]
mod tests;
