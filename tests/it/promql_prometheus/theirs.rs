//! The judge: a Prometheus that scrapes nothing, asked by POST over kept connections.

use super::answer::{Answer, Labels};
use crate::{
    annotations,
    support::{http::percent_encoded, process::Process, prometheus},
};
use emberwatch::promql::{Annotations, Grid};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

pub(super) struct Prometheus {
    pub(super) address: SocketAddr,
    _process: Process,
}

impl Prometheus {
    /// One that takes Remote-Write and knows the experimental functions.
    pub(super) fn start(binary: &Path) -> Self {
        let features = "--enable-feature=promql-experimental-functions";
        let (address, process) = prometheus::start(binary, &[features, "--web.enable-remote-write-receiver"]);
        Self { address, _process: process }
    }

    pub(super) fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { stream: BufReader::new(stream), address: self.address }
    }
}

pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Connection {
    pub(super) fn query(&mut self, text: &str, grid: &Grid) -> (Answer, Annotations) {
        let seconds = |ms: i64| format!("{}", ms as f64 / 1000.0);
        let query = percent_encoded(text);
        let (path, body) = if grid.is_instant() {
            ("/api/v1/query", format!("query={query}&time={}", seconds(grid.start.0)))
        } else {
            let (start, end, step) = (seconds(grid.start.0), seconds(grid.end.0), seconds(grid.step_ms));
            ("/api/v1/query_range", format!("query={query}&start={start}&end={end}&step={step}"))
        };
        let response = self.post(path, &body);
        let json: Value = serde_json::from_slice(&response).unwrap();
        if let Some(message) = json["error"].as_str() {
            return (Answer::Error(message.to_owned()), Annotations::default());
        }
        (shown(&json["data"]), annotations::of_json(&json))
    }

    fn post(&mut self, path: &str, body: &str) -> Vec<u8> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = None;
        // The status line and the headers, up to an empty line.
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = Some(value.trim().parse().unwrap());
            }
        }
        match length {
            Some(length) => self.bytes(length),
            None => self.chunks(),
        }
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut whole = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line(), 16).unwrap();
            whole.extend(self.bytes(size));
            self.line();
            if size == 0 {
                return whole;
            }
        }
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

fn shown(data: &Value) -> Answer {
    let result = &data["result"];
    let value = |pair: &Value| pair[1].as_str().unwrap().parse::<f64>().unwrap();
    let list = || result.as_array().unwrap().iter();
    match data["resultType"].as_str() {
        Some("scalar") => Answer::Scalar(value(result)),
        Some("string") => Answer::String(result[1].as_str().unwrap().to_owned()),
        Some("vector") => {
            Answer::Vector(list().map(|element| (labels(element), value(&element["value"]))).collect())
        }
        _ => {
            let point = |pair: &Value| ((pair[0].as_f64().unwrap() * 1000.0).round() as i64, value(pair));
            let points = |series: &Value| series["values"].as_array().unwrap().iter().map(point).collect();
            Answer::Matrix(list().map(|series| (labels(series), points(series))).collect())
        }
    }
}

fn labels(element: &Value) -> Labels {
    let labels = element["metric"].as_object().unwrap().iter();
    labels.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}
