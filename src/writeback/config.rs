//! What the sender can be told, in Prometheus' words (`remote_write` in its configuration).
//!
//! [`Settings`] are plain values with defaults; only a [`Config`] made of them can be used.
//! There is no `batch_send_deadline`: no step waits for a batch to fill.

use super::queue::Bounds;
use crate::client::{self, Backoff};
use std::time::Duration;

/// A target as a user could write it.
const EXAMPLE: &str = "http://localhost:9090/api/v1/write";

/// Unchecked settings of one target.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to send, such as `http://localhost:9090/api/v1/write`, and how.
    pub client: client::Settings,
    /// `name`: what log lines call the target; empty means its host.
    pub name: String,
    /// `queue_config`.
    pub queue: QueueSettings,
    /// How long [`Handle::flush`](super::Handle::flush) tries to send what is queued. 10 s: with as much for
    /// the rest it stays within the 30 s that Kubernetes gives a pod to end.
    pub flush_deadline: Duration,
}

/// Unchecked `queue_config`.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// `capacity`: samples waiting at most. 500 000: with two series an entity and a step of 15 s, two hours
    /// of a target's absence for 500 entities.
    pub capacity: usize,
    /// Bytes waiting at most, labels counted in full. 128 MiB: `capacity` samples with 250 bytes of labels.
    pub capacity_bytes: usize,
    /// `max_samples_per_send`: samples in one request at most. 2000.
    pub max_samples_per_send: usize,
    /// `min_backoff`: the wait before the first repeat. 30 ms.
    pub min_backoff: Duration,
    /// `max_backoff`: the wait that doubling ends at. 5 s.
    pub max_backoff: Duration,
    /// `retry_on_http_429`: whether 429 means "later" (else "never"). True, unlike Prometheus: the queue holds
    /// hours, and a score that is thrown away is never made again.
    pub retry_on_http_429: bool,
    /// `sample_age_limit`: samples older than this are dropped instead of sent. `None`: none are.
    pub sample_age_limit: Option<Duration>,
}

/// Checked settings of one target.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) client: client::Config,
    pub(super) name: String,
    pub(super) queue: QueueConfig,
    pub(super) flush_deadline: Duration,
}

/// Checked `queue_config`.
#[derive(Clone, Debug)]
pub(super) struct QueueConfig {
    bounds: Bounds,
    /// Invariant: above zero.
    pub(super) max_samples_per_send: usize,
    pub(super) backoff: Backoff,
    pub(super) retry_on_http_429: bool,
    pub(super) sample_age_limit: Option<Duration>,
}

/// One thing wrong with [`Settings`]; the text begins with the setting's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// What is wrong with the target.
    #[error(transparent)]
    Client(#[from] client::InvalidConfig),
    /// A number or duration that must be above zero.
    #[error("{setting}: must be above zero")]
    Zero {
        /// The setting.
        setting: &'static str,
    },
    /// The two backoffs in the wrong order.
    #[error("queue_config.max_backoff: {max:?} is shorter than min_backoff, {min:?}")]
    Backoff {
        /// `min_backoff`.
        min: Duration,
        /// `max_backoff`.
        max: Duration,
    },
}

// === impl Settings ===

impl Settings {
    /// The defaults, for a target.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            client: client::Settings::new(url),
            name: String::new(),
            queue: QueueSettings::default(),
            flush_deadline: Duration::from_secs(10),
        }
    }
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            capacity: 500_000,
            capacity_bytes: 128 << 20,
            max_samples_per_send: 2000,
            min_backoff: Duration::from_millis(30),
            max_backoff: Duration::from_secs(5),
            retry_on_http_429: true,
            sample_age_limit: None,
        }
    }
}

// === impl Config ===

impl Config {
    /// Checks settings.
    ///
    /// # Errors
    /// Everything that is wrong with them, in the order of the fields.
    pub fn try_new(settings: Settings) -> Result<Self, Vec<InvalidConfig>> {
        let client = client::Config::try_new(settings.client, EXAMPLE);
        let (client, mut problems) = match client {
            Ok(client) => (Some(client), Vec::new()),
            Err(problems) => (None, problems.into_iter().map(InvalidConfig::from).collect()),
        };
        let queue = QueueConfig::try_new(&settings.queue, &mut problems);
        match (client, queue) {
            (Some(client), Some(queue)) if problems.is_empty() => Ok(Self {
                name: if settings.name.is_empty() { client.host() } else { settings.name },
                client,
                queue,
                flush_deadline: settings.flush_deadline,
            }),
            _ => Err(problems),
        }
    }

    /// Where the scores go.
    #[must_use]
    pub fn url(&self) -> &http::Uri {
        self.client.url()
    }
}

// === impl QueueConfig ===

impl QueueConfig {
    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// `None` with at least one problem noted.
    fn try_new(settings: &QueueSettings, problems: &mut Vec<InvalidConfig>) -> Option<Self> {
        let numbers = [
            ("queue_config.capacity", settings.capacity),
            ("queue_config.capacity_bytes", settings.capacity_bytes),
            ("queue_config.max_samples_per_send", settings.max_samples_per_send),
        ];
        let zeros = numbers.iter().filter(|(_, number)| *number == 0).map(|(setting, _)| *setting);
        problems.extend(zeros.map(|setting| InvalidConfig::Zero { setting }));
        let (min, max) = (settings.min_backoff, settings.max_backoff);
        if min.is_zero() {
            problems.push(InvalidConfig::Zero { setting: "queue_config.min_backoff" });
        } else if max < min {
            problems.push(InvalidConfig::Backoff { min, max });
        }
        Some(Self {
            bounds: Bounds { samples: settings.capacity, bytes: settings.capacity_bytes },
            max_samples_per_send: settings.max_samples_per_send,
            backoff: Backoff::try_new(min, max)?,
            retry_on_http_429: settings.retry_on_http_429,
            sample_age_limit: settings.sample_age_limit.filter(|limit| !limit.is_zero()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_the_name_is_the_host() {
        let config = Config::try_new(Settings::new(EXAMPLE)).unwrap();
        assert_eq!(config.url(), EXAMPLE);
        assert_eq!(config.name, "localhost:9090");
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let settings = Settings {
            queue: QueueSettings {
                max_samples_per_send: 0,
                max_backoff: Duration::from_millis(29),
                ..QueueSettings::default()
            },
            ..Settings::new("localhost:9090")
        };
        let problems: Vec<String> =
            Config::try_new(settings).unwrap_err().iter().map(ToString::to_string).collect();
        let starts = ["url: ", "queue_config.max_samples_per_send: ", "queue_config.max_backoff: "];
        assert_eq!(problems.len(), starts.len(), "{problems:#?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }
}
