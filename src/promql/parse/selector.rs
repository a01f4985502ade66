//! Selectors and what follows them: ranges and offsets.

use super::Parser;
use crate::{
    promql::{
        ast::{Kind, Matcher, Node, Selector},
        error::{Fault, Span},
        lex::Token,
        literal,
    },
    series::{METRIC_NAME, MatchOp},
};

impl Parser {
    /// `name`, `name{..}` or `{..}`.
    pub(super) fn selector(&mut self) -> Result<Node, Fault> {
        let start = self.span();
        let mut end = start;
        let metric = match self.peek().clone() {
            Token::Word(name) => {
                self.take();
                Some(name)
            }
            _ => None,
        };
        let mut matchers = Vec::new();
        if self.at_symbol("{") {
            (matchers, end) = self.matchers()?;
        }
        let span = start.to(end);
        if let Some(metric) = &metric
            && let Some(again) = matchers.iter().find(|matcher| matcher.name == METRIC_NAME)
        {
            let message = format!("the metric name is given twice: {metric:?} and {:?}", again.value);
            return Err(Fault::new(again.span, message));
        }
        let selector = Selector { metric, matchers, range_ms: None, offset_ms: None };
        Ok(Node { span, height: 1, kind: Kind::Selector(selector) })
    }

    /// `{a="b", "my.label"=~"c", "my.metric"}` and where it ends; a trailing comma is allowed.
    fn matchers(&mut self) -> Result<(Vec<Matcher>, Span), Fault> {
        self.take();
        let mut matchers = Vec::new();
        while !self.at_symbol("}") {
            matchers.push(self.matcher()?);
            if !self.eat_symbol(",") {
                break;
            }
        }
        Ok((matchers, self.expect_symbol("}", "\",\" or \"}\"")?))
    }

    fn matcher(&mut self) -> Result<Matcher, Fault> {
        let (name, is_quoted) = match self.peek().clone() {
            Token::Word(name) => (name, false),
            Token::Text(name) if !name.is_empty() => (name, true),
            _ => return Err(self.unexpected("a label name or \"}\"")),
        };
        let start = self.take().span;
        let op = match self.peek() {
            Token::Symbol("=") => MatchOp::Equal,
            Token::Symbol("!=") => MatchOp::NotEqual,
            Token::Symbol("=~") => MatchOp::Regex,
            Token::Symbol("!~") => MatchOp::NotRegex,
            // A quoted text alone is the metric name.
            Token::Symbol("," | "}") if is_quoted => {
                let name_matcher =
                    Matcher { name: METRIC_NAME.to_owned(), op: MatchOp::Equal, value: name, span: start };
                return Ok(name_matcher);
            }
            _ => return Err(self.unexpected("\"=\", \"!=\", \"=~\" or \"!~\"")),
        };
        self.take();
        let Token::Text(value) = self.peek().clone() else {
            return Err(self.unexpected("a quoted label value"));
        };
        Ok(Matcher { name, op, value, span: start.to(self.take().span) })
    }

    /// What follows a primary: `[5m]` and `offset 5m`, each once and in this order.
    pub(super) fn modifiers(&mut self, mut node: Node) -> Result<Node, Fault> {
        loop {
            let span = self.span();
            if self.at_symbol("[") {
                self.range(&mut node)?;
            } else if self.at_symbol("@") {
                return Err(Fault::new(span, "the @ modifier is not supported")
                    .hint("an expression is always evaluated at the step; use offset to look back"));
            } else if self.eat_keyword("offset") {
                let (offset_ms, end) = self.offset()?;
                let Kind::Selector(selector) = &mut node.kind else {
                    return Err(Fault::new(span, "offset belongs directly behind a selector")
                        .hint("write it inside: sum(a offset 5m), not sum(a) offset 5m"));
                };
                if selector.offset_ms.replace(offset_ms).is_some() {
                    return Err(Fault::new(span, "offset is given twice"));
                }
                node.span = node.span.to(end);
            } else {
                return Ok(node);
            }
        }
    }

    fn range(&mut self, node: &mut Node) -> Result<(), Fault> {
        let open = self.take().span;
        let (range_ms, duration_span) = self.duration()?;
        if self.at_symbol(":") {
            return Err(Fault::new(open.to(self.span()), "subqueries are not supported").hint(
                "make the inner expression a feature of its own: its windows give mean, max and spread",
            ));
        }
        let close = self.expect_symbol("]", "\"]\"")?;
        let Kind::Selector(selector) = &mut node.kind else {
            return Err(Fault::new(open.to(close), "a range belongs directly behind a selector")
                .hint("apply the range function first: sum(rate(a[5m])), not rate(sum(a)[5m])"));
        };
        if selector.offset_ms.is_some() {
            return Err(Fault::new(open.to(close), "the range stands before the offset")
                .hint("write a[5m] offset 1m"));
        }
        if selector.range_ms.is_some() {
            return Err(Fault::new(open.to(close), "the range is given twice"));
        }
        if range_ms <= 0 {
            return Err(Fault::new(duration_span, "a range is longer than zero"));
        }
        selector.range_ms = Some(range_ms);
        node.span = node.span.to(close);
        Ok(())
    }

    /// A signed duration in milliseconds, and where it ends.
    fn offset(&mut self) -> Result<(i64, Span), Fault> {
        let minus = self.at_symbol("-");
        if minus || self.at_symbol("+") {
            self.take();
        }
        let (ms, span) = self.duration()?;
        Ok((if minus { -ms } else { ms }, span))
    }

    /// A duration in milliseconds: `5m`, or a plain number of seconds.
    fn duration(&mut self) -> Result<(i64, Span), Fault> {
        let span = self.span();
        let ms = match self.peek() {
            Token::Duration(ms) => Ok(*ms),
            Token::Number(seconds) => literal::seconds_as_ms(*seconds),
            _ => return Err(self.unexpected("a duration like 5m")),
        };
        self.take();
        Ok((ms.map_err(|problem| Fault::new(span, problem))?, span))
    }
}
