//! A server in this process, and a client that sends exactly the bytes it is given.

use arc_swap::ArcSwap;
use emberwatch::{
    api::{self, AnomalySnapshot, Api, DetectorReport, Readiness, ReloadRequest},
    maintenance::Registry,
    pipeline::Maintenance,
    receive::{self, Receiver},
    series::TimestampMs,
    server,
    shards::{Append, Appended, Mailbox, ShardMessage, Shards},
    telemetry::{Exposition, Metrics, encode},
    window::{self, Store},
};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::{mpsc, oneshot},
};

/// Far more than any answer takes; only a hang gets here.
const HANG: Duration = Duration::from_secs(20);

/// What a test can choose.
pub(crate) struct Options {
    pub(crate) receive: receive::Config,
    pub(crate) server: server::Config,
    pub(crate) window: window::Config,
    pub(crate) shards: usize,
    pub(crate) queue_capacity: usize,
    /// Whether the shards serve their mailboxes.
    pub(crate) shards_serve: bool,
    pub(crate) enable_lifecycle: bool,
    /// Planned work of the configuration.
    pub(crate) maintenance: Vec<Maintenance>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            receive: receive::Config::default(),
            server: server::Config { drain_timeout: Duration::from_millis(200), ..server::Config::default() },
            window: window::Config::default(),
            shards: 3,
            queue_capacity: 8,
            shards_serve: true,
            enable_lifecycle: true,
            maintenance: Vec::new(),
        }
    }
}

/// A running server; stops when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) shards: Shards,
    pub(crate) readiness: Readiness,
    pub(crate) anomalies: Arc<ArcSwap<AnomalySnapshot>>,
    pub(crate) detectors: Arc<ArcSwap<Vec<DetectorReport>>>,
    pub(crate) reloads: mpsc::Receiver<ReloadRequest>,
    pub(crate) maintenance: Arc<Registry>,
    /// Holds the file of the planned work that was added.
    _state: tempfile::TempDir,
    /// Mailboxes that nobody serves.
    pub(crate) mailboxes: Vec<Mailbox>,
    stop: Option<oneshot::Sender<()>>,
    runtime: Runtime,
    serving: Option<tokio::task::JoinHandle<()>>,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The three `Written` headers of 2.0: samples, histograms, exemplars.
    pub(crate) fn written(&self) -> Option<[u64; 3]> {
        let part = |what: &str| {
            self.header(&format!("X-Prometheus-Remote-Write-{what}-Written"))
                .map(|text| text.parse().unwrap())
        };
        Some([part("Samples")?, part("Histograms")?, part("Exemplars")?])
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let metrics = Arc::new(Metrics::new());
        let (shards, mut mailboxes) = Shards::new(options.shards, options.queue_capacity, 7);
        if options.shards_serve {
            for mailbox in mailboxes.drain(..) {
                runtime.spawn(run_shard(Store::new(options.window, Vec::new()), mailbox));
            }
        }
        let metadata = Arc::default();
        let receiver = Receiver::new(options.receive, shards.clone(), metadata, Arc::clone(&metrics));
        let (readiness, anomalies) = (Readiness::default(), Arc::default());
        let detectors: Arc<ArcSwap<Vec<DetectorReport>>> = Arc::default();
        let (reload, reloads) = mpsc::channel(1);
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("maintenance.json");
        let maintenance = Arc::new(Registry::open(options.maintenance, file, TimestampMs(0)));
        let api = Api {
            metrics: Arc::clone(&metrics),
            readiness: readiness.clone(),
            anomalies: Arc::clone(&anomalies),
            detectors: Arc::clone(&detectors),
            maintenance: Arc::clone(&maintenance),
            reload: options.enable_lifecycle.then_some(reload),
        };
        let panics = axum::Router::new().route("/panic", axum::routing::get(panicking));
        let routes = receive::router(Arc::new(receiver)).merge(api::router(api)).merge(panics);
        let routes = api::instrument(routes, &metrics);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        let serving =
            runtime.spawn(server::serve(listener, routes, options.server, Arc::clone(&metrics), shutdown));
        Self {
            address,
            metrics,
            shards,
            readiness,
            anomalies,
            detectors,
            reloads,
            maintenance,
            _state: state,
            mailboxes,
            stop: Some(stop),
            runtime,
            serving: Some(serving),
        }
    }

    /// Stops accepting, drains, and returns when the server has ended.
    pub(crate) fn shut_down(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            self.runtime.block_on(async { tokio::time::timeout(HANG, serving).await.unwrap().unwrap() });
        }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    pub(crate) fn block_on<T>(&self, task: impl Future<Output = T>) -> T {
        self.runtime.block_on(task)
    }

    /// A connection that has sent nothing yet.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        stream
    }

    /// One request on a connection of its own.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut stream = self.connect();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses by the head alone may close before it has read the body.
        let _ = stream.write_all(body);
        read_response(&mut stream)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], &[])
    }

    /// A Remote-Write 1.0 request as Prometheus sends it; `message` is compressed here.
    pub(crate) fn write_v1(&self, message: &[u8]) -> Response {
        self.write("application/x-protobuf", message)
    }

    /// A Remote-Write 2.0 request as Prometheus sends it.
    pub(crate) fn write_v2(&self, message: &[u8]) -> Response {
        self.write("application/x-protobuf;proto=io.prometheus.write.v2.Request", message)
    }

    /// A request with this content type; `message` is compressed here.
    pub(crate) fn write(&self, content_type: &str, message: &[u8]) -> Response {
        let headers = [("Content-Type", content_type), ("Content-Encoding", "snappy")];
        self.request("POST", "/api/v1/write", &headers, &compress(message))
    }

    /// The value of one line of `/metrics`; 0 when it is not there.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = encode(&self.metrics, Exposition::Prometheus).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut_down();
    }
}

async fn panicking() -> &'static str {
    panic!("on purpose")
}

async fn run_shard(mut store: Store, mut mailbox: Mailbox) {
    while let Some(ShardMessage::Append(Append { batch, now, reply, .. })) = mailbox.recv().await {
        let counts = store.append(&batch, now);
        let _ = reply.send(Appended { counts, batch });
    }
}

pub(crate) fn compress(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

/// Reads until the server closes.
pub(crate) fn read_response(stream: &mut TcpStream) -> Response {
    let mut bytes = Vec::new();
    // A reset after the answer is the server's way not to read the rest of a refused body.
    let _ = stream.read_to_end(&mut bytes);
    parse_response(&String::from_utf8(bytes).unwrap())
}

fn parse_response(text: &str) -> Response {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    Response { status, headers: lines.filter_map(header).collect(), body: body.to_owned() }
}
