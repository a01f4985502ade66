//! The whole demo through loopback, with a stand-in for the sidecar that knows one simple rule.

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::IntoResponse,
    routing::{get, post},
};
use emberwatch::{
    demo::{
        BoxError, START, Settings, Sidecar, SidecarSettings, run,
        screen::{Mode, Screen},
        sender::{MAX_SAMPLES_PER_SEND, Sender},
        sink::Sink,
    },
    series::{LabelSet, METRIC_NAME, Sample},
    simulate::{
        fault::FaultKind,
        fleet::{Fleet, Scraped},
    },
    wire::reference::v1::WriteRequest,
};
use http::{StatusCode, header};
use prost::Message;
use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{Mutex, oneshot},
};

/// Says "high" while less than 15 % of a node's memory are available, and nothing else, ever.
#[derive(Debug)]
struct MemoryRule {
    write_back: Sender,
    total: BTreeMap<String, f64>,
    low: BTreeMap<String, f64>,
    /// Turned away first, as a sidecar does that is overloaded.
    refusals_left: u32,
}

type Shared = Arc<Mutex<MemoryRule>>;

async fn start(settings: SidecarSettings) -> Result<Sidecar, BoxError> {
    let rule = MemoryRule {
        write_back: Sender::new(settings.remote_write_url.parse()?),
        total: BTreeMap::new(),
        low: BTreeMap::new(),
        refusals_left: 2,
    };
    let router = Router::new()
        .route("/api/v1/write", post(write))
        .route("/api/v1/anomalies", get(anomalies))
        .with_state(Arc::new(Mutex::new(rule)));
    serve(router).await
}

async fn serve(router: Router) -> Result<Sidecar, BoxError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { stopped.await.unwrap_or_default() };
    let server = tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(stopped).into_future());
    let stop = Box::pin(async move {
        drop(stop);
        assert!(matches!(server.await, Ok(Ok(()))), "the stand-in broke");
    });
    Ok(Sidecar { base_url, stop })
}

async fn write(State(rule): State<Shared>, body: Bytes) -> impl IntoResponse {
    let mut rule = rule.lock().await;
    if rule.refusals_left > 0 {
        rule.refusals_left -= 1;
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "0")], String::new());
    }
    let (status, text) = match rule.take(&body).await {
        Ok(()) => (StatusCode::NO_CONTENT, String::new()),
        Err(problem) => (StatusCode::BAD_REQUEST, problem.to_string()),
    };
    (status, [(header::RETRY_AFTER, "")], text)
}

async fn anomalies(State(rule): State<Shared>) -> Json<serde_json::Value> {
    let rule = rule.lock().await;
    let low = rule.low.iter().map(|(instance, share)| {
        serde_json::json!({
            "detector": "memory",
            "entity": {"instance": instance},
            "anomaly_score": 1.0 - share,
            "severity": 3,
            "tail_probability": 1e-3,
            "explanation": "hardly any memory available",
        })
    });
    Json(serde_json::json!({"status": "success", "data": low.collect::<Vec<_>>()}))
}

impl MemoryRule {
    async fn take(&mut self, body: &[u8]) -> Result<(), BoxError> {
        let message = snap::raw::Decoder::new().decompress_vec(body)?;
        let mut scores = Vec::new();
        for series in WriteRequest::decode(message.as_slice())?.timeseries {
            let labels = LabelSet::from_pairs(series.labels.iter().map(|label| (&label.name, &label.value)))?;
            for sample in &series.samples {
                self.judge(&labels, Sample::new(sample.timestamp, sample.value), &mut scores)?;
            }
        }
        Ok(self.write_back.send(&scores).await?)
    }

