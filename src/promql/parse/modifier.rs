//! What follows an operand: `[5m]`, `[1h:5m]`, `offset 5m`, `@ 1700000000`.

use super::{MAX_HEIGHT, Parser, too_deep};
use crate::{
    promql::{
        ast::{At, Kind, Moment, Node, Subquery},
        error::{Fault, Span},
        lex::Token,
        literal,
    },
    series::TimestampMs,
};

impl Parser {
    /// Takes all modifiers of `node`; `offset` and `@` in any order, each once.
    pub(super) fn modifiers(&mut self, mut node: Node) -> Result<Node, Fault> {
        loop {
            let span = self.span();
            if self.at_symbol("[") {
                node = self.range(node)?;
            } else if self.eat_symbol("@") {
                let (at, end) = self.at()?;
                let moment = moment(&mut node)
                    .ok_or_else(|| Fault::new(span, "@ belongs directly behind a selector or a subquery"))?;
                if moment.at.replace(at).is_some() {
                    return Err(Fault::new(span, "@ is given twice"));
                }
                node.span = node.span.to(end);
            } else if self.eat_keyword("offset") {
                let (offset_ms, end) = self.offset()?;
                let moment = moment(&mut node).ok_or_else(|| {
                    Fault::new(span, "offset belongs directly behind a selector or a subquery")
                        .hint("write it inside: sum(a offset 5m), not sum(a) offset 5m")
                })?;
                if moment.offset_ms != 0 {
                    return Err(Fault::new(span, "offset is given twice"));
                }
                moment.offset_ms = offset_ms;
                node.span = node.span.to(end);
            } else {
                return Ok(node);
            }
        }
    }

    /// `[5m]` makes a selector a range, `[1h:5m]` anything a subquery.
    fn range(&mut self, mut node: Node) -> Result<Node, Fault> {
        let open = self.take().span;
        let range_ms = self.positive_duration("a range is longer than zero")?;
        if self.eat_symbol(":") {
            return self.subquery(node, range_ms);
        }
        let close = self.expect_symbol("]", "\":\" or \"]\"")?;
        let Kind::Selector(selector) = &mut node.kind else {
            return Err(Fault::new(open.to(close), "a range belongs directly behind a selector")
                .hint("write a subquery, for example sum(a)[5m:1m], or the range inside: sum(rate(a[5m]))"));
        };
        if selector.moment != Moment::default() {
            return Err(Fault::new(open.to(close), "the range stands before offset and @")
                .hint("write a[5m] offset 1m"));
        }
        if selector.range_ms.replace(range_ms).is_some() {
            return Err(Fault::new(open.to(close), "the range is given twice"));
        }
        node.span = node.span.to(close);
        Ok(node)
    }

    fn subquery(&mut self, inner: Node, range_ms: i64) -> Result<Node, Fault> {
        let step_ms = if self.at_symbol("]") {
            None
        } else {
            Some(self.positive_duration("the step of a subquery is longer than zero")?)
        };
        let close = self.expect_symbol("]", "\"]\"")?;
        let (span, height) = (inner.span.to(close), inner.height + 1);
        if height > MAX_HEIGHT {
            return Err(too_deep(span));
        }
        let subquery = Subquery { inner, range_ms, step_ms, moment: Moment::default() };
        Ok(Node { span, height, kind: Kind::Subquery(Box::new(subquery)) })
    }

    /// A duration in milliseconds; signs may stand before it, as Prometheus reads them.
    fn positive_duration(&mut self, or: &str) -> Result<i64, Fault> {
        let start = self.span();
        let mut sign = 1;
        while self.at_symbol("-") || self.at_symbol("+") {
            sign *= if self.at_symbol("-") { -1 } else { 1 };
            self.take();
        }
        let (ms, span) = self.duration()?;
        if sign * ms > 0 { Ok(ms.abs()) } else { Err(Fault::new(start.to(span), or)) }
    }

    /// A signed duration in milliseconds, and where it ends.
    fn offset(&mut self) -> Result<(i64, Span), Fault> {
        let minus = self.sign();
        let (ms, span) = self.duration()?;
        Ok((if minus { -ms } else { ms }, span))
    }

    /// Steps over one sign; true for a minus.
    fn sign(&mut self) -> bool {
        let minus = self.eat_symbol("-");
        if !minus {
            self.eat_symbol("+");
        }
        minus
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

    /// What stands behind `@`, and where it ends.
    fn at(&mut self) -> Result<(At, Span), Fault> {
        const WANTED: &str = "a Unix timestamp in seconds, start() or end()";
        let start = self.span();
        let boundary = match self.keyword().as_deref() {
            Some("start") => Some(At::Start),
            Some("end") => Some(At::End),
            _ => None,
        };
        if let Some(boundary) = boundary {
            self.take();
            self.expect_symbol("(", "\"(\"")?;
            return Ok((boundary, self.expect_symbol(")", "\")\"")?));
        }
        let minus = self.sign();
        let seconds = match self.peek() {
            Token::Number(seconds) => *seconds,
            Token::Duration(ms) => literal::ms_as_seconds(*ms),
            Token::Word(word) => match literal::named_number(word) {
                Some(number) => number,
                None => return Err(self.unexpected(WANTED)),
            },
            _ => return Err(self.unexpected(WANTED)),
        };
        let end = self.take().span;
        let ms = (if minus { -seconds } else { seconds } * 1000.0).round();
        // Beyond this no timestamp in milliseconds is exact, let alone a time.
        if ms.is_nan() || ms.abs() >= i64::MAX as f64 / 1000.0 {
            return Err(Fault::new(start.to(end), "the timestamp is out of bounds"));
        }
        Ok((At::Fixed(TimestampMs(ms as i64)), end))
    }
}

fn moment(node: &mut Node) -> Option<&mut Moment> {
    match &mut node.kind {
        Kind::Selector(selector) => Some(&mut selector.moment),
        Kind::Subquery(subquery) => Some(&mut subquery.moment),
        _ => None,
    }
}
