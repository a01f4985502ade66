//! What is said of every server that is asked or written to: `url`, `remote_timeout`, `headers`, `basic_auth`,
//! `authorization`, `tls_config`.

use super::section::Section;
use crate::client::{Credentials, Secret, SecretSource, Settings, TlsSettings};
use std::{path::PathBuf, time::Duration};

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3600);

/// The settings of a server, and whether there was a URL; that there is none has been noted then.
pub(super) fn http_client(section: &mut Section<'_>, example: &str) -> (Settings, bool) {
    let url = section.text("url").map(|text| text.value);
    if url.is_none() {
        section.note_here("url is missing", &format!("write, for example, url: {example}"));
    }
    let has_url = url.is_some();
    let default = Settings::new(url.unwrap_or_default());
    let settings = Settings {
        remote_timeout: section.duration("remote_timeout", default.remote_timeout, SHORTEST..=LONGEST),
        headers: headers(section.section("headers")),
        credentials: credentials(section),
        tls: tls(section.section("tls_config")),
        url: default.url,
    };
    (settings, has_url)
}

/// Says what was found wrong at the key that its message begins with.
pub(super) fn note(section: &Section<'_>, problem: &str) {
    match problem.split_once(": ") {
        Some((key, message)) => section.note_at(key, message),
        None => section.note_at("", problem),
    }
}

fn tls(mut section: Section<'_>) -> TlsSettings {
    let mut file = |key: &'static str| section.text(key).map(|text| PathBuf::from(text.value));
    let (ca_file, cert_file, key_file) = (file("ca_file"), file("cert_file"), file("key_file"));
    let settings = TlsSettings {
        ca_file,
        cert_file,
        key_file,
        server_name: section.text("server_name").map(|text| text.value),
        insecure_skip_verify: section.switch("insecure_skip_verify", false),
    };
    section.finish();
    settings
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
