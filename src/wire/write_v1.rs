//! The walk over `prometheus.WriteRequest`, Remote-Write 1.0.

use super::{
    InvalidReason, MetricMetadata, MetricType, WireError,
    decoder::{Request, Sink, damaged},
    histogram::FIELDS_OF_1_0,
    protobuf::{Damage, Fields, Value},
};
use crate::series::Sample;
use std::str;

/// Walks the message and hands its parts to `request`.
pub(super) fn walk<'body, S: Sink>(
    body: &'body [u8],
    request: &mut Request<'body, '_, S>,
) -> Result<(), WireError> {
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next().map_err(|damage| damaged("WriteRequest", damage))? {
        match (field.number, field.value) {
            (1, Value::Bytes(series)) => walk_series(series, request)?,
            (3, Value::Bytes(metadata)) => {
                request.summary.metadata += 1;
                let metadata = read_metadata(metadata).map_err(|damage| damaged("MetricMetadata", damage))?;
                count_utf8(metadata.is_some(), "metadata", request);
                if let Some(metadata) = metadata {
                    request.metadata(metadata);
                }
            }
            (1 | 3, _) => return Err(damaged("WriteRequest", field.wrong_type())),
            _ => {}
        }
    }
    Ok(())
}

fn walk_series<'body, S: Sink>(
    message: &'body [u8],
    request: &mut Request<'body, '_, S>,
) -> Result<(), WireError> {
    request.begin_series()?;
    let mut plain = plain_labels(message);
    let mut read = 0;
    while let Some((name, value, rest)) = take_plain_label(plain) {
        request.label(Some(name), Some(value));
        read += plain.len() - rest.len();
        plain = rest;
    }
    let mut fields = Fields::new(&message[read..]);
    while let Some(field) = fields.next().map_err(|damage| damaged("TimeSeries", damage))? {
        match (field.number, field.value) {
            (1, Value::Bytes(label)) => {
                let (name, value) = read_label(label).map_err(|damage| damaged("Label", damage))?;
                request.label(name, value);
            }
            (2, Value::Bytes(sample)) => {
                let sample = read_sample(sample).map_err(|damage| damaged("Sample", damage))?;
                request.sample(sample.timestamp.0, sample.value)?;
            }
            (3, Value::Bytes(exemplar)) => {
                request.summary.exemplars += 1;
                let utf8 = check_exemplar(exemplar).map_err(|damage| damaged("Exemplar", damage))?;
                count_utf8(utf8, "exemplar", request);
            }
            (4, Value::Bytes(histogram)) => request.histogram(histogram, FIELDS_OF_1_0)?,
            (1..=4, _) => return Err(damaged("TimeSeries", field.wrong_type())),
            _ => {}
        }
    }
    request.end_series()
}

/// Name and value; `None` where they are not UTF-8.
///
/// Protobuf calls such a message invalid as a whole. It is answered more narrowly: senders pass on
/// label values of others, and one bad value must not cost a batch of two thousand series.
#[inline]
pub(super) fn read_label(message: &[u8]) -> Result<(Option<&str>, Option<&str>), Damage> {
    let mut label = (Some(""), Some(""));
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            // A later value replaces an earlier one, but not a fault.
            (1, Value::Bytes(name)) => label.0 = label.0.and(str::from_utf8(name).ok()),
            (2, Value::Bytes(value)) => label.1 = label.1.and(str::from_utf8(value).ok()),
            (1 | 2, _) => return Err(field.wrong_type()),
            _ => {}
        }
    }
    Ok(label)
}

/// The labels at the front of a series, as far as each is shorter than 128 bytes; empty where they are
/// not UTF-8 as a whole.
///
/// Keys and lengths are ASCII then, so no character reaches across them: one check is enough for all texts,
/// and a check of a short text costs about as much as one of all of them.
#[inline]
fn plain_labels(message: &[u8]) -> &str {
    let mut end = 0;
    while let Some([0x0a, length @ 0..0x80]) = message.get(end..end + 2) {
        let next = end + 2 + usize::from(*length);
        if next > message.len() {
            break;
        }
        end = next;
    }
    str::from_utf8(&message[..end]).unwrap_or_default()
}

/// The label at the front of `labels` and what is behind it, if it has the form that encoders write:
/// name, then value, and nothing else.
#[inline]
fn take_plain_label(labels: &str) -> Option<(&str, &str, &str)> {
    let [0x0a, length, 0x0a, name_length @ 0..0x80, ..] = labels.as_bytes() else { return None };
    let value_key = 4 + usize::from(*name_length);
    let [0x12, value_length @ 0..0x80] = labels.as_bytes().get(value_key..value_key + 2)? else {
        return None;
    };
    let end = value_key + 2 + usize::from(*value_length);
    if end != 2 + usize::from(*length) {
        return None;
    }
    Some((labels.get(4..value_key)?, labels.get(value_key + 2..end)?, labels.get(end..)?))
}

/// Value and timestamp. In 2.0 field 3 is the start timestamp, an unknown field here.
#[inline]
fn read_sample(message: &[u8]) -> Result<Sample, Damage> {
    let (mut timestamp, mut value) = (0, 0.0);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            (1, Value::Fixed64(bits)) => value = f64::from_bits(bits),
            (2, Value::Varint(number)) => timestamp = number as i64,
            (1 | 2, _) => return Err(field.wrong_type()),
            _ => {}
        }
    }
    Ok(Sample::new(timestamp, value))
}

/// Whether all strings are UTF-8.
fn check_exemplar(message: &[u8]) -> Result<bool, Damage> {
    let mut utf8 = true;
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            (1, Value::Bytes(label)) => {
                let (name, value) = read_label(label)?;
                utf8 &= name.is_some() && value.is_some();
            }
            (2, Value::Fixed64(_)) | (3, Value::Varint(_)) => {}
            (1..=3, _) => return Err(field.wrong_type()),
            _ => {}
        }
    }
    Ok(utf8)
}

/// `None` where a string is not UTF-8.
fn read_metadata(message: &[u8]) -> Result<Option<MetricMetadata<'_>>, Damage> {
    let mut metric_type = MetricType::default();
    let (mut family, mut help, mut unit) = ("", "", "");
    let mut utf8 = true;
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        let text = match (field.number, field.value) {
            (1, Value::Varint(number)) => {
                metric_type = MetricType::from_number(number);
                continue;
            }
            (2 | 4 | 5, Value::Bytes(text)) => str::from_utf8(text),
            (1 | 2 | 4 | 5, _) => return Err(field.wrong_type()),
            _ => continue,
        };
        utf8 &= text.is_ok();
        match field.number {
            2 => family = text.unwrap_or_default(),
            4 => help = text.unwrap_or_default(),
            _ => unit = text.unwrap_or_default(),
        }
    }
    Ok(utf8.then_some(MetricMetadata { family, metric_type, unit, help }))
}

fn count_utf8<S: Sink>(utf8: bool, what: &str, request: &mut Request<'_, '_, S>) {
    if !utf8 {
        request.summary.invalid.add(InvalidReason::Utf8, 0, || format!("{what}: a text is not UTF-8"));
    }
}
