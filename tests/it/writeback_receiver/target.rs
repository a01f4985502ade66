//! A target that answers as its script says, and remembers what it was asked.

use axum::{Router, body::Body, extract::State, response::Response};
use emberwatch::{
    series::{LabelSet, TimestampMs},
    telemetry::writeback::WritebackMetrics,
    wire::reference::v1::{Sample, WriteRequest},
    writeback::{Config, Handle, Settings, StepSeries, spawn},
};
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use prometheus_client::registry::Registry;
use prost::Message;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
    time::Instant,
};

/// One sample as it arrived: the labels as text, milliseconds, the bits of the value.
pub(crate) type SampleSeen = (String, i64, u64);

/// One line of a script.
#[derive(Clone)]
pub(crate) enum Reply {
    /// An answer, once the gate (if any) was opened.
    Answer {
        status: u16,
        headers: Vec<(&'static str, &'static str)>,
        body: String,
        gate: Option<Arc<Notify>>,
    },
    /// No answer.
    Never,
}

/// One request as it arrived.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) samples: Vec<SampleSeen>,
    taken: bool,
}

/// The server; answers 204 when its script is at its end.
pub(crate) struct Target {
    address: SocketAddr,
    log: Arc<Log>,
    server: JoinHandle<()>,
}

struct Log {
    script: Mutex<VecDeque<Reply>>,
    requests: watch::Sender<Vec<Received>>,
}

/// A sender that was started by [`running`].
pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(crate) metrics: WritebackMetrics,
    pub(crate) task: JoinHandle<()>,
}

// === impl Reply ===

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: String::new(), gate: None }
    }

    /// A reply that waits for its gate.
    pub(crate) fn held(status: u16) -> (Arc<Notify>, Self) {
        let gate = Arc::new(Notify::new());
        let reply =
            Self::Answer { status, headers: Vec::new(), body: String::new(), gate: Some(Arc::clone(&gate)) };
        (gate, reply)
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value));
        }
        self
    }

    pub(crate) fn with_body(mut self, text: &str) -> Self {
        if let Self::Answer { body, .. } = &mut self {
            text.clone_into(body);
        }
        self
    }

    async fn answer(self) -> Response {
        let Self::Answer { status, headers, body, gate } = self else { return std::future::pending().await };
        if let Some(gate) = gate {
            gate.notified().await;
        }
        let response =
            headers.into_iter().fold(Response::builder().status(status), |r, (n, v)| r.header(n, v));
        response.body(Body::from(body)).unwrap()
    }

    fn takes(&self) -> bool {
        matches!(self, Self::Answer { status: 200..300, .. })
    }
}

// === impl Received ===

impl Received {
    /// The `Retry-Attempt` header.
    pub(crate) fn retry_attempt(&self) -> Option<u32> {
        self.headers.get("retry-attempt").map(|value| value.to_str().unwrap().parse().unwrap())
    }
}

// === impl Target ===

impl Target {
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), script).await
    }

    pub(crate) async fn start_on(address: SocketAddr, script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Mutex::new(script.into_iter().collect());
        let log = Arc::new(Log { script, requests: watch::Sender::default() });
        let router = Router::new().fallback(receive).with_state(Arc::clone(&log));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, log, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/api/v1/write", self.address)
    }

    /// Waits until `count` requests have arrived (answered or not).
    pub(crate) async fn received(&self, count: usize) {
        let mut requests = self.log.requests.subscribe();
        requests.wait_for(|requests| requests.len() >= count).await.unwrap();
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.log.requests.borrow().clone()
    }

    /// The samples of the requests that were answered 2xx, in the order of arrival.
    pub(crate) fn taken(&self) -> Vec<SampleSeen> {
        let mut samples: Vec<SampleSeen> =
            self.requests().into_iter().filter(|request| request.taken).flat_map(|r| r.samples).collect();
        // A request names each series once, with its samples in order; between series there is no order.
        samples.sort_by(|a, b| a.0.cmp(&b.0));
        samples
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(log): State<Arc<Log>>, request: Request<Body>) -> Response {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let reply = log.script.lock().unwrap().pop_front().unwrap_or_else(|| Reply::status(204));
    let received = Received {
        at,
        method: head.method,
        headers: head.headers,
        samples: decode(&body),
        taken: reply.takes(),
    };
    log.requests.send_modify(|requests| requests.push(received));
    reply.answer().await
}

fn decode(body: &[u8]) -> Vec<SampleSeen> {
    let message = snap::raw::Decoder::new().decompress_vec(body).unwrap();
    let request = WriteRequest::decode(message.as_slice()).unwrap();
    let series = request.timeseries.into_iter().flat_map(|series| {
        assert!(series.labels.is_sorted_by(|a, b| a.name < b.name), "{:?}", series.labels);
        let labels = LabelSet::from_pairs(series.labels.iter().map(|l| (&l.name, &l.value))).unwrap();
        let seen = move |s: Sample| (labels.to_string(), s.timestamp, s.value.to_bits());
        series.samples.into_iter().map(seen)
    });
    series.collect()
}

// === the sender under test ===

/// Starts a sender with its own metrics.
pub(crate) fn running(settings: Settings) -> Running {
    let metrics = WritebackMetrics::register(&mut Registry::default());
    let (handle, task) = spawn(Config::try_new(settings).unwrap(), metrics.clone()).unwrap();
    Running { handle, metrics, task }
}

/// A step with scores of `nodes` entities.
pub(crate) fn step(at: i64, nodes: usize) -> StepSeries {
    let labels = |node: usize| {
        let instance = format!("node-{node:03}");
        LabelSet::from_pairs([("__name__", "anomaly_score"), ("detector", "node"), ("instance", &instance)])
    };
    let series = (0..nodes).map(|node| (labels(node).unwrap(), at as f64 + node as f64 / 1000.0));
    StepSeries { at: TimestampMs(at), series: series.collect() }
}

/// What a target has taken when it has taken just these steps, in order.
pub(crate) fn steps_of(steps: impl IntoIterator<Item = StepSeries>) -> Vec<SampleSeen> {
    let of_step = |step: StepSeries| {
        let at = step.at.0;
        step.series.into_iter().map(move |(labels, value)| (labels.to_string(), at, value.to_bits()))
    };
    let mut samples: Vec<SampleSeen> = steps.into_iter().flat_map(of_step).collect();
    samples.sort_by(|a, b| a.0.cmp(&b.0));
    samples
}