    fn judge(&mut self, of: &LabelSet, sample: Sample, into: &mut Vec<Scraped>) -> Result<(), BoxError> {
        let instance = of.get("instance").ok_or("a series without instance")?;
        match of.metric_name() {
            "node_memory_MemTotal_bytes" => {
                self.total.insert(instance.to_owned(), sample.value);
            }
            "node_memory_MemAvailable_bytes" if !sample.value.is_nan() => {
                let total = self.total.get(instance).ok_or("no total")?;
                let share = sample.value / total;
                self.low.remove(instance);
                if share < 0.15 {
                    self.low.insert(instance.to_owned(), share);
                }
                let severity = if share < 0.15 { 3.0 } else { 0.0 };
                for (name, value) in [("anomaly_score", 1.0 - share), ("anomaly_severity", severity)] {
                    let labels = [(METRIC_NAME, name), ("detector", "memory"), ("instance", instance)];
                    let labels = LabelSet::from_pairs(labels)?;
                    into.push(Scraped { labels, sample: Sample { value, ..sample } });
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The rule sees memory leaks and nothing else: so they are found, everything else is missed, and
/// there is no false alarm. On the way the first requests are refused and repeated.
#[tokio::test]
async fn a_rule_for_memory_finds_the_memory_leaks_and_misses_the_rest() {
    let settings = Settings {
        n_nodes: 2,
        seed: 7,
        training_days: 0.05,
        days: 0.7,
        n_faults: 5,
        duration: Duration::ZERO,
    };
    let mut out = Vec::new();
    let outcome = run(&settings, Screen::new(&mut out, Mode::Lines), start).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    let verdicts = outcome.medium;
    assert_eq!(outcome.high, verdicts, "the rule only ever says high");
    assert!(!verdicts.faults.is_empty(), "{out}");
    for judged in &verdicts.faults {
        assert_eq!(judged.delay_ms.is_some(), judged.fault.kind == FaultKind::MemoryLeak, "{out}");
    }
    assert_eq!((verdicts.found(), verdicts.false_alarms.len()), (1, 0), "{out}");
    assert!(out.contains("2 requests repeated") && out.contains("(0 twice, 0 out of order)"), "{out}");
}

#[tokio::test]
async fn samples_arrive_at_the_sink_once_and_in_order() {
    let sink = Sink::bind().await.unwrap();
    let mut sender = Sender::new(sink.url().parse().unwrap());
    let mut fleet = Fleet::new(1, 3, START, 30_000, &[]);
    let mut scraped = Vec::new();
    while scraped.len() < 3 * MAX_SAMPLES_PER_SEND {
        fleet.scrape(&mut scraped);
    }
    sender.send(&scraped).await.unwrap();
    assert_eq!((sender.sent_samples(), sender.retries()), (scraped.len() as u64, 0));
    let received = sink.stop().await.unwrap();
    assert_eq!(received.samples, scraped.len() as u64);
    assert_eq!((received.duplicates, received.out_of_order), (0, 0));
}

#[tokio::test]
async fn a_receiver_that_refuses_the_samples_ends_the_sending_with_its_words() {
    let refuse = post(|| async { (StatusCode::BAD_REQUEST, "label name twice") });
    let receiver = serve(Router::new().route("/api/v1/write", refuse)).await.unwrap();
    let mut sender = Sender::new(format!("{}/api/v1/write", receiver.base_url).parse().unwrap());
    let mut scraped = Vec::new();
    Fleet::new(1, 1, START, 30_000, &[]).scrape(&mut scraped);
    let error = sender.send(&scraped).await.unwrap_err().to_string();
    assert!(error.contains("400") && error.contains("label name twice"), "{error}");
}

#[tokio::test]
async fn a_sidecar_that_does_not_start_is_said_with_the_cause() {
    let settings = Settings {
        n_nodes: 1,
        seed: 1,
        training_days: 1.0,
        days: 1.0,
        n_faults: 1,
        duration: Duration::ZERO,
    };
    let screen = Screen::new(Vec::new(), Mode::Lines);
    let error = run(&settings, screen, |_| async { Err("no port left".into()) }).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!((error.to_string().as_str(), source.as_str()), ("the sidecar did not start", "no port left"));
}
