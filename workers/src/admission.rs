//! Admission: rate limits for requests that the cache cannot answer.

use credlink_core::http::problem::Problem;

use crate::configuration::Configuration;
use crate::log;
use crate::request::{Asked, CLIENT};
use crate::runtime;

/// Seconds after which a rate-limited client may retry: the longest period that a limiter supports.
const LIMIT_SECONDS: u32 = 60;

/// Admits a request that the cache cannot answer, if the limiter allows it or if the request `is_free`.
///
/// # Errors
/// The client has reached its limit. A limiter that does not answer rejects nobody.
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

/// Returns the network of a client, given its address in the notation of RFC 5952: an IPv4 address itself, or the first
/// four groups of an IPv6 address, because a customer has at least 64 bits of addresses (RFC 6177); fewer groups if
/// zeros among them are abbreviated.
fn network(address: &str) -> &str {
    // An IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) counts as the IPv4 address.
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
