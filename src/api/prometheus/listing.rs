//! `/api/v1/series`, `labels` and `label/<name>/values`: which series there are.

use super::{
    answer::{Answer, Data, Failure},
    escaping::unescaped,
    form::Form,
    json,
};
use crate::{
    promql::parse_matchers,
    query::Engine,
    series::{LabelMatcher, LabelSet, TimestampMs},
    shards::SeriesQuestion,
};
use axum::extract::{Path, State};
use std::{collections::BTreeSet, sync::Arc};

pub(super) async fn series(State(engine): State<Arc<Engine>>, form: Form) -> Answer {
    if let Some(fault) = form.fault() {
        return Err(Failure::bad_data(format!("error parsing form values: {fault}")));
    }
    if form.values("match[]").next().is_none() {
        return Err(Failure::bad_data("no match[] parameter provided"));
    }
    let (limit, stretch) = (form.limit()?, Stretch::of(&form)?);
    let any_of = selectors(&form).map_err(|reason| Failure::parameter("match[]", &reason))?;
    let render = move |labels: Vec<LabelSet>| {
        let (shown, truncated) = limited(&labels, limit);
        Data::limited(json::label_sets(shown), truncated)
    };
    Ok(engine.series(stretch.question(any_of), render).await?)
}

pub(super) async fn labels(State(engine): State<Arc<Engine>>, form: Form) -> Answer {
    let names = |labels: &LabelSet, into: &mut BTreeSet<String>| {
        for label in labels {
            insert(into, label.name);
        }
    };
    list(&engine, &form, names).await
}

pub(super) async fn label_values(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    form: Form,
) -> Answer {
    let name = unescaped(&name);
    if name.is_empty() {
        return Err(Failure::bad_data("invalid label name: \"\""));
    }
    let values = move |labels: &LabelSet, into: &mut BTreeSet<String>| {
        if let Some(value) = labels.get(&name) {
            insert(into, value);
        }
    };
    list(&engine, &form, values).await
}

/// The sorted texts that `collect` finds in the labels of the series that are asked for.
async fn list(
    engine: &Engine,
    form: &Form,
    collect: impl Fn(&LabelSet, &mut BTreeSet<String>) + Send + 'static,
) -> Answer {
    let (limit, stretch) = (form.limit()?, Stretch::of(form)?);
    let any_of = selectors(form).map_err(Failure::bad_data)?;
    let render = move |labels: Vec<LabelSet>| {
        let mut found = BTreeSet::new();
        for labels in &labels {
            collect(labels, &mut found);
        }
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        let (shown, truncated) = limited(&found, limit);
        Data::limited(json::strings(shown.iter().copied()), truncated)
    };
    Ok(engine.series(stretch.question(any_of), render).await?)
}

/// From when to when a series must have a sample.
struct Stretch {
    from: TimestampMs,
    until: TimestampMs,
}

// === impl Stretch ===

impl Stretch {
    fn of(form: &Form) -> Result<Self, Failure> {
        let from = form.time_or("start", TimestampMs::MIN)?.milliseconds();
        Ok(Self { from, until: form.time_or("end", TimestampMs::MAX)?.milliseconds() })
    }

    fn question(self, any_of: Vec<Vec<LabelMatcher>>) -> SeriesQuestion {
        SeriesQuestion { any_of, from: self.from, until: self.until }
    }
}

/// The matchers of each `match[]`. At least one of each selector refuses the empty value.
fn selectors(form: &Form) -> Result<Vec<Vec<LabelMatcher>>, String> {
    let selectors = form.values("match[]").map(parse_matchers);
    selectors.collect::<Result<_, _>>().map_err(|error| Failure::parse_reason(&error))
}

/// The first `limit` of `items` (all for 0), and whether there are more.
fn limited<T>(items: &[T], limit: usize) -> (&[T], bool) {
    if limit == 0 || items.len() <= limit { (items, false) } else { (&items[..limit], true) }
}

/// Labels repeat in nearly every series: only what is new is copied.
fn insert(set: &mut BTreeSet<String>, text: &str) {
    if !set.contains(text) {
        set.insert(text.to_owned());
    }
}
