//! The address that the server listens on, and who can reach it.

use std::net::{SocketAddr, ToSocketAddrs as _};

use credlink_client::is_this_machine;
use http::Uri;

use crate::error::{Trouble, TroubleKind};

/// Resolves the address that `listen` names: `127.0.0.1:8787`, `[::1]:0`, `localhost:8787`.
pub fn resolve(listen: &str) -> Result<SocketAddr, Trouble> {
    let wrong = |why: &dyn std::fmt::Display| {
        let detail =
            format!("--listen is an address and a port such as 127.0.0.1:8787, not `{listen}`: {why}");
        Trouble::new(TroubleKind::Usage, detail)
    };
    let mut addresses = listen.to_socket_addrs().map_err(|error| wrong(&error))?;
    addresses.next().ok_or_else(|| wrong(&"it has no address"))
}

/// Returns the problem of a server without credentials on an address that others can reach.
pub fn open_to_others(listen: &str) -> Trouble {
    let detail = format!(
        "others can reach {listen}, and without tokens everybody there could store and delete. Give --tokens FILE, a \
         JSON array of {{\"name\", \"sha256\" (of the token), \"tenant\", \"scopes\"}}, or --jwks FILE|URL for JSON Web \
         Tokens, or listen on 127.0.0.1"
    );
    Trouble::new(TroubleKind::Usage, detail)
}

/// Returns the problem of a server without credentials whose public URL others can reach.
pub fn public_without_tokens(url: &str) -> Trouble {
    let detail = format!(
        "--public-url {url} says that others reach this server, and without tokens everybody who does could store and \
         delete. Give --tokens FILE or --jwks FILE|URL, or leave --public-url out"
    );
    Trouble::new(TroubleKind::Usage, detail)
}

/// Returns `true` if a URL leads to a machine other than this one.
pub fn is_elsewhere(url: &str) -> bool {
    let is_elsewhere =
        |url: Uri| url.scheme().is_some() && url.host().is_some_and(|host| !is_this_machine(host));
    url.parse().is_ok_and(is_elsewhere)
}

/// Returns the base URL of links: the given one, or the address that the server listens on.
pub fn public_url(given: Option<&str>, listening: &str) -> Result<String, Trouble> {
    let Some(given) = given else {
        if listening.starts_with("http://0.0.0.0:") || listening.starts_with("http://[::]:") {
            tracing::warn!(url = listening, "links will not work from elsewhere: give --public-url");
        }
        return Ok(listening.to_owned());
    };
    let is_url = |uri: Uri| {
        let http = matches!(uri.scheme_str(), Some("http" | "https"));
        http && uri.authority().is_some() && uri.query().is_none()
    };
    if given.parse().is_ok_and(is_url) {
        Ok(given.trim_end_matches('/').to_owned())
    } else {
        let detail = format!("--public-url is an address such as https://cdn.example.com, not `{given}`");
        Err(Trouble::new(TroubleKind::Usage, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_port() {
        assert_eq!(resolve("127.0.0.1:0").unwrap().to_string(), "127.0.0.1:0");
        assert_eq!(resolve("[::1]:80").unwrap().to_string(), "[::1]:80");
        for bad in ["", "8787", "127.0.0.1", "127.0.0.1:99999", "http://127.0.0.1:1"] {
            assert!(resolve(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_of_others_is_known() {
        for url in ["https://cdn.example.com", "http://10.0.0.1:8787", "http://localhost.example.com"] {
            assert!(is_elsewhere(url), "{url}");
        }
        for url in ["http://localhost:1", "http://127.0.0.1", "http://[::1]:8787/x"] {
            assert!(!is_elsewhere(url), "{url}");
        }
    }

    #[test]
    fn links_begin_with_a_url() {
        let listening = "http://127.0.0.1:1";
        assert_eq!(public_url(None, listening).unwrap(), listening);
        assert_eq!(public_url(Some("https://a.example/x/"), listening).unwrap(), "https://a.example/x");
        for bad in ["a.example", "ftp://a.example", "https://a.example/?x", ""] {
            assert!(public_url(Some(bad), listening).is_err(), "{bad}");
        }
    }
}
