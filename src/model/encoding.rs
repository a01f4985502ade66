//! What stands in a model file: the model as protocol buffers, and every check on the way back.

mod forest;

mod hyperplane;

mod older;

mod plain;

mod reference;

mod training;

use super::{
    ColumnScale, Judge, MAX_VERSION_BYTES, Member, MemberKind, Members, Model, ModelError, Past, Scales,
    Scaling, Scorer, SelfTestRow,
    file::{self, Format},
    self_test,
};
use crate::{
    calibrate::{Severity, Tail, TailParts, Thresholds},
    explain::Expected,
    features::{FeatureColumn, FeatureSchema, InputLayout, SchemaSettings, SeriesReading},
    score::nearest::Nearest,
    series::{LabelSet, TimestampMs},
};
use forest::{read_forest, write_forest};
use plain::{read_plain, write_plain};
use prost::Message as _;
use reference::{read_reference, write_reference};
use training::{read_training, write_training};

/// Types generated from `proto/model.proto`.
mod proto {
    #![allow(missing_docs, unreachable_pub, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/emberwatch.model.v1.rs"));
}

// === impl Model ===

impl Model {
    /// The model as the bytes of its file: the same model gives the same bytes.
    ///
    /// # Errors
    /// When it is larger than a file may be.
    pub fn encode(&self) -> Result<Vec<u8>, ModelError> {
        let format = self.judge.format();
        file::wrap(&self.to_proto(format).encode_to_vec(), format)
    }

    /// Reads a model file: checks the envelope and every part, then runs the self-test.
    ///
    /// # Errors
    /// With what is wrong and where. Never panics, whatever the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let payload = file::unwrap(bytes)?;
        let message = proto::Model::decode(payload.as_slice())
            .map_err(|error| ModelError::Payload(error.to_string()))?;
        let model = Self::from_proto(message)?;
        model.run_self_test()?;
        Ok(model)
    }

    fn to_proto(&self, format: Format) -> proto::Model {
        let layout = InputLayout { n_features: self.schema.features().len() };
        let (scaling, members, rankers, tail, plain) = match &self.judge {
            Judge::Members(judge) => (
                Some(write_scaling(format, &judge.scaling)),
                judge.members.iter().map(write_member).collect(),
                judge.rankers.iter().map(write_member).collect(),
                Some(write_tail(&judge.tail)),
                None,
            ),
            Judge::Plain(judge) => (None, Vec::new(), Vec::new(), None, Some(write_plain(judge))),
        };
        proto::Model {
            version: self.version.clone(),
            created_at_ms: self.created_at.0,
            schema: Some(write_schema(&self.schema)),
            fingerprint: self.schema.fingerprint(),
            scaling,
            members,
            rankers,
            tail,
            plain,
            thresholds: Some(proto::Thresholds {
                low: self.thresholds.of(Severity::Low),
                medium: self.thresholds.of(Severity::Medium),
                high: self.thresholds.of(Severity::High),
            }),
            training: Some(write_training(&self.training)),
            reference: self.reference.as_ref().map(write_reference),
            self_test: self.self_test.iter().map(|row| write_self_test_row(format, layout, row)).collect(),
        }
    }

    fn from_proto(message: proto::Model) -> Result<Self, ModelError> {
        if message.version.is_empty() || message.version.len() > MAX_VERSION_BYTES {
            return Err(ModelError::invalid("the version", format!("{} bytes", message.version.len())));
        }
        let schema = read_schema(required("the schema", message.schema)?)?;
        let computed = schema.fingerprint();
        if message.fingerprint != computed {
            return Err(ModelError::Fingerprint { stored: message.fingerprint, computed });
        }
        let layout = InputLayout { n_features: schema.features().len() };
        let thresholds = required("the thresholds", message.thresholds)?;
        // Which of the older ones it is makes no difference here.
        let format = if message.rankers.is_empty() { Format::Second } else { Format::Third };
        let has_members = !message.members.is_empty() || !message.rankers.is_empty();
        let judge = match message.plain {
            Some(_) if message.scaling.is_some() || message.tail.is_some() || has_members => {
                return Err(ModelError::invalid("the plain forest", "has members beside it"));
            }
            Some(plain) => Judge::Plain(read_plain(layout, plain)?),
            None => Judge::Members(Members {
                scaling: read_scaling(layout, format, required("the scaling", message.scaling)?)?,
                members: read_members(layout, format, message.members)?,
                rankers: read_rankers(layout, message.rankers)?,
                tail: read_tail("the final tail", message.tail)?,
            }),
        };
        Ok(Self {
            version: message.version,
            created_at: TimestampMs(message.created_at_ms),
            judge,
            thresholds: Thresholds::new(thresholds.low, thresholds.medium, thresholds.high)
                .map_err(|error| ModelError::invalid("the thresholds", error))?,
            training: read_training(required("the training summary", message.training)?)?,
            self_test: read_self_test(layout, format, message.self_test)?,
            reference: message.reference.map(|reference| read_reference(layout, &reference)).transpose()?,
            past: Past::none(),
            schema,
        })
    }
}

