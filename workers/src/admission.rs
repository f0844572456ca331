//! Admission: how much a client may have looked for that is not in the cache.

use credlink_core::http::problem::Problem;
use http::HeaderName;

use crate::configuration::Configuration;
use crate::log;
use crate::request::Asked;
use crate::runtime;

/// Where Cloudflare says from which address a request comes; it replaces what a client sends.
const CLIENT: HeaderName = HeaderName::from_static("cf-connecting-ip");

/// Seconds after which a client that asked too often may come again: the longest period that a limiter counts in.
const LIMIT_SECONDS: u32 = 60;

/// Lets a client have something looked for, as often as the limiter allows, or always where that `is_free`.
///
/// # Errors
/// The client has had its share. A limiter that does not answer keeps nobody out.
pub async fn admit(configuration: &Configuration, asked: &Asked, is_free: bool) -> Result<(), Problem> {
    let Some(limiter) = configuration.misses.as_ref().filter(|_| !is_free) else { return Ok(()) };
    let address = asked.headers.get(CLIENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let admitted = runtime::is_admitted(limiter, network(address), configuration.timeout).await;
    let is_admitted = admitted.unwrap_or_else(|error| {
        log::failure(&asked.id, "the limiter does not answer", &error.0);
        true
    });
    if is_admitted { Ok(()) } else { Err(Problem::too_many_requests(LIMIT_SECONDS)) }
}

/// The network of a client, by its address as RFC 5952 has it written: the address itself, or of IPv6 its first four groups, as
/// one customer has 64 bits of addresses at least (RFC 6177); fewer where zeros among them are left out.
fn network(address: &str) -> &str {
    // An address of IPv4 that is mapped into IPv6 (RFC 4291, section 2.5.5.2) is that address.
    let address = address.strip_prefix("::ffff:").unwrap_or(address);
    let fourth = address.match_indices(':').nth(3).map(|(at, _)| at);
    let zeros = address.find("::");
    let end = fourth.into_iter().chain(zeros).min().unwrap_or(address.len());
    address.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn a_network_is_an_address_of_ipv4_or_the_beginning_of_one_of_ipv6() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"),
            ("2001:db8:1:2::7", "2001:db8:1:2"),
            ("2001:db8:1:3::", "2001:db8:1:3"),
            ("2001:db8::1", "2001:db8"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::1", ""),
            ("", ""),
        ] {
            assert_eq!(network(address), expected, "{address}");
        }
    }
}
