//! Requests of remote read: which series, of which time, in which form.

use super::ReadError;
use crate::{
    series::{LabelMatcher, MatchOp, TimestampMs},
    wire::{
        Limits, decompress,
        protobuf::{Damage, Fields, Value, for_each_varint},
        reference::v1,
        snappy::compress,
    },
};
use prost::Message;
use std::{ops::RangeInclusive, str};

/// Most queries that a request may have; Prometheus sends one.
const MAX_QUERIES: usize = 100;

/// Most matchers of a request: each may be a regular expression, which costs far more than its text.
const MAX_MATCHERS: usize = 200;

/// Most labels of all groupings of a request.
const MAX_GROUPING: usize = 1_000;

/// `prometheus.ReadRequest`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadRequest {
    /// What is asked for; answered in this order.
    pub queries: Vec<ReadQuery>,
    /// The forms of answer that are understood, the preferred one first. None means samples.
    pub accepted: Vec<ResponseType>,
}

/// Some series over some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadQuery {
    /// Time of the first sample.
    pub start: TimestampMs,
    /// Time of the last sample.
    pub end: TimestampMs,
    /// All hold for each series.
    pub matchers: Vec<LabelMatcher>,
    /// What will become of the series.
    pub hints: Option<ReadHints>,
}

/// What the querier will do with the series; a server may ignore it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadHints {
    /// Milliseconds between evaluations.
    pub step_ms: i64,
    /// The function or aggregation around the selector.
    pub function: String,
    /// Time of the first evaluation, and before it the range or the lookback.
    pub start: TimestampMs,
    /// Time of the last evaluation.
    pub end: TimestampMs,
    /// Labels of the aggregation.
    pub grouping: Vec<String>,
    /// Whether those labels are kept, or left out.
    pub by: bool,
    /// Milliseconds of the range, of a range selector.
    pub range_ms: i64,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseType {
    /// Samples, in one message.
    Samples,
    /// Chunks, in a stream of frames.
    StreamedChunks,
    /// One that is not known here, by its number.
    Other(i32),
}

// === impl ReadRequest ===

impl ReadRequest {
    /// The request as a body: snappy block format.
    ///
    /// # Errors
    /// When it is larger than snappy can say, 4 GiB.
    pub fn encode(&self) -> Result<Vec<u8>, ReadError> {
        let request = v1::ReadRequest {
            queries: self.queries.iter().map(ReadQuery::message).collect(),
            accepted_response_types: self.accepted.iter().map(|accepted| accepted.number()).collect(),
        };
        Ok(compress(&request.encode_to_vec())?)
    }

    /// Reads a request from a body.
    ///
    /// # Errors
    /// When it is not such a request, has a matcher that cannot be used, or more of something than allowed.
    pub fn decode(body: &[u8], limits: &Limits) -> Result<Self, ReadError> {
        let mut message = Vec::new();
        decompress(body, limits, &mut message)?;
        Self::read(&message)
    }

    /// The first form that is known here; `None` when there is none among those accepted.
    #[must_use]
    pub fn response_type(&self) -> Option<ResponseType> {
        if self.accepted.is_empty() {
            return Some(ResponseType::Samples);
        }
        self.accepted.iter().copied().find(|accepted| !matches!(accepted, ResponseType::Other(_)))
    }

    pub(super) fn read(message: &[u8]) -> Result<Self, ReadError> {
        let mut request = Self::default();
        let damaged = |damage| ReadError::damaged("ReadRequest", damage);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next().map_err(damaged)? {
            match (field.number, field.value) {
                (1, Value::Bytes(query)) => {
                    check_number("queries", request.queries.len(), MAX_QUERIES)?;
                    let query = ReadQuery::read(query, &request)?;
                    request.queries.push(query);
                }
                (2, _) => for_each_varint(field, |number| request.accept(ResponseType::of_number(number)))
                    .map_err(damaged)?,
                (1, _) => return Err(damaged(field.wrong_type())),
                _ => {}
            }
        }
        Ok(request)
    }

    /// A form that was named before says nothing new, so the list stays short.
    fn accept(&mut self, accepted: ResponseType) {
        let is_known = |known: &ResponseType| {
            *known == accepted
                || matches!((known, accepted), (ResponseType::Other(_), ResponseType::Other(_)))
        };
        if !self.accepted.iter().any(is_known) {
            self.accepted.push(accepted);
        }
    }
}

// === impl ReadQuery ===

impl ReadQuery {
    /// The time asked for, both ends included.
    #[must_use]
    pub fn range(&self) -> RangeInclusive<TimestampMs> {
        self.start..=self.end
    }

    fn message(&self) -> v1::Query {
        v1::Query {
            start_timestamp_ms: self.start.0,
            end_timestamp_ms: self.end.0,
            matchers: self.matchers.iter().map(matcher_message).collect(),
            hints: self.hints.as_ref().map(ReadHints::message),
        }
    }

