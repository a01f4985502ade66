//! The walk over `io.prometheus.write.v2.Request`, Remote-Write 2.0.
//!
//! Two passes: the first collects the symbols, which may stand behind the series that use them, the
//! second reads the series. A symbol table whose first entry is not empty is taken (that rule
//! binds senders; references mean the same without it).

use super::{
    InvalidReason, MetricMetadata, MetricType, WireError,
    decoder::{Request, Sink, damaged},
    histogram::FIELDS_OF_2_0,
    protobuf::{Damage, Field, Fields, Value, for_each_varint},
};
use std::str;

/// The symbol table of one request; `None` where a symbol is not UTF-8.
struct Symbols<'body> {
    table: Vec<Option<&'body str>>,
}

/// Label references: name, value, name, value; the pairs may be cut by the borders of packed chunks.
#[derive(Default)]
struct LabelRefs {
    number: usize,
    /// The name whose value has not come yet.
    name: u32,
}

/// Metadata as written; the reference 0 is what an absent field reads as and needs no symbol.
#[derive(Clone, Copy, Default, PartialEq)]
struct MetadataRefs {
    metric_type: MetricType,
    help: u32,
    unit: u32,
}

/// What the last series with metadata said, of which family: as a rule many in a row say the same.
type LastMetadata<'body> = Option<(&'body str, MetadataRefs)>;

/// Walks the message and hands its parts to `request`.
pub(super) fn walk<'body, S: Sink>(
    body: &'body [u8],
    request: &mut Request<'body, '_, S>,
) -> Result<(), WireError> {
    let symbols = Symbols::collect(body, request)?;
    let mut last_metadata = None;
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next().map_err(|damage| damaged("Request", damage))? {
        match (field.number, field.value) {
            (5, Value::Bytes(series)) => walk_series(series, &symbols, &mut last_metadata, request)?,
            (5, _) => return Err(damaged("Request", field.wrong_type())),
            _ => {}
        }
    }
    Ok(())
}

fn walk_series<'body, S: Sink>(
    message: &'body [u8],
    symbols: &Symbols<'body>,
    last_metadata: &mut LastMetadata<'body>,
    request: &mut Request<'body, '_, S>,
) -> Result<(), WireError> {
    request.begin_series()?;
    let mut label_refs = LabelRefs::default();
    let mut metadata = None;
    let mut exemplars = 0;
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next().map_err(|damage| damaged("TimeSeries", damage))? {
        match (field.number, field.value) {
            (1, _) => {
                label_refs.read(field, symbols, |name, value| request.label(name, value))?;
            }
            (2, Value::Bytes(sample)) => {
                let (timestamp, value) = read_sample(sample).map_err(|damage| damaged("Sample", damage))?;
                request.sample(timestamp, value)?;
            }
            (3, Value::Bytes(histogram)) => request.histogram(histogram, FIELDS_OF_2_0)?,
            (4, Value::Bytes(exemplar)) => {
                exemplars += 1;
                check_exemplar(exemplar, symbols)?;
            }
            (5, Value::Bytes(message)) => {
                let refs = metadata.get_or_insert_default();
                read_metadata(message, refs).map_err(|damage| damaged("Metadata", damage))?;
            }
            (2..=5, _) => return Err(damaged("TimeSeries", field.wrong_type())),
            // 6 was created_timestamp in earlier drafts.
            _ => {}
        }
    }
    label_refs.finish()?;
    if let Some(refs) = metadata {
        hand_on_metadata(refs, symbols, last_metadata, request)?;
    }
    request.summary.exemplars += exemplars;
    // Prometheus sends exemplars in entries of their own.
    if exemplars == 0 {
        request.refuse_without_samples();
    }
    request.end_series()
}

/// Says what `refs` stand for, unless they say nothing, or what the series before said.
fn hand_on_metadata<'body, S: Sink>(
    refs: MetadataRefs,
    symbols: &Symbols<'body>,
    last: &mut LastMetadata<'body>,
    request: &mut Request<'body, '_, S>,
) -> Result<(), WireError> {
    let (help, unit) = (symbols.resolve_optional(refs.help)?, symbols.resolve_optional(refs.unit)?);
    request.summary.metadata += 1;
    // A symbol that is not UTF-8 is counted already.
    let (Some(help), Some(unit), Some(metric)) = (help, unit, request.metric_name()) else { return Ok(()) };
    let metric_type = refs.metric_type;
    let family = metric_type.family_of(metric);
    if refs != MetadataRefs::default() && last.replace((family, refs)) != Some((family, refs)) {
        request.metadata(MetricMetadata { family, metric_type, unit, help });
    }
    Ok(())
}

