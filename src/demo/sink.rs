//! Stands in for Prometheus: a Remote-Write 1.0 receiver on a free loopback port that keeps the scores.
//!
//! It keeps everything it is sent, so it is for runs of limited length. It judges the sender too:
//! samples that come twice or go back in time are counted, and there must be none.

use super::{judge::Severities, message};
use crate::{
    series::{LabelSet, Sample, TimestampMs, is_stale_marker},
    simulate::fleet::Scraped,
};
use axum::{Router, body::Bytes, extract::State, routing::post};
use http::StatusCode;
use std::{
    cmp::Ordering,
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

const SCORE: &str = "anomaly_score";
const SEVERITY: &str = "anomaly_severity";
const WRITE_PATH: &str = "/api/v1/write";

/// The receiver; serves until [`Sink::stop`] or until it is dropped.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

/// What has arrived.
#[derive(Clone, Debug, Default)]
pub struct Received {
    series: BTreeMap<LabelSet, Vec<Sample>>,
    /// Samples kept.
    pub samples: u64,
    /// Samples at a time that their series already had; not kept.
    pub duplicates: u64,
    /// Samples older than the newest of their series; not kept.
    pub out_of_order: u64,
}

/// The newest score of one node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latest {
    /// The step it is of.
    pub at: TimestampMs,
    /// `anomaly_score`, the highest of the node's detectors at that step.
    pub score: f64,
}

// === impl Sink ===

impl Sink {
    /// Binds a free port on the loopback interface and serves on it.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let received = Arc::new(Mutex::new(Received::default()));
        let router = Router::new().route(WRITE_PATH, post(write)).with_state(Arc::clone(&received));
        let (stop, stopped) = oneshot::channel::<()>();
        // A dropped sender ends the receiver as well: either way there is nobody left to serve.
        let stopped = async { stopped.await.unwrap_or_default() };
        let server =
            tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(stopped).into_future());
        Ok(Self { address, received, stop, server })
    }

    /// Where to write to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{WRITE_PATH}", self.address)
    }

    /// What has arrived so far; requests wait while the guard lives.
    pub fn received(&self) -> MutexGuard<'_, Received> {
        lock(&self.received)
    }

    /// Takes no more requests and gives back everything that arrived.
    ///
    /// # Errors
    /// When serving had failed.
    pub async fn stop(self) -> io::Result<Received> {
        drop(self.stop);
        self.server.await.map_err(io::Error::other)??;
        let received = lock(&self.received).clone();
        Ok(received)
    }
}

// === impl Received ===

impl Received {
    fn take(&mut self, samples: Vec<Scraped>) {
        for Scraped { labels, sample } in samples {
            let kept = self.series.entry(labels).or_default();
            match kept.last().map(|last| sample.timestamp.cmp(&last.timestamp)) {
                Some(Ordering::Equal) => self.duplicates += 1,
                Some(Ordering::Less) => self.out_of_order += 1,
                Some(Ordering::Greater) | None => {
                    kept.push(sample);
                    self.samples += 1;
                }
            }
        }
    }

    /// All severities of the node with this `instance`: at each step the highest of its detectors.
    #[must_use]
    pub fn severities(&self, instance: &str) -> Severities {
        let mut severities = Severities::new();
        for sample in self.of(SEVERITY, instance).flatten() {
            let severity = (!is_stale_marker(sample.value)).then_some(sample.value as u8);
            let highest = severities.entry(sample.timestamp).or_default();
            *highest = severity.max(*highest);
        }
        severities
    }

    /// The newest score of the node with this `instance`; `None` before the first one, and after a
    /// stale marker.
    #[must_use]
    pub fn latest(&self, instance: &str) -> Option<Latest> {
        let newest = self.of(SCORE, instance).filter_map(|samples| samples.last());
        let live = newest.filter(|sample| !is_stale_marker(sample.value));
        live.map(|sample| Latest { at: sample.timestamp, score: sample.value })
            .reduce(|a, b| Latest { at: a.at.max(b.at), score: a.score.max(b.score) })
    }

    /// The newest step of any score.
    #[must_use]
    pub fn newest_step(&self) -> Option<TimestampMs> {
        let scores = self.series.iter().filter(|(labels, _)| labels.metric_name() == SCORE);
        scores.filter_map(|(_, samples)| samples.last()).map(|sample| sample.timestamp).max()
    }

    fn of(&self, name: &str, instance: &str) -> impl Iterator<Item = &Vec<Sample>> {
        let wanted =
            move |labels: &LabelSet| labels.metric_name() == name && labels.get("instance") == Some(instance);
        self.series.iter().filter(move |(labels, _)| wanted(labels)).map(|(_, samples)| samples)
    }
}

async fn write(State(received): State<Arc<Mutex<Received>>>, body: Bytes) -> (StatusCode, String) {
    match message::decode(&body) {
        Ok(samples) => {
            lock(&received).take(samples);
            (StatusCode::NO_CONTENT, String::new())
        }
        Err(problem) => (StatusCode::BAD_REQUEST, problem.to_string()),
    }
}

/// A panic while the lock was held loses at most one sample of a display: go on.
fn lock(received: &Mutex<Received>) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{METRIC_NAME, STALE_NAN};

    fn score(name: &str, detector: &str, at: i64, value: f64) -> Vec<Scraped> {
        let labels = [(METRIC_NAME, name), ("detector", detector), ("instance", "node-01")];
        let labels = LabelSet::from_pairs(labels).unwrap();
        vec![Scraped { labels, sample: Sample::new(at, value) }]
    }

    #[test]
    fn the_most_severe_detector_of_a_step_counts() {
        let mut received = Received::default();
        for (detector, at, value) in
            [("node", 1, 0.0), ("node", 2, 1.0), ("http", 1, 2.0), ("http", 2, STALE_NAN)]
        {
            received.take(score(SEVERITY, detector, at, value));
        }
        let severities: Vec<_> = received.severities("node-01").into_values().collect();
        assert_eq!(severities, [Some(2), Some(1)]);
        assert!(received.severities("node-02").is_empty());
    }

    #[test]
    fn the_latest_score_goes_with_its_series() {
        let mut received = Received::default();
        assert_eq!(received.latest("node-01"), None);
        received.take(score(SCORE, "node", 60, 0.25));
        assert_eq!(received.latest("node-01"), Some(Latest { at: TimestampMs(60), score: 0.25 }));
        received.take(score(SCORE, "node", 120, STALE_NAN));
        assert_eq!(received.latest("node-01"), None);
        assert_eq!(received.newest_step(), Some(TimestampMs(120)));
    }

    #[test]
    fn repeated_and_late_samples_are_counted_and_not_kept() {
        let mut received = Received::default();
        for at in [2, 2, 1, 3] {
            received.take(score(SCORE, "node", at, 0.5));
        }
        assert_eq!((received.samples, received.duplicates, received.out_of_order), (2, 1, 1));
    }
}
