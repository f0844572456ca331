//! The address of Redis, parsed once. It may hold a password, which is never shown.

use std::fmt;

/// The address of a Redis server, such as `rediss://user:password@cache.example.com:6379/0`.
#[derive(Clone)]
pub struct RedisAddress(pub(super) redis::Client);

/// The reason why an address was refused. It shows no more of the address than the scheme, since the rest may be a
/// password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "REDIS_URL {problem}; allowed are redis://[user:password@]host[:port][/database], and rediss://… for TLS, with \
     special characters of user and password percent-encoded"
)]
pub struct AddressError {
    problem: String,
}

impl RedisAddress {
    /// Parses an address.
    ///
    /// # Errors
    /// Returns an error if it is not the address of a Redis server over TCP or TLS.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let problem = |problem: String| AddressError { problem };
        let Some((scheme, _)) = url.split_once("://") else {
            return Err(problem("has no scheme".to_owned()));
        };
        if !matches!(scheme, "redis" | "rediss") {
            // The part before "://" is shown only if it looks like a scheme (RFC 3986, section 3.1).
            let is_scheme = scheme.len() <= 12 && scheme.bytes().all(|byte| byte.is_ascii_lowercase());
            let shown = if is_scheme { format!("has the scheme `{scheme}`") } else { "is none".to_owned() };
            return Err(problem(shown));
        }
        let client = redis::Client::open(url)
            .map_err(|_| problem(format!("begins with {scheme}://, but goes on as no address does")))?;
        Ok(Self(client))
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisAddress({})", self.0.get_connection_info().addr())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed() {
        let address = RedisAddress::parse("redis://user:secret@localhost:7000/2").unwrap();
        assert_eq!(format!("{address:?}"), "RedisAddress(localhost:7000)");
        assert!(RedisAddress::parse("redis://127.0.0.1").is_ok());
        assert!(RedisAddress::parse("rediss://:secret@cache.example.com:6380").is_ok());
    }

    #[test]
    fn no_error_shows_a_password() {
        for (url, begin) in [
            ("secret", "REDIS_URL has no scheme; allowed are redis://"),
            ("http://u:secret@host", "REDIS_URL has the scheme `http`; allowed are"),
            ("u:secret@host://", "REDIS_URL is none; allowed are"),
            (
                "redis://u:secret@host:port",
                "REDIS_URL begins with redis://, but goes on as no address does; ",
            ),
            (
                "redis://u:secret@host/database",
                "REDIS_URL begins with redis://, but goes on as no address does; ",
            ),
            (
                "rediss://u:se/cret@host:99999",
                "REDIS_URL begins with rediss://, but goes on as no address does; ",
            ),
        ] {
            let error = RedisAddress::parse(url).unwrap_err();
            assert!(error.to_string().starts_with(begin), "{url}: {error}");
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(!text.contains("secret") && !text.contains("cret@"), "{url}: {text}");
            }
        }
    }
}
