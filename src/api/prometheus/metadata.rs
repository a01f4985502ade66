//! `/api/v1/metadata`: what is said of metrics.

use super::{
    answer::{Answer, Data, Failure},
    form::Form,
    json::{push_list, push_string},
};
use crate::metadata::{Metadata, MetadataStore};
use axum::extract::State;
use std::sync::Arc;

/// Families by name, what is said of each in the order in which it came. Prometheus has no order for the latter,
/// nor for which families a limit leaves.
pub(super) async fn metadata(State(store): State<Arc<MetadataStore>>, form: Form) -> Answer {
    let limit = number(&form, "limit")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let per_metric = number(&form, "limit_per_metric")?.filter(|limit| *limit > 0);
    let per_metric = per_metric.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let metric = Some(form.value("metric")).filter(|metric| !metric.is_empty());
    let (mut json, mut listed) = (String::from("{"), 0);
    store.visit(metric, |family, said| {
        if listed < limit {
            if listed > 0 {
                json.push(',');
            }
            push_string(&mut json, family);
            json.push(':');
            push_list(&mut json, said.iter().take(per_metric), push_metadata);
            listed += 1;
        }
    });
    json.push('}');
    Ok(Data::new(json))
}

fn number(form: &Form, name: &str) -> Result<Option<i64>, Failure> {
    match form.value(name) {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| Failure::bad_data(format!("{name} must be a number"))),
    }
}

fn push_metadata(json: &mut String, metadata: &Metadata) {
    json.push_str(r#"{"type":"#);
    push_string(json, metadata.metric_type.as_str());
    json.push_str(r#","unit":"#);
    push_string(json, &metadata.unit);
    json.push_str(r#","help":"#);
    push_string(json, &metadata.help);
    json.push('}');
}
