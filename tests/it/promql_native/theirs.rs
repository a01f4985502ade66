//! The judge: a Prometheus that scrapes nothing and keeps native histograms.

use super::answer::{Answer, Labels, Shown, ShownBucket};
use crate::{
    annotations,
    support::{
        http::{self, percent_encoded},
        process::Process,
        prometheus,
    },
};
use emberwatch::promql::{Annotations, Grid};
use serde_json::Value;
use std::{collections::BTreeMap, net::SocketAddr, path::Path};

pub(super) struct Prometheus {
    address: SocketAddr,
    _process: Process,
}

impl Prometheus {
    pub(super) fn start(binary: &Path) -> Self {
        let features = "--enable-feature=native-histograms,promql-experimental-functions";
        let (address, process) = prometheus::start(binary, &[features, "--web.enable-remote-write-receiver"]);
        Self { address, _process: process }
    }

    /// Writes a message of Remote-Write 2.0.
    pub(super) fn write(&self, message: &[u8]) {
        let headers = [
            ("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
            ("Content-Encoding", "snappy"),
            ("X-Prometheus-Remote-Write-Version", "2.0.0"),
        ];
        let body = snap::raw::Encoder::new().compress_vec(message).unwrap();
        let response = http::post(self.address, "/api/v1/write", &headers, &body).unwrap();
        assert_eq!(response.status, 204, "{}", response.text());
    }

    pub(super) fn query(&self, text: &str, grid: &Grid) -> (Answer, Annotations) {
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let query = percent_encoded(text);
        let path = if grid.is_instant() {
            format!("/api/v1/query?query={query}&time={}", seconds(grid.start.0))
        } else {
            let (start, end, step) = (seconds(grid.start.0), seconds(grid.end.0), seconds(grid.step_ms));
            format!("/api/v1/query_range?query={query}&start={start}&end={end}&step={step}")
        };
        let response = http::get(self.address, &path).unwrap();
        let json: Value = serde_json::from_slice(&response.body).unwrap();
        match json["error"].as_str() {
            Some(error) => (Answer::Error(error.to_owned()), Annotations::default()),
            None => (shown(&json["data"], grid.start.0), annotations::of_json(&json)),
        }
    }
}

fn shown(data: &Value, step: i64) -> Answer {
    if data["resultType"] == "scalar" {
        return Answer::Scalar(number(&data["result"][1]));
    }
    let mut series = BTreeMap::new();
    for element in data["result"].as_array().unwrap() {
        let labels = element["metric"].as_object().unwrap().iter();
        let labels: Labels =
            labels.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        let mut points = Vec::new();
        // An instant vector has "value" or "histogram", a matrix "values" and "histograms".
        if let Some(pair) = element.get("value") {
            points.push((step, Shown::Float(number(&pair[1]))));
        }
        if let Some(pair) = element.get("histogram") {
            points.push((step, histogram(&pair[1])));
        }
        let list = |name: &str| element[name].as_array().cloned().unwrap_or_default();
        points.extend(list("values").iter().map(|pair| (time(pair), Shown::Float(number(&pair[1])))));
        points.extend(list("histograms").iter().map(|pair| (time(pair), histogram(&pair[1]))));
        points.sort_by_key(|(at, _)| *at);
        series.insert(labels, points);
    }
    Answer::Series(series)
}

fn time(pair: &Value) -> i64 {
    (pair[0].as_f64().unwrap() * 1000.0).round() as i64
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

fn histogram(value: &Value) -> Shown {
    let buckets = value["buckets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let bucket = |bucket: &Value| ShownBucket {
        boundaries: bucket[0].as_u64().unwrap(),
        lower: number(&bucket[1]),
        upper: number(&bucket[2]),
        count: number(&bucket[3]),
    };
    Shown::Histogram {
        count: number(&value["count"]),
        sum: number(&value["sum"]),
        buckets: buckets.iter().map(bucket).collect(),
    }
}
