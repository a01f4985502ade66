//! Types, units and help texts: a real Prometheus scrapes them, sends them on in both versions of
//! Remote-Write, and is asked for them itself.

use super::{
    pair::{Answer, Sidecar},
    requests::Request,
};
use crate::support::{peers, process::wait_for, prometheus};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// All types that the text format has, and texts that must be escaped.
const TEXT: &str = r#"# HELP requests_total Requests, "quoted" <and> & more.\nSecond line: ä \\.
# TYPE requests_total counter
requests_total{code="200"} 1
requests_total{code="500"} 2
# HELP temperature_celsius How warm it is.
# TYPE temperature_celsius gauge
temperature_celsius 20
# HELP latency_seconds How long it takes.
# TYPE latency_seconds histogram
latency_seconds_bucket{le="1"} 1
latency_seconds_bucket{le="+Inf"} 2
latency_seconds_sum 3
latency_seconds_count 2
# HELP rpc_seconds Quantiles.
# TYPE rpc_seconds summary
rpc_seconds{quantile="0.5"} 1
rpc_seconds_sum 3
rpc_seconds_count 2
# HELP nobody_knows Something.
nobody_knows 1
# TYPE without_help gauge
without_help 1
"#;

/// A family of the other target with another help text, and one with a unit.
const OPEN_METRICS: &str = "# TYPE temperature_celsius gauge
# HELP temperature_celsius How warm it is elsewhere.
temperature_celsius 21
# TYPE pressure_pascals gauge
# UNIT pressure_pascals pascals
# HELP pressure_pascals Of air.
pressure_pascals 100000
# TYPE build info
# HELP build What runs.
build_info{version=\"1\"} 1
# EOF
";

/// Both versions of Remote-Write tell what the scraping Prometheus knows, and for all requests the answer is the
/// one that it gives.
#[test]
fn metadata_is_that_of_the_prometheus_that_scrapes() {
    let Some(binary) = peers::find("prometheus") else { return };
    let targets = [
        serve("text/plain; version=0.0.4", TEXT),
        serve("application/openmetrics-text; version=1.0.0", OPEN_METRICS),
    ];
    let (first, second) = (Sidecar::start(&[]), Sidecar::start(&[]));
    let configuration = format!(
        "global: {{ scrape_interval: 1s }}
scrape_configs: [ {{ job_name: both, static_configs: [ {{ targets: ['{}', '{}'] }} ] }} ]
remote_write:
  - {{ url: 'http://{}/api/v1/write', metadata_config: {{ send_interval: 1s }} }}
  - {{ url: 'http://{}/api/v1/write', protobuf_message: io.prometheus.write.v2.Request }}
",
        targets[0], targets[1], first.address, second.address
    );
    let flags = ["--enable-feature=metadata-wal-records"];
    let (prometheus, _process) = prometheus::start_with(&binary, &configuration, &flags);

    let everything = Request::get::<&str>("metadata", &[]);
    let all_there = |address: SocketAddr| {
        let body = as_scraped(in_order(address, &everything));
        (body["data"].as_object()?.len() == 8).then_some(body)
    };
    let limit = Duration::from_secs(30);
    let theirs = wait_for("Prometheus has scraped both", limit, || {
        all_there(prometheus)
            .filter(|body| body["data"]["temperature_celsius"].as_array().unwrap().len() == 2)
    });
    for (version, address) in [("1.0", first.address), ("2.0", second.address)] {
        wait_for(&format!("by {version} the same"), limit, || (all_there(address)? == theirs).then_some(()));
    }
    for (parameters, compared) in REQUESTS {
        let request = Request::get("metadata", parameters);
        let [theirs, ours] = [prometheus, first.address].map(|address| in_order(address, &request));
        match compared {
            Compared::All => assert_eq!(ours, theirs, "{request}"),
            Compared::Counts => assert_eq!(counts(&ours), counts(&theirs), "{request}"),
        }
    }
}

/// By the names of the scrape: 2.0 names the series of an info family, and tells of the series that describe the
/// scrape too.
fn as_scraped(mut body: Value) -> Value {
    if let Some(families) = body["data"].as_object_mut() {
        families.retain(|family, _| family != "up" && !family.starts_with("scrape_"));
        if let Some(said) = families.remove("build_info") {
            families.insert("build".to_owned(), said);
        }
    }
    body
}

#[derive(Clone, Copy)]
enum Compared {
    All,
    /// Which ones a limit leaves is random in Prometheus.
    Counts,
}

const REQUESTS: &[(&[(&str, &str)], Compared)] = &[
    (&[("metric", "temperature_celsius")], Compared::All),
    (&[("metric", "latency_seconds")], Compared::All),
    (&[("metric", "latency_seconds_bucket")], Compared::All),
    (&[("metric", "")], Compared::Counts),
    (&[("limit", "0")], Compared::All),
    (&[("limit", "-1")], Compared::Counts),
    (&[("limit", "3"), ("limit_per_metric", "1")], Compared::Counts),
    (&[("limit", "x")], Compared::All),
    (&[("limit", "1.5")], Compared::All),
    (&[("limit_per_metric", "0"), ("metric", "temperature_celsius")], Compared::All),
    (&[("limit_per_metric", "-2"), ("metric", "temperature_celsius")], Compared::All),
    (&[("limit_per_metric", "1"), ("metric", "temperature_celsius")], Compared::Counts),
    (&[("limit_per_metric", "x")], Compared::All),
    (&[("metric", "temperature_celsius"), ("limit", "0")], Compared::All),
];

/// The body, what is said of each family in one order: that of the targets is random.
fn in_order(address: SocketAddr, request: &Request) -> Value {
    let mut body = Answer::of(address, request).body;
    let families = body["data"].as_object_mut().into_iter().flat_map(|families| families.values_mut());
    for said in families.filter_map(Value::as_array_mut) {
        said.sort_by_key(Value::to_string);
    }
    body
}

/// How many families, and most things said of one.
fn counts(body: &Value) -> (usize, usize) {
    let families = body["data"].as_object().unwrap();
    (families.len(), families.values().map(|said| said.as_array().unwrap().len()).max().unwrap_or(0))
}

/// Answers every request with `body`, as long as the test runs.
fn serve(content_type: &'static str, body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A scraper that goes away in between asks again.
            _ = answer(stream, content_type, body);
        }
    });
    address
}

fn answer(mut stream: TcpStream, content_type: &str, body: &str) -> std::io::Result<()> {
    let mut request = BufReader::new(stream.try_clone()?).lines();
    while request.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}