/// Timestamp and value; the start timestamp is read past.
#[inline]
fn read_sample(message: &[u8]) -> Result<(i64, f64), Damage> {
    let (mut timestamp, mut value) = (0, 0.0);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            (1, Value::Fixed64(bits)) => value = f64::from_bits(bits),
            (2, Value::Varint(number)) => timestamp = number as i64,
            (3, Value::Varint(_)) => {}
            (1..=3, _) => return Err(field.wrong_type()),
            _ => {}
        }
    }
    Ok((timestamp, value))
}

fn check_exemplar(message: &[u8], symbols: &Symbols<'_>) -> Result<(), WireError> {
    let mut label_refs = LabelRefs::default();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next().map_err(|damage| damaged("Exemplar", damage))? {
        match (field.number, field.value) {
            (1, _) => label_refs.read(field, symbols, |_, _| ())?,
            (2, Value::Fixed64(_)) | (3, Value::Varint(_)) => {}
            (2 | 3, _) => return Err(damaged("Exemplar", field.wrong_type())),
            _ => {}
        }
    }
    label_refs.finish()
}

fn read_metadata(message: &[u8], refs: &mut MetadataRefs) -> Result<(), Damage> {
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            (1, Value::Varint(number)) => refs.metric_type = MetricType::from_number(number),
            (3, Value::Varint(number)) => refs.help = number as u32,
            (4, Value::Varint(number)) => refs.unit = number as u32,
            (1 | 3 | 4, _) => return Err(field.wrong_type()),
            _ => {}
        }
    }
    Ok(())
}

// === impl Symbols ===

impl<'body> Symbols<'body> {
    fn collect<S>(body: &'body [u8], request: &mut Request<'body, '_, S>) -> Result<Self, WireError>
    where
        S: Sink,
    {
        let limit = request.limits().max_symbols;
        let mut table = Vec::new();
        let mut fields = Fields::new(body);
        while let Some(field) = fields.next().map_err(|damage| damaged("Request", damage))? {
            match (field.number, field.value) {
                (4, _) if table.len() == limit => return Err(WireError::TooMany { what: "symbols", limit }),
                (4, Value::Bytes(symbol)) => table.push(str::from_utf8(symbol).ok()),
                (4, _) => return Err(damaged("Request", field.wrong_type())),
                _ => {}
            }
        }
        for index in (0..table.len()).filter(|index| table[*index].is_none()) {
            let example = || format!("symbol {index} is not UTF-8");
            request.summary.invalid.add(InvalidReason::Utf8, 0, example);
        }
        Ok(Self { table })
    }

    #[inline]
    fn resolve(&self, reference: u32) -> Result<Option<&'body str>, WireError> {
        self.table
            .get(reference as usize)
            .copied()
            .ok_or(WireError::SymbolReference { reference, symbols: self.table.len() })
    }

    /// As [`Self::resolve`], but that nothing is said by 0.
    fn resolve_optional(&self, reference: u32) -> Result<Option<&'body str>, WireError> {
        if reference == 0 { Ok(Some("")) } else { self.resolve(reference) }
    }
}

// === impl LabelRefs ===

impl LabelRefs {
    /// Reads one reference, or a packed chunk of them, and calls `label` for each pair that is complete.
    #[inline]
    fn read<'body>(
        &mut self,
        field: Field<'_>,
        symbols: &Symbols<'body>,
        mut label: impl FnMut(Option<&'body str>, Option<&'body str>),
    ) -> Result<(), WireError> {
        let mut unknown = Ok(());
        for_each_varint(field, |number| {
            let reference = number as u32;
            if self.number.is_multiple_of(2) {
                self.name = reference;
            } else {
                match (symbols.resolve(self.name), symbols.resolve(reference)) {
                    (Ok(name), Ok(value)) => label(name, value),
                    (Err(error), _) | (_, Err(error)) => unknown = Err(error),
                }
            }
            self.number += 1;
        })
        .map_err(|damage| damaged("TimeSeries", damage))?;
        unknown
    }

    /// Checks that the last name has got its value.
    fn finish(&self) -> Result<(), WireError> {
        if self.number.is_multiple_of(2) {
            Ok(())
        } else {
            Err(WireError::OddReferences { references: self.number })
        }
    }
}