fn required<T>(part: &'static str, value: Option<T>) -> Result<T, ModelError> {
    value.ok_or_else(|| ModelError::invalid(part, "is missing"))
}

// === schema ===

fn write_schema(schema: &FeatureSchema) -> proto::Schema {
    let feature = |feature: &FeatureColumn| proto::Feature {
        name: feature.name.clone(),
        expression: feature.expression.clone(),
    };
    proto::Schema {
        detector: schema.detector().to_owned(),
        by: schema.by().to_vec(),
        step_ms: schema.step_ms(),
        window_steps: schema.window_steps() as u32,
        utc_offset_minutes: schema.utc_offset_minutes(),
        time_zone: schema.time_zone().unwrap_or_default().to_owned(),
        features: schema.features().iter().map(feature).collect(),
        series: schema.series().map(|reading| write_reading(reading.get())),
    }
}

fn write_reading(reading: &SeriesReading) -> proto::SeriesReading {
    let SeriesReading { counters, gauges, rate_range_ms } = reading.clone();
    proto::SeriesReading { counters, gauges, rate_range_ms }
}

fn read_reading(reading: proto::SeriesReading) -> SeriesReading {
    let proto::SeriesReading { counters, gauges, rate_range_ms } = reading;
    SeriesReading { counters, gauges, rate_range_ms }
}

fn read_schema(schema: proto::Schema) -> Result<FeatureSchema, ModelError> {
    let feature =
        |feature: proto::Feature| FeatureColumn { name: feature.name, expression: feature.expression };
    FeatureSchema::new(SchemaSettings {
        detector: schema.detector,
        by: schema.by,
        step_ms: schema.step_ms,
        window_steps: schema.window_steps as usize,
        utc_offset_minutes: schema.utc_offset_minutes,
        time_zone: Some(schema.time_zone).filter(|name| !name.is_empty()),
        features: schema.features.into_iter().map(feature).collect(),
        series: schema.series.map(read_reading),
    })
    .map_err(|error| ModelError::invalid("the schema", error))
}

// === scaling ===

fn write_scaling(format: Format, scaling: &Scaling) -> proto::Scaling {
    let entity = |(entity, scales): &(LabelSet, Scales)| proto::EntityScales {
        entity: write_labels(entity),
        scales: Some(write_scales(format, scales)),
    };
    proto::Scaling {
        pooled: Some(write_scales(format, &scaling.pooled)),
        entities: scaling.entities.iter().map(entity).collect(),
    }
}

fn write_scales(format: Format, scales: &Scales) -> proto::Scales {
    proto::Scales {
        center: format.narrow_scales(&scales.columns).map(|column| column.center).collect(),
        unit: format.narrow_scales(&scales.columns).map(|column| column.unit).collect(),
        expected_low: scales.expected.iter().map(|expected| expected.low).collect(),
        expected_high: scales.expected.iter().map(|expected| expected.high).collect(),
    }
}

