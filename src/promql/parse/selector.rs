//! Series selectors.

use super::Parser;
use crate::{
    promql::{
        ast::{Kind, Matcher, Moment, Node, Selector},
        error::{Fault, Span},
        lex::Token,
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
        let selector = Selector { metric, matchers, range_ms: None, moment: Moment::default() };
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
}
