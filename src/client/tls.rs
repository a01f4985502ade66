//! TLS to a server: Prometheus' `tls_config`.

use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem, pem::PemObject},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Unchecked `tls_config`. It says something only where the URL begins with `https`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// `ca_file`: PEM file with the certificates that sign the server's; `None`: those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// `cert_file`: PEM file with our own certificate and those that sign it, for servers that ask who we are.
    pub cert_file: Option<PathBuf>,
    /// `key_file`: PEM file with the key of our own certificate.
    pub key_file: Option<PathBuf>,
    /// `server_name`: the name that the server's certificate must have; `None`: that of the URL.
    pub server_name: Option<String>,
    /// `insecure_skip_verify`: whether any certificate will do.
    pub insecure_skip_verify: bool,
}

/// Why a `tls_config` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read, or holds nothing of the kind.
    #[error("tls_config.{setting}: {path}: {reason}")]
    File {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificates of the system cannot be read.
    #[error("tls_config: the certificates that the system trusts cannot be read ({0}); write ca_file")]
    System(String),
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("tls_config: {0}")]
    Pair(rustls::Error),
}

/// The connector for both schemes; the settings are read where `is_https`.
pub(super) fn connector(
    settings: &TlsSettings,
    is_https: bool,
    tcp: HttpConnector,
) -> Result<HttpsConnector<HttpConnector>, TlsError> {
    let config = if is_https { client_config(settings)? } else { without_roots()? };
    let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
    let name = settings.server_name.as_deref().and_then(server_name);
    Ok(match name {
        Some(name) => {
            let resolver = FixedServerNameResolver::new(name);
            builder.with_server_name_resolver(resolver).enable_http1().wrap_connector(tcp)
        }
        None => builder.enable_http1().wrap_connector(tcp),
    })
}

/// A name that a certificate can have; an IP address is one.
pub(super) fn server_name(name: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).ok()
}

fn client_config(settings: &TlsSettings) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?;
    let builder = if settings.insecure_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else {
        builder.with_root_certificates(roots(settings.ca_file.as_deref())?)
    };
    match (&settings.cert_file, &settings.key_file) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("cert_file", certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| of_file("key_file", key, &error))?;
            builder.with_client_auth_cert(chain, key).map_err(TlsError::Pair)
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

/// For plain HTTP: a system without certificates must not be in the way.
fn without_roots() -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let Some(file) = ca_file else {
        let system = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(system.certs);
        if added == 0 {
            let reason =
                system.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
            return Err(TlsError::System(reason));
        }
        return Ok(roots);
    };
    for certificate in certificates("ca_file", file)? {
        roots.add(certificate).map_err(|error| of_file("ca_file", file, &error))?;
    }
    Ok(roots)
}

fn certificates(setting: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |error: pem::Error| of_file(setting, file, &error);
    let certificates =
        CertificateDer::pem_file_iter(file).map_err(read)?.collect::<Result<Vec<_>, _>>().map_err(read)?;
    if certificates.is_empty() {
        Err(of_file(setting, file, &"no certificate in it"))
    } else {
        Ok(certificates)
    }
}

fn of_file(setting: &'static str, path: &Path, reason: &dyn std::fmt::Display) -> TlsError {
    TlsError::File { setting, path: path.to_owned(), reason: reason.to_string() }
}

/// `insecure_skip_verify`: the name and the issuer of the server are not asked for; that it holds the key of its certificate is.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

// === impl AnyCertificate ===

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
