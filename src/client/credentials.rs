//! Who we are to the target: the `Authorization` header.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use std::{
    fmt,
    io::{self, Read},
    path::PathBuf,
};

/// The most that is read of a secret's file.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Text that never shows in logs or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Where a secret stands. Files are read again for every request, so a rotated one works at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// In the configuration.
    Inline(Secret),
    /// In a file of its own; white space around it does not belong to it.
    File(PathBuf),
}

/// How requests are authorized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// `basic_auth`: `username`, and `password` or `password_file`.
    Basic {
        /// The user's name; without a colon.
        username: String,
        /// The password.
        password: SecretSource,
    },
    /// `authorization` of type `Bearer`: `credentials` or `credentials_file`.
    Bearer(SecretSource),
}

/// Why there is no `Authorization` header to send.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredentialsError {
    #[error("cannot read {path}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the credentials contain bytes that no header can hold")]
    NotAHeader,
}

// === impl Secret ===

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

// === impl SecretSource ===

impl SecretSource {
    fn read(&self) -> Result<String, CredentialsError> {
        match self {
            Self::Inline(Secret(text)) => Ok(text.clone()),
            Self::File(path) => {
                let mut text = String::new();
                std::fs::File::open(path)
                    .and_then(|file| file.take(MAX_SECRET_BYTES).read_to_string(&mut text))
                    .map_err(|source| CredentialsError::Unreadable { path: path.clone(), source })?;
                Ok(text.trim().to_owned())
            }
        }
    }
}

// === impl Credentials ===

impl Credentials {
    /// The value of the `Authorization` header now.
    pub(super) fn header(&self) -> Result<HeaderValue, CredentialsError> {
        let text = match self {
            Self::Basic { username, password } => {
                let pair = format!("{username}:{}", password.read()?);
                format!("Basic {}", BASE64_STANDARD.encode(pair))
            }
            Self::Bearer(token) => format!("Bearer {}", token.read()?),
        };
        let mut value = HeaderValue::try_from(text).map_err(|_| CredentialsError::NotAHeader)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn inline(text: &str) -> SecretSource {
        SecretSource::Inline(Secret::new(text))
    }

    /// The example of RFC 7617 section 2.
    #[test]
    fn basic_is_the_encoded_pair() {
        let credentials = Credentials::Basic { username: "Aladdin".into(), password: inline("open sesame") };
        assert_eq!(credentials.header().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn a_rotated_file_is_read_again() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let credentials = Credentials::Bearer(SecretSource::File(file.path().into()));
        writeln!(file, "first").unwrap();
        assert_eq!(credentials.header().unwrap(), "Bearer first");
        std::fs::write(file.path(), " second\n").unwrap();
        assert_eq!(credentials.header().unwrap(), "Bearer second");
    }

    #[test]
    fn what_cannot_be_sent_says_why() {
        let missing = Credentials::Bearer(SecretSource::File("/nonexistent/token".into()));
        assert!(missing.header().unwrap_err().to_string().contains("/nonexistent/token"));
        let broken = Credentials::Bearer(inline("a\nb"));
        assert!(matches!(broken.header(), Err(CredentialsError::NotAHeader)));
    }

    #[test]
    fn secrets_do_not_show() {
        let shown = format!("{:?}", Credentials::Bearer(inline("hunter2")));
        assert_eq!(shown, "Bearer(Inline(<secret>))");
    }
}
