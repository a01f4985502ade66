//! The `remote_write` list.

use super::section::Section;
use crate::writeback::{Config, Credentials, InvalidConfig, QueueSettings, Secret, SecretSource, Settings};
use std::{path::PathBuf, time::Duration};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The target of scores; `None` when there is none, or a wrong one, which has been noted.
pub(super) fn remote_write(root: &mut Section<'_>) -> Option<Config> {
    let mut targets = root.sections("remote_write")?.into_iter();
    let target = target(targets.next()?);
    if let Some(second) = targets.next() {
        second
            .note_here("only one target is supported yet", "send to one, and let it forward by remote_write");
    }
    target
}

fn target(mut section: Section<'_>) -> Option<Config> {
    let url = section.text("url");
    if url.is_none() {
        section.note_here("url is missing", "write, for example, url: http://127.0.0.1:9090/api/v1/write");
    }
    let url = url.map(|text| text.value);
    let default = Settings::new(url.clone().unwrap_or_default());
    let settings = Settings {
        name: section.text("name").map(|text| text.value).unwrap_or_default(),
        remote_timeout: section.duration("remote_timeout", default.remote_timeout, 100 * MS..=HOUR),
        headers: headers(section.section("headers")),
        credentials: credentials(&mut section),
        queue: queue(section.section("queue_config"), default.queue),
        flush_deadline: section.duration("flush_deadline", default.flush_deadline, MS..=HOUR),
        url: default.url,
    };
    let checked = Config::try_new(settings);
    if let (Some(_), Err(problems)) = (&url, &checked) {
        problems.iter().for_each(|problem| note(&section, problem));
    }
    section.finish();
    checked.ok()
}

/// Says what the sender found at the key that its message names.
fn note(section: &Section<'_>, problem: &InvalidConfig) {
    let text = problem.to_string();
    match text.split_once(": ") {
        Some((key, message)) => section.note_at(key, message),
        None => section.note_at("", &text),
    }
}

fn headers(section: Section<'_>) -> Vec<(String, String)> {
    section.free_entries().into_iter().map(|(name, value)| (name.value, value.value)).collect()
}

fn credentials(section: &mut Section<'_>) -> Option<Credentials> {
    let basic = section.optional_section("basic_auth").map(basic_auth);
    let bearer = section.optional_section("authorization").map(authorization);
    if basic.is_some() && bearer.is_some() {
        section.note_here("basic_auth and authorization exclude each other", "write one of them");
    }
    basic.or(bearer)?
}

fn basic_auth(mut section: Section<'_>) -> Option<Credentials> {
    let username = section.text("username").map(|text| text.value);
    if username.is_none() {
        section.note_here("username is missing", "write the user's name");
    }
    let password = secret(&mut section, "password", "password_file");
    section.finish();
    Some(Credentials::Basic { username: username?, password: password? })
}

fn authorization(mut section: Section<'_>) -> Option<Credentials> {
    if let Some(kind) = section.text("type")
        && !kind.value.eq_ignore_ascii_case("bearer")
    {
        section.note(&kind, &format!("{:?} is not supported", kind.value), "write Bearer, or use basic_auth");
    }
    let credentials = secret(&mut section, "credentials", "credentials_file");
    section.finish();
    credentials.map(Credentials::Bearer)
}

fn secret(section: &mut Section<'_>, inline: &'static str, file: &'static str) -> Option<SecretSource> {
    let (value, path) = (section.text(inline), section.text(file));
    match (value, path) {
        (Some(value), None) => Some(SecretSource::Inline(Secret::new(value.value))),
        (None, Some(path)) => Some(SecretSource::File(PathBuf::from(path.value))),
        (Some(_), Some(_)) => {
            section.note_here(&format!("{inline} and {file} exclude each other"), &format!("write {file}"));
            None
        }
        (None, None) => {
            section.note_here(&format!("{inline} is missing"), &format!("write {file} or {inline}"));
            None
        }
    }
}

fn queue(mut section: Section<'_>, default: QueueSettings) -> QueueSettings {
    let age = section.duration("sample_age_limit", Duration::ZERO, Duration::ZERO..=YEAR);
    let queue = QueueSettings {
        capacity: section.number("capacity", default.capacity, 1..=1_000_000_000),
        capacity_bytes: section.size("capacity_bytes", default.capacity_bytes, 1 << 20..=1 << 40),
        max_samples_per_send: section.number(
            "max_samples_per_send",
            default.max_samples_per_send,
            1..=100_000,
        ),
        min_backoff: section.duration("min_backoff", default.min_backoff, MS..=HOUR),
        max_backoff: section.duration("max_backoff", default.max_backoff, MS..=HOUR),
        retry_on_http_429: section.switch("retry_on_http_429", default.retry_on_http_429),
        // As in Prometheus, 0 means no limit.
        sample_age_limit: (!age.is_zero()).then_some(age),
    };
    section.finish();
    queue
}
