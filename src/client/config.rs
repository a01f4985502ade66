//! What a client can be told, in Prometheus' words.

use super::{Credentials, TlsSettings, tls::server_name};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, uri::Scheme};
use std::time::Duration;

/// Headers that only the program itself sets; with `x-amz-*` the list that Prometheus refuses.
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

/// Unchecked settings of one server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `url`: where it is.
    pub url: String,
    /// `remote_timeout`: how long one request may take, the connection included. 30 s.
    pub remote_timeout: Duration,
    /// `headers`: sent with every request.
    pub headers: Vec<(String, String)>,
    /// `basic_auth` or `authorization`.
    pub credentials: Option<Credentials>,
    /// `tls_config`.
    pub tls: TlsSettings,
}

/// Checked settings of one server.
#[derive(Clone, Debug)]
pub struct Config {
    url: Uri,
    pub(super) remote_timeout: Duration,
    pub(super) headers: HeaderMap,
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: TlsSettings,
}

/// One thing wrong with [`Settings`]; the text begins with the setting's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// Not a URL with scheme, host and path.
    #[error("url: {url:?} is not a URL ({reason}); write e.g. \"{example}\"")]
    Url {
        /// What was written.
        url: String,
        /// What is wrong with it.
        reason: String,
        /// One that could stand there.
        example: &'static str,
    },
    /// A user name or password inside the URL, where every log line would show it.
    #[error("url: contains a user name or password; write them under basic_auth")]
    CredentialsInUrl,
    /// A header that only the program sets.
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
    /// A timeout of nothing.
    #[error("remote_timeout: must be above zero")]
    NoTime,
    /// A certificate without its key, or the other way round.
    #[error("tls_config: cert_file and key_file belong together; write both")]
    HalfPair,
    /// A name that no certificate can have.
    #[error("tls_config.server_name: {name:?} is no host name")]
    ServerName {
        /// What was written.
        name: String,
    },
}

// === impl Settings ===

impl Settings {
    /// The defaults, for a server.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            remote_timeout: Duration::from_secs(30),
            headers: Vec::new(),
            credentials: None,
            tls: TlsSettings::default(),
        }
    }
}

// === impl Config ===

impl Config {
    /// Checks settings; `example` is a URL that a user could have written.
    ///
    /// # Errors
    /// Everything that is wrong with them, in the order of the fields.
    pub fn try_new(settings: Settings, example: &'static str) -> Result<Self, Vec<InvalidConfig>> {
        let mut problems = Vec::new();
        let url = note(parse_url(&settings.url, example), &mut problems);
        if settings.remote_timeout.is_zero() {
            problems.push(InvalidConfig::NoTime);
        }
        let headers = parse_headers(&settings.headers, &mut problems);
        if let Some(Credentials::Basic { username, .. }) = &settings.credentials
            && username.contains(':')
        {
            problems.push(InvalidConfig::Username { username: username.clone() });
        }
        if settings.tls.cert_file.is_some() != settings.tls.key_file.is_some() {
            problems.push(InvalidConfig::HalfPair);
        }
        if let Some(name) = settings.tls.server_name.as_ref().filter(|name| server_name(name).is_none()) {
            problems.push(InvalidConfig::ServerName { name: name.clone() });
        }
        match url {
            Some(url) if problems.is_empty() => Ok(Self {
                url,
                remote_timeout: settings.remote_timeout,
                headers,
                credentials: settings.credentials,
                tls: settings.tls,
            }),
            _ => Err(problems),
        }
    }

    /// Where the server is.
    #[must_use]
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// Host and port.
    #[must_use]
    pub fn host(&self) -> String {
        self.url.authority().map_or_else(String::new, ToString::to_string)
    }

    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == Some(&Scheme::HTTPS)
    }
}

// === helpers ===

fn note<T>(result: Result<T, InvalidConfig>, problems: &mut Vec<InvalidConfig>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn parse_url(url: &str, example: &'static str) -> Result<Uri, InvalidConfig> {
    let wrong = |reason: &str| InvalidConfig::Url { url: url.to_owned(), reason: reason.to_owned(), example };
    let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
    let authority = uri.authority().ok_or_else(|| wrong("no host"))?;
    if authority.as_str().contains('@') {
        return Err(InvalidConfig::CredentialsInUrl);
    }
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => Ok(uri),
        Some(scheme) => Err(wrong(&format!("scheme {scheme} is neither http nor https"))),
        None => Err(wrong("no scheme")),
    }
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
        Config::try_new(settings, URL).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_defaults_are_valid() {
        let config = Config::try_new(Settings::new(URL), URL).unwrap();
        assert_eq!(config.url(), URL);
        assert_eq!(config.host(), "localhost:9090");
        assert!(!config.is_https());
        let config = Config::try_new(Settings::new("https://metrics.example/"), URL).unwrap();
        assert!(config.is_https());
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
            tls: TlsSettings {
                key_file: Some("key.pem".into()),
                server_name: Some("no name".into()),
                ..TlsSettings::default()
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
            "tls_config: ",
            "tls_config.server_name: ",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:#?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }

    #[test]
    fn urls_that_cannot_be_used_say_why() {
        let problem = |url: &str| problems(Settings::new(url)).join("; ");
        assert!(problem("ftp://metrics.example/").contains("scheme ftp is neither http nor https"));
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
                Config::try_new(settings, URL).unwrap_err(),
                [InvalidConfig::ReservedHeader { name: name.into() }]
            );
        }
    }
}
