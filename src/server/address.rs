//! `--web.listen-address`, in the forms Prometheus takes.

use std::{fmt, io, net::Ipv4Addr, str::FromStr};
use tokio::net::TcpListener;

/// Host and port to listen on: `:9201` (all addresses), `127.0.0.1:0`, `[::1]:9201`, `localhost:9201`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// Empty for all addresses.
    host: String,
    port: u16,
}

/// Text that is no listen address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address to listen on; write host:port, such as :9201, 127.0.0.1:9201 or [::1]:9201")]
pub struct InvalidAddress(String);

// === impl ListenAddress ===

impl ListenAddress {
    /// Opens the socket.
    ///
    /// # Errors
    /// When the port is taken or the host is not an address of this machine.
    pub async fn bind(&self) -> io::Result<TcpListener> {
        if !self.host.is_empty() {
            return TcpListener::bind((self.host.as_str(), self.port)).await;
        }
        // The IPv6 wildcard takes IPv4 as well; where IPv6 is switched off there is only IPv4.
        match TcpListener::bind(("::", self.port)).await {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, self.port)).await
            }
            bound => bound,
        }
    }
}

impl FromStr for ListenAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().map_err(|_| invalid())?;
        let host = match host.strip_prefix('[').map(|inner| inner.strip_suffix(']')) {
            Some(Some(inner)) => inner,
            Some(None) => return Err(invalid()),
            // A colon outside brackets: an IPv6 address whose last group was taken for the port.
            None if host.contains(':') => return Err(invalid()),
            None => host,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read_and_written_back() {
        for text in [":9201", "127.0.0.1:0", "[::1]:9201", "localhost:9201", "[::]:1"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        for wrong in ["", "9201", "127.0.0.1", "::1:9201", "[::1:9201", ":99999", ":-1", "a:b"] {
            assert!(wrong.parse::<ListenAddress>().is_err(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn an_empty_host_takes_ipv4_connections() {
        let listener = ":0".parse::<ListenAddress>().unwrap().bind().await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    }
}
