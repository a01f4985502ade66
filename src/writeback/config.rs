//! What the sender can be told, in Prometheus' words (`remote_write` in its configuration).
//!
//! [`Settings`] are plain values with defaults; only a [`Config`] made of them can be used.
//! There is no `batch_send_deadline`: no step waits for a batch to fill.

use super::{Credentials, backoff::Backoff, queue::Bounds};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, uri::Scheme};
use std::time::Duration;

/// Headers that only the sender itself sets; with `x-amz-*` the list that Prometheus refuses.
const RESERVED_HEADERS: [&str; 14] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "user-agent",
    "www-authenticate",
    "x-prometheus-remote-read-version",
    "x-prometheus-remote-write-version",
];

/// Unchecked settings of one target.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `url`: where to send, such as `http://localhost:9090/api/v1/write`.
    pub url: String,
    /// `name`: what log lines call the target; empty means its host.
    pub name: String,
    /// `remote_timeout`: how long one request may take, the connection included. 30 s.
    pub remote_timeout: Duration,
    /// `headers`: sent with every request.
    pub headers: Vec<(String, String)>,
    /// `basic_auth` or `authorization`.
    pub credentials: Option<Credentials>,
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
    pub(super) url: Uri,
    pub(super) name: String,
    pub(super) remote_timeout: Duration,
    pub(super) headers: HeaderMap,
    pub(super) credentials: Option<Credentials>,
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
    /// Not a URL with scheme, host and path.
    #[error("url: {url:?} is not a URL ({reason}); write e.g. \"http://localhost:9090/api/v1/write\"")]
    Url {
        /// What was written.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `https://`.
    #[error(
        "url: {url:?} needs TLS, which is not supported yet; use http:// to a target or proxy on a trusted network"
    )]
    Tls {
        /// What was written.
        url: String,
    },
    /// A user name or password inside the URL, where every log line would show it.
    #[error("url: contains a user name or password; write them under basic_auth")]
    CredentialsInUrl,
    /// A header that only the sender sets.
    #[error("headers: {name:?} is set by the program itself and cannot be changed")]
    ReservedHeader {
        /// The header.
        name: String,
    },
    /// A name or value that HTTP does not allow.
    #[error("headers: {name:?} is not a valid header name, or its value is not valid")]
    Header {
        /// The header.
        name: String,
    },
    /// A user name that `basic_auth` cannot carry.
    #[error("basic_auth.username: {username:?} contains a colon")]
    Username {
        /// What was written.
        username: String,
    },
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
            url: url.into(),
            name: String::new(),
            remote_timeout: Duration::from_secs(30),
            headers: Vec::new(),
            credentials: None,
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
        let mut problems = Vec::new();
        let url = note(parse_url(&settings.url), &mut problems);
        if settings.remote_timeout.is_zero() {
            problems.push(InvalidConfig::Zero { setting: "remote_timeout" });
        }
        let headers = parse_headers(&settings.headers, &mut problems);
        if let Some(Credentials::Basic { username, .. }) = &settings.credentials
            && username.contains(':')
        {
            problems.push(InvalidConfig::Username { username: username.clone() });
        }
        let queue = QueueConfig::try_new(&settings.queue, &mut problems);
        match (url, queue) {
            (Some(url), Some(queue)) if problems.is_empty() => Ok(Self {
                name: if settings.name.is_empty() { host(&url) } else { settings.name },
                url,
                remote_timeout: settings.remote_timeout,
                headers,
                credentials: settings.credentials,
                queue,
                flush_deadline: settings.flush_deadline,
            }),
            _ => Err(problems),
        }
    }

    /// Where the scores go.
    #[must_use]
    pub fn url(&self) -> &Uri {
        &self.url
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

// === helpers ===

fn note<T>(result: Result<T, InvalidConfig>, problems: &mut Vec<InvalidConfig>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn parse_url(url: &str) -> Result<Uri, InvalidConfig> {
    let wrong = |reason: &str| InvalidConfig::Url { url: url.to_owned(), reason: reason.to_owned() };
    let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
    let authority = uri.authority().ok_or_else(|| wrong("no host"))?;
    if authority.as_str().contains('@') {
        return Err(InvalidConfig::CredentialsInUrl);
    }
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => Ok(uri),
        Some(scheme) if *scheme == Scheme::HTTPS => Err(InvalidConfig::Tls { url: url.to_owned() }),
        Some(scheme) => Err(wrong(&format!("scheme {scheme} is not http"))),
        None => Err(wrong("no scheme")),
    }
}

fn host(url: &Uri) -> String {
    url.authority().map_or_else(String::new, ToString::to_string)
}

fn parse_headers(pairs: &[(String, String)], problems: &mut Vec<InvalidConfig>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        if let Some((name, value)) = note(parse_header(name, value), problems) {
            headers.append(name, value);
        }
    }
    headers
}

fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), InvalidConfig> {
    let lower = name.to_ascii_lowercase();
    if RESERVED_HEADERS.contains(&lower.as_str()) || lower.starts_with("x-amz-") {
        return Err(InvalidConfig::ReservedHeader { name: name.to_owned() });
    }
    match (HeaderName::try_from(lower), HeaderValue::try_from(value)) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(InvalidConfig::Header { name: name.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Secret, SecretSource};
    use super::*;

    const URL: &str = "http://localhost:9090/api/v1/write";

    fn problems(settings: Settings) -> Vec<String> {
        Config::try_new(settings).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_defaults_are_valid_and_the_name_is_the_host() {
        let config = Config::try_new(Settings::new(URL)).unwrap();
        assert_eq!(config.url(), URL);
        assert_eq!(config.name, "localhost:9090");
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let settings = Settings {
            remote_timeout: Duration::ZERO,
            headers: vec![("X-Tenant".into(), "a\nb".into()), ("a b".into(), "c".into())],
            credentials: Some(Credentials::Basic {
                username: "a:b".into(),
                password: SecretSource::Inline(Secret::new("c")),
            }),
            queue: QueueSettings {
                max_samples_per_send: 0,
                max_backoff: Duration::from_millis(29),
                ..QueueSettings::default()
            },
            ..Settings::new("localhost:9090")
        };
        let problems = problems(settings);
        let starts = [
            "url: ",
            "remote_timeout: ",
            "headers: \"X-Tenant\"",
            "headers: \"a b\"",
            "basic_auth.username: ",
            "queue_config.max_samples_per_send: ",
            "queue_config.max_backoff: ",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:#?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }

    #[test]
    fn urls_that_cannot_be_used_say_why() {
        let problem = |url: &str| problems(Settings::new(url)).join("; ");
        assert!(problem("https://metrics.example/api/v1/write").contains("needs TLS"));
        assert!(problem("ftp://metrics.example/").contains("scheme ftp is not http"));
        assert!(problem("/api/v1/write").contains("no host"));
        assert!(problem("http://").contains("is not a URL"));
        let with_password = problem("http://me:hunter2@metrics.example/");
        assert!(
            with_password.contains("basic_auth") && !with_password.contains("hunter2"),
            "{with_password}"
        );
    }

    #[test]
    fn reserved_headers_are_refused_in_any_case() {
        for name in ["Content-Type", "AUTHORIZATION", "X-Prometheus-Remote-Write-Version", "X-Amz-Date"] {
            let settings = Settings { headers: vec![(name.into(), "x".into())], ..Settings::new(URL) };
            assert_eq!(
                Config::try_new(settings).unwrap_err(),
                [InvalidConfig::ReservedHeader { name: name.into() }]
            );
        }
    }
}