    /// Reads a query of a request whose earlier ones are in `request`.
    fn read(message: &[u8], request: &ReadRequest) -> Result<Self, ReadError> {
        let mut query = Self::default();
        let (mut matchers, mut grouping) =
            request.queries.iter().fold((0, 0), |(matchers, grouping), query| {
                let hints = query.hints.as_ref().map_or(0, |hints| hints.grouping.len());
                (matchers + query.matchers.len(), grouping + hints)
            });
        let damaged = |damage| ReadError::damaged("Query", damage);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next().map_err(damaged)? {
            match (field.number, field.value) {
                (1, Value::Varint(start)) => query.start = TimestampMs(start as i64),
                (2, Value::Varint(end)) => query.end = TimestampMs(end as i64),
                (3, Value::Bytes(matcher)) => {
                    check_number("matchers", matchers, MAX_MATCHERS)?;
                    matchers += 1;
                    query.matchers.push(read_matcher(matcher)?);
                }
                // Protobuf: parts of a message that is not repeated add up.
                (4, Value::Bytes(hints)) => {
                    query.hints.get_or_insert_default().read(hints, &mut grouping)?;
                }
                (1..=4, _) => return Err(damaged(field.wrong_type())),
                _ => {}
            }
        }
        Ok(query)
    }
}

// === matchers ===

fn matcher_message(matcher: &LabelMatcher) -> v1::LabelMatcher {
    use v1::label_matcher::Type;
    let number = match matcher.op() {
        MatchOp::Equal => Type::Eq,
        MatchOp::NotEqual => Type::Neq,
        MatchOp::Regex => Type::Re,
        MatchOp::NotRegex => Type::Nre,
    };
    v1::LabelMatcher {
        r#type: number as i32,
        name: matcher.name().to_owned(),
        value: matcher.value().to_owned(),
    }
}

fn read_matcher(message: &[u8]) -> Result<LabelMatcher, ReadError> {
    let (mut number, mut name, mut value) = (0, "", "");
    let damaged = |damage| ReadError::damaged("LabelMatcher", damage);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next().map_err(damaged)? {
        match (field.number, field.value) {
            // As every enum field, cut to 32 bits.
            (1, Value::Varint(varint)) => number = varint as i32,
            (2, Value::Bytes(text)) => name = text_of("LabelMatcher", text)?,
            (3, Value::Bytes(text)) => value = text_of("LabelMatcher", text)?,
            (1..=3, _) => return Err(damaged(field.wrong_type())),
            _ => {}
        }
    }
    let op = match number {
        0 => MatchOp::Equal,
        1 => MatchOp::NotEqual,
        2 => MatchOp::Regex,
        3 => MatchOp::NotRegex,
        _ => return Err(ReadError::MatcherType { name: name.chars().take(64).collect(), number }),
    };
    Ok(LabelMatcher::new(name, op, value)?)
}

// === impl ReadHints ===

impl ReadHints {
    fn message(&self) -> v1::ReadHints {
        v1::ReadHints {
            step_ms: self.step_ms,
            func: self.function.clone(),
            start_ms: self.start.0,
            end_ms: self.end.0,
            grouping: self.grouping.clone(),
            by: self.by,
            range_ms: self.range_ms,
        }
    }

    /// Takes over what a message says; `grouping` counts the labels of all groupings.
    fn read(&mut self, message: &[u8], grouping: &mut usize) -> Result<(), ReadError> {
        let damaged = |damage: Damage| ReadError::damaged("ReadHints", damage);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next().map_err(damaged)? {
            match (field.number, field.value) {
                (1, Value::Varint(step)) => self.step_ms = step as i64,
                (2, Value::Bytes(text)) => self.function = text_of("ReadHints", text)?.to_owned(),
                (3, Value::Varint(start)) => self.start = TimestampMs(start as i64),
                (4, Value::Varint(end)) => self.end = TimestampMs(end as i64),
                (5, Value::Bytes(text)) => {
                    check_number("labels of groupings", *grouping, MAX_GROUPING)?;
                    *grouping += 1;
                    self.grouping.push(text_of("ReadHints", text)?.to_owned());
                }
                (6, Value::Varint(by)) => self.by = by != 0,
                (7, Value::Varint(range)) => self.range_ms = range as i64,
                (1..=7, _) => return Err(damaged(field.wrong_type())),
                _ => {}
            }
        }
        Ok(())
    }
}

// === impl ResponseType ===

impl ResponseType {
    fn number(self) -> i32 {
        match self {
            Self::Samples => 0,
            Self::StreamedChunks => 1,
            Self::Other(number) => number,
        }
    }

    fn of_number(number: u64) -> Self {
        match number as i32 {
            0 => Self::Samples,
            1 => Self::StreamedChunks,
            other => Self::Other(other),
        }
    }
}

// === what messages have in common ===

fn text_of<'a>(message: &'static str, bytes: &'a [u8]) -> Result<&'a str, ReadError> {
    str::from_utf8(bytes).map_err(|_| ReadError::Utf8 { message })
}

/// Whether one more is allowed.
fn check_number(what: &'static str, number: usize, limit: usize) -> Result<(), ReadError> {
    if number < limit { Ok(()) } else { Err(ReadError::RequestTooLarge { what, limit }) }
}
