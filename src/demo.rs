//! The demo: a simulated fleet, a real sidecar, a stand-in for Prometheus, and a screen.
//!
//! ```text
//! fleet + faults --sender--> sidecar --write-back--> sink --severities--> judge
//!                               |                      |                    |
//!                               +---anomalies (why)----+----> screen <------+
//! ```
//!
//! Samples travel as they do in production: Remote-Write over loopback, in and out. Only time is
//! simulated: the days begin at [`START`] and play faster than the wall clock, so a sidecar in the
//! demo must tell time by the data alone. The sidecar is started by the caller, who gets the
//! settings it needs and hands back where it listens ([`Sidecar`]).
//!
//! The run of samples depends on the settings only, never on the clock: what differs between two runs
//! with the same seed is how long they take.

pub mod anomalies;

pub mod faults;

pub mod judge;

mod message;

mod pace;

pub mod screen;

pub mod sender;

pub mod sink;

use crate::{
    series::TimestampMs,
    simulate::{
        fault::Fault,
        fleet::{Fleet, NodeView},
    },
};
use anomalies::{Anomalies, AnomaliesError, Anomaly};
use judge::{HIGH, MEDIUM, Severities, Verdicts};
use pace::Pace;
use screen::{Frame, Phase, Row, Screen, Totals};
use sender::{SendError, Sender};
use sink::{Received, Sink};
use std::{
    io::{self, Write},
    pin::Pin,
    time::Duration,
};
use tokio::time::Instant;

/// Beginning of the simulated time: Monday, 5 January 2026, 00:00 UTC. Always the same, so that a
/// seed stands for a run.
pub const START: TimestampMs = TimestampMs(1_767_571_200_000);

/// Simulated distance of two scrapes of one node.
pub const SCRAPE_INTERVAL: Duration = Duration::from_secs(30);

/// The sidecar's step: two scrapes.
pub const STEP: Duration = Duration::from_secs(60);

const DAY_S: f64 = 86_400.0;
/// Time between two pictures: often enough to look alive, seldom enough to read.
const FRAME_INTERVAL: Duration = Duration::from_millis(200);
/// At the end scores are complete when they reach so close to the last sample: what is newer has not
/// settled yet.
const SETTLE_MS: i64 = 5 * 60_000;
/// How long the demo waits at the end for a sidecar that makes no progress.
const PATIENCE: Duration = Duration::from_secs(5);

/// An error of the caller's.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What to play.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Number of nodes, at least 1.
    pub n_nodes: usize,
    /// Everything random follows from it.
    pub seed: u64,
    /// Simulated days without faults, for learning; positive.
    pub training_days: f64,
    /// Simulated days with faults after them; positive.
    pub days: f64,
    /// Faults to inject, at most; as many as fit.
    pub n_faults: usize,
    /// Wall-clock time of the whole; zero is as fast as the sidecar takes it.
    pub duration: Duration,
}

/// What the demo's sidecar must be told, beside defaults that suit any fleet.
#[derive(Clone, Debug, PartialEq)]
pub struct SidecarSettings {
    /// Remote-Write 1.0 endpoint for the scores.
    pub remote_write_url: String,
    /// Distance of two evaluations, in data time.
    pub step: Duration,
    /// Length of the data, in data time, after which the first model is to be fitted.
    pub training: Duration,
    /// Seed of the model.
    pub seed: u64,
}

/// A running sidecar.
pub struct Sidecar {
    /// Scheme, host and port, e.g. `http://127.0.0.1:41234`.
    pub base_url: String,
    /// Stops it and completes when every score has been written back.
    pub stop: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What the demo came to, for alarms of two levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Counting severities medium and high.
    pub medium: Verdicts,
    /// Counting high only.
    pub high: Verdicts,
}

