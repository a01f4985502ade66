//! Which store is asked, and how much at once.

use crate::client;
use std::time::Duration;

/// A store as a user could write it.
const EXAMPLE: &str = "http://localhost:9090";

/// How a store is asked for samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// `remote_read`: `POST /api/v1/read`, in chunks where the store can. Prometheus, Thanos, Mimir.
    #[default]
    RemoteRead,
    /// `query`: `POST /api/v1/query` with a range selector, which gives samples as they are. VictoriaMetrics has no other; native histograms
    /// are not read so.
    Query,
}

/// Unchecked settings of the store.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the store is, such as `http://localhost:9090`, without `/api/v1/...`, and how it is asked.
    pub client: client::Settings,
    /// `api`.
    pub api: Api,
    /// `max_samples`: samples that one slice may hold. 2,000,000 (32 MB).
    pub max_samples: usize,
    /// `max_concurrency`: requests at once. 4.
    pub max_concurrency: usize,
    /// `retry_for`: how long a request is repeated that gets no answer, or one that says "later". 30 s.
    pub retry_for: Duration,
}

/// Checked settings of the store.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) client: client::Config,
    pub(super) api: Api,
    pub(super) max_samples: usize,
    pub(super) max_concurrency: usize,
    pub(super) retry_for: Duration,
}

/// One thing wrong with [`Settings`]; the text begins with the setting's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// What is wrong with the address and what goes with it.
    #[error(transparent)]
    Client(#[from] client::InvalidConfig),
    /// The address of something, not of the store.
    #[error("url: {path:?} is added by the program itself; write {without:?}")]
    Path {
        /// The part that is too much.
        path: &'static str,
        /// What to write.
        without: String,
    },
    /// A number that must be above zero.
    #[error("{setting}: must be above zero")]
    Zero {
        /// The setting.
        setting: &'static str,
    },
}

// === impl Settings ===

impl Settings {
    /// The defaults, for a store.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            client: client::Settings::new(url),
            api: Api::default(),
            max_samples: 2_000_000,
            max_concurrency: 4,
            retry_for: Duration::from_secs(30),
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
        problems.extend(client.as_ref().and_then(endpoint_in_url));
        let numbers = [("max_samples", settings.max_samples), ("max_concurrency", settings.max_concurrency)];
        let zeros = numbers.iter().filter(|(_, number)| *number == 0);
        problems.extend(zeros.map(|(setting, _)| InvalidConfig::Zero { setting }));
        match client {
            Some(client) if problems.is_empty() => Ok(Self {
                client,
                api: settings.api,
                max_samples: settings.max_samples,
                max_concurrency: settings.max_concurrency,
                retry_for: settings.retry_for,
            }),
            _ => Err(problems),
        }
    }

    /// Where the store is.
    #[must_use]
    pub fn url(&self) -> &http::Uri {
        self.client.url()
    }

    /// The address of an endpoint of the store.
    pub(super) fn endpoint(&self, path: &str) -> http::Uri {
        let url = self.client.url();
        let text = format!("{}{path}", url.to_string().trim_end_matches('/'));
        // A checked URL with a path of ours is one.
        text.parse().unwrap_or_else(|_| url.clone())
    }
}

/// Users of Prometheus write the whole address of an endpoint; that of the other API would then not be found.
fn endpoint_in_url(client: &client::Config) -> Option<InvalidConfig> {
    let url = client.url().to_string();
    ["/api/v1/read", "/api/v1/query", "/api/v1/query_range", "/api/v1"].into_iter().find_map(|path| {
        let without = url.trim_end_matches('/').strip_suffix(path)?.to_owned();
        Some(InvalidConfig::Path { path, without })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(settings: Settings) -> Vec<String> {
        Config::try_new(settings).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn endpoints_are_below_the_address() {
        for url in ["http://localhost:9090", "http://localhost:9090/"] {
            let config = Config::try_new(Settings::new(url)).unwrap();
            assert_eq!(config.endpoint("/api/v1/read"), "http://localhost:9090/api/v1/read");
        }
        let config = Config::try_new(Settings::new("http://thanos/prometheus")).unwrap();
        assert_eq!(config.endpoint("/api/v1/read"), "http://thanos/prometheus/api/v1/read");
    }

    #[test]
    fn every_problem_says_what_to_write() {
        let settings = Settings { max_samples: 0, ..Settings::new("http://localhost:9090/api/v1/read") };
        assert_eq!(
            problems(settings),
            [
                "url: \"/api/v1/read\" is added by the program itself; write \"http://localhost:9090\"",
                "max_samples: must be above zero",
            ]
        );
    }
}