fn read_scaling(layout: InputLayout, format: Format, scaling: proto::Scaling) -> Result<Scaling, ModelError> {
    const PART: &str = "the scaling";
    let pooled = read_scales(layout, format, required(PART, scaling.pooled)?)?;
    let mut entities: Vec<(LabelSet, Scales)> = Vec::with_capacity(scaling.entities.len());
    for scales in scaling.entities {
        let entity = read_labels(PART, &scales.entity)?;
        if entities.last().is_some_and(|(last, _)| *last >= entity) {
            return Err(ModelError::invalid(PART, format!("entity {entity} is out of order")));
        }
        entities.push((entity, read_scales(layout, format, required(PART, scales.scales)?)?));
    }
    Ok(Scaling { pooled, entities })
}

fn read_scales(layout: InputLayout, format: Format, scales: proto::Scales) -> Result<Scales, ModelError> {
    let wrong = |problem: String| ModelError::invalid("the scaling", problem);
    let (features, columns) = (layout.n_features, layout.n_features * format.n_scaled());
    let (low, high) = (scales.expected_low, scales.expected_high);
    for (have, want) in [
        (scales.center.len(), columns),
        (scales.unit.len(), columns),
        (low.len(), features),
        (high.len(), features),
    ] {
        if have != want {
            return Err(wrong(format!("{have} numbers where the schema needs {want}")));
        }
    }
    let unusable = |(center, unit): &(&f64, &f64)| !(center.is_finite() && unit.is_finite() && **unit > 0.0);
    if let Some(column) = scales.center.iter().zip(&scales.unit).position(|pair| unusable(&pair)) {
        let (center, unit) = (scales.center[column], scales.unit[column]);
        return Err(wrong(format!("column {column} has center {center} and unit {unit}")));
    }
    let disordered = |(low, high): (&f64, &f64)| !(low.is_finite() && high.is_finite() && low <= high);
    if let Some(feature) = low.iter().zip(&high).position(disordered) {
        return Err(wrong(format!("feature {feature} expects {} to {}", low[feature], high[feature])));
    }
    let columns = scales.center.into_iter().zip(scales.unit);
    let columns = columns.map(|(center, unit)| ColumnScale { center, unit }).collect();
    Ok(Scales {
        columns: format.widen_scales(columns),
        expected: low.into_iter().zip(high).map(|(low, high)| Expected { low, high }).collect(),
    })
}

fn write_labels(labels: &LabelSet) -> Vec<proto::Label> {
    labels.iter().map(|label| proto::Label { name: label.name.into(), value: label.value.into() }).collect()
}

fn read_labels(part: &'static str, labels: &[proto::Label]) -> Result<LabelSet, ModelError> {
    LabelSet::from_pairs(labels.iter().map(|label| (&label.name, &label.value)))
        .map_err(|error| ModelError::invalid(part, error))
}

// === members ===

fn write_kind(kind: MemberKind) -> proto::MemberKind {
    match kind {
        MemberKind::Window => proto::MemberKind::Window,
        MemberKind::Deviation => proto::MemberKind::Deviation,
        MemberKind::NearestValue => proto::MemberKind::Nearest,
        MemberKind::Nearest => proto::MemberKind::NearestShort,
        MemberKind::Extreme => proto::MemberKind::Extreme,
        MemberKind::Jumps => proto::MemberKind::Jumps,
        MemberKind::Levels => proto::MemberKind::Levels,
    }
}

fn write_member(member: &Member) -> proto::Member {
    proto::Member {
        kind: write_kind(member.kind).into(),
        forest: member.scorer.forest().map(write_forest),
        tail: Some(write_tail(&member.tail)),
        nearest: match &member.scorer {
            Scorer::Nearest(nearest) => nearest.values().to_vec(),
            Scorer::Forest(_) | Scorer::Itself => Vec::new(),
        },
    }
}

fn read_members(
    layout: InputLayout,
    format: Format,
    members: Vec<proto::Member>,
) -> Result<Vec<Member>, ModelError> {
    const NEW: &[&[MemberKind]] = &[&MemberKind::ALL];
    const OLD: &[&[MemberKind]] = &[&MemberKind::SECOND, &MemberKind::FIRST];
    let known = if format == Format::Third { NEW } else { OLD };
    read_kinds("the members", "window, deviation, nearest and extreme", layout, known, members)
}