/// Why the demo could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The receiver for the scores did not start, or broke.
    #[error("the receiver for the scores failed")]
    Sink(#[source] io::Error),
    /// The sidecar did not start.
    #[error("the sidecar did not start")]
    Sidecar(#[source] BoxError),
    /// The sidecar's address is none.
    #[error("the sidecar's address {url:?} is not a URL")]
    Address {
        /// The address.
        url: String,
        /// Why not.
        source: http::uri::InvalidUri,
    },
    /// Samples were not taken.
    #[error("the sidecar did not take the samples")]
    Send(#[from] SendError),
    /// The sidecar's answers cannot be asked for.
    #[error("the sidecar cannot be asked for anomalies")]
    Anomalies(#[from] AnomaliesError),
    /// Nothing can be shown.
    #[error("cannot write to the screen")]
    Screen(#[source] io::Error),
}

/// Plays the demo on `screen` against the sidecar that `start_sidecar` starts, and judges it.
///
/// # Errors
/// When one of the parts fails; the result of a weak detector is not an error.
pub async fn run<W: Write, F: Future<Output = Result<Sidecar, BoxError>>>(
    settings: &Settings,
    mut screen: Screen<W>,
    start_sidecar: impl FnOnce(SidecarSettings) -> F,
) -> Result<Outcome, DemoError> {
    let sink = Sink::bind().await.map_err(DemoError::Sink)?;
    let sidecar = start_sidecar(settings.for_sidecar(&sink)).await.map_err(DemoError::Sidecar)?;
    let mut show = Show::new(settings, &sidecar.base_url)?;
    show.play(&sink, &mut screen).await?;
    wait_for_scores(&sink, show.now).await;
    sidecar.stop.await;
    let received = sink.stop().await.map_err(DemoError::Sink)?;
    show.end(&received, &mut screen)
}

// === impl Settings ===

impl Settings {
    fn for_sidecar(&self, sink: &Sink) -> SidecarSettings {
        SidecarSettings {
            remote_write_url: sink.url(),
            step: STEP,
            training: Duration::from_millis(self.watched_from().since_ms(START).max(0).unsigned_abs()),
            seed: self.seed,
        }
    }

    /// When the training days end and the watched days begin.
    fn watched_from(&self) -> TimestampMs {
        START.plus_ms((self.training_days * DAY_S * 1000.0) as i64)
    }

    fn end(&self) -> TimestampMs {
        self.watched_from().plus_ms((self.days * DAY_S * 1000.0) as i64)
    }
}

// === impl Show ===

/// Everything but the sidecar and the receiver.
struct Show {
    days: f64,
    end: TimestampMs,
    faults: Vec<Fault>,
    instances: Vec<String>,
    fleet: Fleet,
    sender: Sender,
    anomalies: Anomalies,
    pace: Pace,
    now: TimestampMs,
    /// Wall-clock time until an alarm was on the screen.
    first_alarm: Option<Duration>,
}

impl Show {
    fn new(settings: &Settings, base_url: &str) -> Result<Self, DemoError> {
        let url = format!("{}/api/v1/write", base_url.trim_end_matches('/'));
        let url = url.parse().map_err(|source| DemoError::Address { url, source })?;
        let (watched_from, end) = (settings.watched_from(), settings.end());
        let (seed, n_nodes) = (settings.seed, settings.n_nodes);
        let faults = faults::schedule(seed, n_nodes, settings.n_faults, watched_from, end);
        let fleet = Fleet::new(seed, n_nodes, START, SCRAPE_INTERVAL.as_millis() as i64, &faults);
        Ok(Self {
            days: settings.days,
            end,
            faults,
            instances: fleet.views().into_iter().map(|view| view.instance).collect(),
            fleet,
            sender: Sender::new(url),
            anomalies: Anomalies::of(base_url)?,
            pace: Pace::new(START, watched_from, end, settings.duration),
            now: START,
            first_alarm: None,
        })
    }

    /// Sends everything, at the pace asked for, and shows how it goes.
    async fn play<W: Write>(&mut self, sink: &Sink, screen: &mut Screen<W>) -> Result<(), DemoError> {
        let began = Instant::now();
        let mut next_frame = began;
        let mut scraped = Vec::new();
        while self.now < self.end {
            scraped.clear();
            self.now = self.fleet.scrape(&mut scraped);
            self.sender.send(&scraped).await?;
            if Instant::now() >= next_frame {
                next_frame = Instant::now() + FRAME_INTERVAL;
                let anomalies = self.anomalies.now().await;
                let frame = self.frame(&sink.received(), anomalies);
                screen.show(&frame).map_err(DemoError::Screen)?;
                if frame.rows.iter().any(|row| row.since.is_some()) {
                    self.first_alarm.get_or_insert(began.elapsed());
                }
            }
            tokio::time::sleep_until(began + self.pace.due(self.now)).await;
        }
        Ok(())
    }

    fn frame(&self, received: &Received, anomalies: Result<Vec<Anomaly>, AnomaliesError>) -> Frame {
        let (anomalies, trouble) = match anomalies {
            Ok(anomalies) => (anomalies, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let acting = self.faults.iter().filter(|fault| fault.start <= self.now && self.now < fault.end);
        let name = |fault: &Fault| format!("{} on {}", fault.kind, self.instances[fault.node]);
        let scored = received.newest_step().is_some();
        Frame {
            now: self.now,
            phase: if scored { Phase::Watching } else { Phase::Learning },
            speed: self.pace.speed(self.now),
            faults_begun: self.faults.iter().filter(|fault| fault.start <= self.now).count(),
            faults_total: self.faults.len(),
            faults_now: acting.map(name).collect(),
            rows: self.fleet.views().into_iter().map(|view| row(view, received, &anomalies)).collect(),
            trouble,
        }
    }

    /// Judges what came back and reports it.
    fn end<W: Write>(self, received: &Received, screen: &mut Screen<W>) -> Result<Outcome, DemoError> {
        let severities: Vec<Severities> =
            self.instances.iter().map(|instance| received.severities(instance)).collect();
        let judge = |level| {
            let of_node = |(node, severities)| judge::alarms(node, severities, level);
            let alarms: Vec<_> = severities.iter().enumerate().flat_map(of_node).collect();
            judge::judge(&self.faults, &alarms)
        };
        let outcome = Outcome { medium: judge(MEDIUM), high: judge(HIGH) };
        let totals = Totals {
            outcome: &outcome,
            instances: &self.instances,
            days: self.days,
            first_alarm: self.first_alarm,
            sent_samples: self.sender.sent_samples(),
            retries: self.sender.retries(),
            written_back: received.samples,
            duplicates: received.duplicates,
            out_of_order: received.out_of_order,
        };
        screen.report(&totals).map_err(DemoError::Screen)?;
        Ok(outcome)
    }
}

fn row(view: NodeView, received: &Received, anomalies: &[Anomaly]) -> Row {
    let severities = received.severities(&view.instance);
    let worst = anomalies::worst(anomalies, &view);
    let why = worst.map(|anomaly| anomaly.explanation.clone());
    Row {
        score: received.latest(&view.instance).map(|latest| latest.score),
        severity: severities.last_key_value().and_then(|(_, severity)| *severity),
        since: alarming_since(&severities),
        why,
        view,
    }
}

/// The beginning of the alarm that is on, if one is.
fn alarming_since(severities: &Severities) -> Option<TimestampMs> {
    let alarming = |severity: &Option<u8>| severity.is_some_and(|severity| severity >= MEDIUM);
    severities.iter().rev().take_while(|(_, severity)| alarming(severity)).last().map(|(at, _)| *at)
}

/// Waits until the scores have reached `end`, or come no further.
async fn wait_for_scores(sink: &Sink, end: TimestampMs) {
    let mut newest = None;
    let mut moved = Instant::now();
    while moved.elapsed() < PATIENCE {
        let step = sink.received().newest_step();
        if step.is_some_and(|step| end.since_ms(step) <= SETTLE_MS) {
            return;
        }
        if step != newest {
            (newest, moved) = (step, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
