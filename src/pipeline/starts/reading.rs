//! Which series tell of starts, and what is read of them.

use crate::{
    promql::{Leaf, LeafMatrix, LeafVector, SeriesMemory, SeriesPlan, SeriesValue},
    series::{LabelMatcher, LabelSet, METRIC_NAME, MatchOp},
};

/// When a machine was started, as node_exporter says it.
pub(super) const BOOT_TIME: &str = "node_boot_time_seconds";

/// When a process was started, as every client library of Prometheus says it.
const START_TIME: &str = "process_start_time_seconds";

/// What the names of metrics end in that say which build runs, by the convention of Prometheus' exporters.
const BUILD_INFO: &str = "_build_info";

/// The label that tells targets of one kind from those of another.
const JOB: &str = "job";

/// Labels that tell one build from another, the one that is best to name it by first. Others say where and for what it was built,
/// or belong to the target.
const BUILD_LABELS: [&str; 6] = ["version", "git_version", "tag", "revision", "commit", "git_commit"];

/// The series that tell of starts, and what is remembered of reading them.
#[derive(Debug)]
pub(in crate::pipeline) struct StartSource {
    plan: SeriesPlan,
    memory: SeriesMemory,
}

// === impl StartSource ===

impl StartSource {
    pub(in crate::pipeline) fn new() -> Self {
        let named = |pattern: String| LabelMatcher::new(METRIC_NAME, MatchOp::Regex, pattern).ok();
        let patterns = [format!("{START_TIME}|{BOOT_TIME}"), format!(".+{BUILD_INFO}")];
        let part = |pattern| Some((vec![named(pattern)?], SeriesValue::Gauge));
        Self { plan: SeriesPlan::new(patterns.into_iter().filter_map(part)), memory: SeriesMemory::default() }
    }

    /// What the shards are to read for it, and how far back.
    pub(in crate::pipeline) fn leaves(&self) -> (&[Leaf], i64) {
        (self.plan.leaves(), self.plan.retention_ms())
    }

    /// What there is at a step: processes under all their labels, builds under those that tell one from another.
    pub(in crate::pipeline) fn read(&mut self, answers: &[&LeafMatrix], by: &[String]) -> LeafVector {
        self.plan.evaluate(answers, &mut self.memory, |labels, _| {
            if !is_build_info(labels.metric_name()) {
                return labels.clone();
            }
            let tells = |name: &str| name == METRIC_NAME || name == JOB || BUILD_LABELS.contains(&name);
            labels.filtered(|label| tells(label.name) || by.iter().any(|by| by == label.name))
        })
    }
}

/// Whether a metric says which build runs.
pub(super) fn is_build_info(metric: &str) -> bool {
    metric.ends_with(BUILD_INFO)
}

/// What has the build of these labels, which are those that tell it from others. A label of the entities, `by`, does not tell
/// builds of one entity apart.
pub(super) fn source_of(build: &LabelSet, by: &[String]) -> LabelSet {
    build.filtered(|label| !BUILD_LABELS.contains(&label.name) || by.iter().any(|by| by == label.name))
}

/// What a build calls itself; empty where it does not.
pub(super) fn version_of(build: &LabelSet) -> &str {
    BUILD_LABELS.iter().find_map(|name| build.get(name)).unwrap_or_default()
}
