//! The address at which clamd listens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The address of clamd: `unix:/run/clamav/clamd.ctl`, or `127.0.0.1:3310`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClamdAddress {
    /// A socket in the file system, as clamd's `LocalSocket` names it.
    Unix(PathBuf),
    /// A host and a port, as clamd's `TCPAddr` and `TCPSocket` name them. What is sent there is not encrypted.
    Tcp(String),
}

/// A reason why text is not an address of clamd.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "clamd's address is `unix:` with the absolute path of its socket, or a host with a port, such as `127.0.0.1:3310`; not `{0}`"
)]
pub struct ClamdAddressError(String);

impl FromStr for ClamdAddress {
    type Err = ClamdAddressError;

    fn from_str(text: &str) -> Result<Self, ClamdAddressError> {
        let error = || ClamdAddressError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() { Ok(Self::Unix(path)) } else { Err(error()) };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        // An IPv6 address is written in brackets (RFC 3986, section 3.2.2).
        let is_host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
            None => !host.is_empty() && !host.contains([':', '/', ' ']),
        };
        if is_port && is_host { Ok(Self::Tcp(text.to_owned())) } else { Err(error()) }
    }
}

impl fmt::Display for ClamdAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in ["unix:/run/clamav/clamd.ctl", "127.0.0.1:3310", "scanner.internal:1", "[::1]:3310"] {
            assert_eq!(text.parse::<ClamdAddress>().map(|address| address.to_string()).as_deref(), Ok(text));
        }
        for text in [
            "",
            "unix:",
            "unix:clamd.ctl",
            "127.0.0.1",
            ":3310",
            "host:0",
            "host:65536",
            "::1:3310",
            "[::1]",
            "[host]:1",
            "http://host:1",
            "/run/clamd.ctl",
        ] {
            assert_eq!(text.parse::<ClamdAddress>(), Err(ClamdAddressError(text.to_owned())));
        }
    }
}