/// Older formats have none.
fn read_rankers(layout: InputLayout, rankers: Vec<proto::Member>) -> Result<Vec<Member>, ModelError> {
    read_kinds("the rankers", "jumps and levels", layout, &[&MemberKind::RANKERS, &[]], rankers)
}

/// Members of one of the `known` lists of kinds, each in its order.
fn read_kinds(
    part: &'static str,
    expected: &str,
    layout: InputLayout,
    known: &[&[MemberKind]],
    members: Vec<proto::Member>,
) -> Result<Vec<Member>, ModelError> {
    let written: Vec<_> = members.iter().map(proto::Member::kind).collect();
    let is_written =
        |kinds: &&&[MemberKind]| kinds.iter().copied().map(write_kind).eq(written.iter().copied());
    let Some(kinds) = known.iter().find(is_written) else {
        return Err(ModelError::invalid(part, format!("{written:?} instead of {expected}")));
    };
    kinds.iter().zip(members).map(|(kind, member)| read_member(layout, *kind, member)).collect()
}

fn read_member(layout: InputLayout, kind: MemberKind, member: proto::Member) -> Result<Member, ModelError> {
    const PART: &str = "a member";
    let n_columns = kind.n_columns(layout);
    if member.forest.is_some() != kind.has_forest() || member.nearest.is_empty() == kind.has_rows() {
        let problem = format!("the {kind:?} member has a forest or rows that it must not have, or none");
        return Err(ModelError::invalid(PART, problem));
    }
    let scorer = match member.forest {
        Some(forest) => Scorer::Forest(read_forest(forest, n_columns)?),
        None if kind.has_rows() => Scorer::Nearest(
            Nearest::from_values(member.nearest, n_columns)
                .map_err(|error| ModelError::invalid(PART, error))?,
        ),
        None => Scorer::Itself,
    };
    Ok(Member { kind, scorer, tail: read_tail("a member's tail", member.tail)? })
}

// === tails ===

fn write_tail(tail: &Tail) -> proto::Tail {
    let parts = tail.to_parts();
    let (score, probability) = parts.knots.into_iter().unzip();
    proto::Tail {
        score,
        probability,
        scale: parts.scale,
        shape: parts.shape,
        excesses: parts.excesses,
        n_scores: parts.n_scores,
    }
}

fn read_tail(part: &'static str, tail: Option<proto::Tail>) -> Result<Tail, ModelError> {
    let tail = required(part, tail)?;
    if tail.score.len() != tail.probability.len() {
        let problem = format!("{} scores with {} probabilities", tail.score.len(), tail.probability.len());
        return Err(ModelError::invalid(part, problem));
    }
    Tail::from_parts(TailParts {
        knots: tail.score.into_iter().zip(tail.probability).collect(),
        scale: tail.scale,
        shape: tail.shape,
        excesses: tail.excesses,
        n_scores: tail.n_scores,
    })
    .map_err(|error| ModelError::invalid(part, error))
}

// === self-test ===

fn write_self_test_row(format: Format, layout: InputLayout, row: &SelfTestRow) -> proto::SelfTestRow {
    proto::SelfTestRow {
        entity: write_labels(&row.entity),
        inputs: format.narrow_inputs(layout, &row.inputs),
        tail_probability: row.tail_probability,
    }
}

fn read_self_test(
    layout: InputLayout,
    format: Format,
    rows: Vec<proto::SelfTestRow>,
) -> Result<Vec<SelfTestRow>, ModelError> {
    const PART: &str = "the self-test";
    if rows.is_empty() || rows.len() > self_test::MAX_ROWS {
        return Err(ModelError::invalid(PART, format!("{} rows", rows.len())));
    }
    rows.into_iter()
        .map(|row| {
            if row.inputs.len() != format.n_inputs(layout) {
                let problem = format!("{} columns instead of {}", row.inputs.len(), format.n_inputs(layout));
                return Err(ModelError::invalid(PART, problem));
            }
            Ok(SelfTestRow {
                entity: read_labels(PART, &row.entity)?,
                inputs: format.widen_inputs(layout, row.inputs),
                tail_probability: row.tail_probability,
            })
        })
        .collect()
}
