//! Where the rows of a detector come from: the past, in a store or in files, or a table that was extracted from one.

use crate::{
    cli::{
        extract,
        past::{self, left_out},
    },
    config::{Config, Detector},
    features::FeatureMatrix,
    series::{LabelSet, TimestampMs},
    table::{self, Table},
};
use std::path::Path;

/// The rows, to be gone through as often as it takes.
pub(super) enum Rows<'a> {
    Past(Past<'a>),
    Table(&'a Detector, Table),
}

/// A part of the past of a detector. Its end stands, however long it takes to read it.
pub(super) struct Past<'a> {
    pub(super) source: past::Past,
    /// Where the config stands.
    pub(super) file: &'a Path,
    pub(super) config: &'a Config,
    pub(super) detector: &'a Detector,
}

// === impl Rows ===

impl Rows<'_> {
    /// Hands over the vectors of all steps, or of those from `from` on, in the order of time. Gives what there is to say of it, a line each.
    pub(super) fn each(
        &self,
        from: Option<TimestampMs>,
        mut each: impl FnMut(FeatureMatrix) -> anyhow::Result<()>,
    ) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Past(Past { source, config, detector, .. }) => {
                let range = from.unwrap_or(*source.range().start())..=*source.range().end();
                let (counts, appended) = source.vectors(config, detector, range, |steps, _| {
                    steps.into_iter().try_for_each(|vectors| each(vectors.matrix))
                })?;
                let mut lines = source.said();
                lines.push(format!("read {} samples", counts.samples));
                lines.extend(left_out(&counts, &appended));
                Ok(lines)
            }
            Self::Table(detector, table) => {
                let steps = table::steps(table, detector.schema.step_ms());
                let wanted = steps.skip_while(|step| from.is_some_and(|from| step.matrix.at < from));
                wanted.map(|step| step.matrix).try_for_each(each)?;
                Ok(Vec::new())
            }
        }
    }

    /// What an entity is called in a table of labels: as in the tables that `extract` writes.
    pub(super) fn name(&self, entity: &LabelSet) -> String {
        match self {
            Self::Past(past) => extract::name(entity, past.detector.schema.by()),
            // It has one label with all that the column said, or none where there is no column.
            Self::Table(..) => entity.iter().next().map_or_else(String::new, |label| label.value.to_owned()),
        }
    }
}
