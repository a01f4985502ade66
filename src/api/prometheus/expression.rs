//! `/api/v1/query` and `/api/v1/query_range`.

use super::{
    answer::{Answer, Data, Failure},
    form::Form,
    json,
    parameters::{Nanoseconds, parse_duration},
    wall_clock,
};
use crate::{
    promql::{Annotations, Grid, Query, QueryValue, ValueType},
    query::{self, Engine},
};
use axum::extract::State;
use std::{sync::Arc, time::Duration};

/// Most points of a series in an answer, less one.
const MAX_STEPS: i128 = 11_000;

pub(super) async fn query(State(engine): State<Arc<Engine>>, form: Form) -> Answer {
    let limit = form.limit()?;
    let at = form.time_or("time", wall_clock())?.milliseconds();
    let options = Options::of(&form, &engine)?;
    let query = parse(&form)?;
    answer(&engine, query, Grid::instant(at), options, limit).await
}

pub(super) async fn query_range(State(engine): State<Arc<Engine>>, form: Form) -> Answer {
    let limit = form.limit()?;
    let (start, end) = (form.time("start")?, form.time("end")?);
    if end < start {
        return Err(Failure::parameter("end", "end timestamp must not be before start time"));
    }
    let step = parse_duration(form.value("step")).map_err(|reason| Failure::parameter("step", &reason))?;
    if step <= Nanoseconds(0) {
        let reason = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(Failure::parameter("step", reason));
    }
    if end.since(start) / i128::from(step.0) > MAX_STEPS {
        return Err(Failure::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution \
             (?step=XX)",
        ));
    }
    let options = Options::of(&form, &engine)?;
    let query = parse(&form)?;
    if let ValueType::Matrix | ValueType::String = query.value_type() {
        let found = if query.value_type() == ValueType::String { "string" } else { "range vector" };
        let reason =
            format!("invalid expression type {found:?} for range query, must be Scalar or instant Vector");
        return Err(Failure::parameter("query", &reason));
    }
    let grid = Grid { start: start.milliseconds(), end: end.milliseconds(), step_ms: step.milliseconds() };
    if grid.step_ms == 0 {
        // Prometheus divides by zero here, and answers with the same type of error.
        return Err(Failure::execution("a step is at least one millisecond"));
    }
    answer(&engine, query, grid, options, limit).await
}

/// What both kinds of query take.
struct Options {
    timeout: Duration,
    lookback: Duration,
}

// === impl Options ===

impl Options {
    fn of(form: &Form, engine: &Engine) -> Result<Self, Failure> {
        let limits = engine.limits();
        let timeout = form.duration("timeout")?.map_or(limits.timeout, Nanoseconds::timeout);
        let lookback = match form.value("lookback_delta") {
            "" => limits.lookback,
            text => {
                let given = parse_duration(text).map_err(|reason| {
                    Failure::bad_data(format!("error parsing lookback delta duration: {reason}"))
                })?;
                // What is not positive means the default, as in Prometheus.
                if given.milliseconds() > 0 { given.timeout() } else { limits.lookback }
            }
        };
        Ok(Self { timeout, lookback })
    }
}

fn parse(form: &Form) -> Result<Query, Failure> {
    let query = Query::parse(form.value("query"));
    query.map_err(|error| match error.is_of_evaluation() {
        true => Failure::execution(error.message()),
        false => Failure::parameter("query", &Failure::parse_reason(&error)),
    })
}

async fn answer(engine: &Engine, query: Query, grid: Grid, options: Options, limit: usize) -> Answer {
    let render = move |mut value: QueryValue, annotations: Annotations| {
        let truncated = limit > 0 && truncate(&mut value, limit);
        Data::limited(json::query_data(&value, grid.start), truncated).annotated(annotations)
    };
    let request = query::Request { query, grid, timeout: options.timeout, lookback: options.lookback };
    Ok(engine.evaluate(request, render).await?)
}

/// Cuts a value off after `limit` series; says whether there were more.
fn truncate(value: &mut QueryValue, limit: usize) -> bool {
    let count = match value {
        QueryValue::Scalar(_) | QueryValue::String(_) => 0,
        QueryValue::Vector(elements) => {
            let count = elements.len();
            elements.truncate(limit);
            count
        }
        QueryValue::Matrix(series) => {
            let count = series.len();
            series.truncate(limit);
            count
        }
    };
    count > limit
}
