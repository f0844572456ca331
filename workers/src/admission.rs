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
    let admitted = runtime::is_admitted(limiter, &network(address), configuration.timeout).await;
    let is_admitted = admitted.unwrap_or_else(|error| {
        log::failure(&asked.id, "the limiter does not answer", &error.0);
        true
    });
    if is_admitted { Ok(()) } else { Err(Problem::too_many_requests(LIMIT_SECONDS)) }
}

/// The network of a client, by its address as RFC 5952 has it written: the address itself, or of IPv6 its first 64 bits, as one
/// customer has that many addresses at least (RFC 6177). `credlink serve` goes by the same rule.
fn network(address: &str) -> String {
    // An address of IPv4 that is mapped into IPv6 (RFC 4291, section 2.5.5.2) is that address.
    let mapped = address.strip_prefix("::ffff:").filter(|mapped| mapped.contains('.'));
    let address = mapped.unwrap_or(address);
    let colons = address.bytes().filter(|byte| *byte == b':').count();
    if colons == 0 {
        return address.to_owned();
    }
    // The first group that is empty stands for itself and for all that are left out. Next to it, at an end of the text, there may
    // be another one, which is one of the eight.
    let mut zeros = 8_usize.saturating_sub(colons);
    let (mut network, mut missing) = (String::new(), 4_usize);
    for group in address.split(':') {
        let (group, times) =
            if group.is_empty() { ("0", std::mem::replace(&mut zeros, 1)) } else { (group, 1) };
        for _ in 0..times.min(missing) {
            if !network.is_empty() {
                network.push(':');
            }
            network.push_str(group);
            missing = missing.saturating_sub(1);
        }
    }
    network
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use proptest::prelude::*;

    use super::network;

    #[test]
    fn a_network_is_an_address_of_ipv4_or_64_bits_of_ipv6() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("64:ff9b::192.0.2.1", "64:ff9b:0:0"),
            ("::ffff:5", "0:0:0:0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"),
            ("2001:db8:1:2::7", "2001:db8:1:2"),
            ("2001:db8:1:3::", "2001:db8:1:3"),
            ("2001:db8::1", "2001:db8:0:0"),
            ("2001::db8:1:2:3:4", "2001:0:0:db8"),
            ("1:2:3:4:5:6:7::", "1:2:3:4"),
            ("::2:3:4:5:6:7:8", "0:2:3:4"),
            ("::3:4:5:6:7:8", "0:0:3:4"),
            ("::1", "0:0:0:0"),
            ("::", "0:0:0:0"),
            ("", ""),
        ] {
            assert_eq!(network(address), expected, "{address}");
        }
    }

    proptest! {
        /// The rule of `credlink serve`, for every address as it is written.
        #[test]
        fn addresses_are_of_the_networks_that_their_numbers_say(
            segments in prop::array::uniform8(prop_oneof![Just(0_u16), Just(0xffff), any::<u16>()]),
            is_mapped in any::<bool>(),
        ) {
            let [.., high, low] = segments;
            let segments = if is_mapped { [0, 0, 0, 0, 0, 0xffff, high, low] } else { segments };
            let address = Ipv6Addr::from(segments);
            let expected = match IpAddr::V6(address).to_canonical() {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => {
                    let [a, b, c, d, ..] = address.segments();
                    format!("{a:x}:{b:x}:{c:x}:{d:x}")
                }
            };
            prop_assert_eq!(network(&address.to_string()), expected);
        }

        /// A panic would fail every request of the isolate.
        #[test]
        fn no_text_is_too_much(text in "[0-9a-f:.]{0,40}|.{0,40}") {
            prop_assert!(network(&text).len() <= text.len() + 7);
        }
    }
}
