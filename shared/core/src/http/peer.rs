//! The address of a client: the peer of its connection, or what a proxy that is trusted says of it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use http::HeaderMap;
use http::header::HeaderName;

/// The header in which a proxy says for whom it asks. Each proxy appends the address of its own peer.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address at the other end of a request's connection. A server adds it to the extensions of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Returns the network that one customer has: an IPv4 address itself, or the first 64 bits of an IPv6 address, because one
/// customer has at least that many addresses (RFC 6177).
#[must_use]
pub fn customer_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// A network, written as an address, or as an address and the length of its prefix (RFC 4632, section 3.1): `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The error for text that is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a network is an address such as `192.0.2.1`, or an address and the length of its prefix such as `10.0.0.0/8`"
)]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), str::parse).map_err(|_| NetworkError)?;
        if prefix > longest {
            return Err(NetworkError);
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Network {
    /// Returns `true` if the network has this address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, other, bits) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128_u32),
            _ => return false,
        };
        let differing: u128 = own ^ other;
        differing.checked_shr(bits - u32::from(self.prefix)).unwrap_or_default() == 0
    }
}

/// Returns the address of a client whose connection ends at `peer`.
///
/// If `peer` is in one of the `trusted` networks, it is a proxy that appends to `X-Forwarded-For`, and the client is the last
/// address there that is not such a proxy itself. What stands before that address, the client may have written. A header
/// that cannot be read counts as missing from there on.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    let values: Vec<&str> =
        headers.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    let mut before = values.iter().rev().flat_map(|value| value.rsplit(','));
    while is_trusted(client) {
        let Some(address) = before.next().and_then(|text| text.trim().parse::<IpAddr>().ok()) else { break };
        client = address.to_canonical();
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_is_an_address_or_64_bits_of_it() {
        for (peer, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
            ("::1", "::"),
        ] {
            assert_eq!(customer_network(peer.parse().unwrap()).to_string(), expected, "{peer}");
        }
    }

    #[test]
    fn networks_have_addresses() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.128/25", "192.0.2.200", "192.0.2.127"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("::/0", "2001:db8::1", "203.0.113.9"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:11.1.1.1"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(address(inside)), "{network} {inside}");
            assert!(!network.contains(address(outside)), "{network} {outside}");
        }
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "x", "10.0.0.0/-1"] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError), "{bad}");
        }
    }

    #[test]
    fn only_proxies_that_are_trusted_say_who_asks() {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        for (peer, headers, expected) in [
            // Whoever connects directly writes what he likes.
            ("203.0.113.9", vec!["192.0.2.1"], "203.0.113.9"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["192.0.2.1"], "192.0.2.1"),
            // The client wrote the first address itself.
            ("10.0.0.1", vec!["198.51.100.1, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", vec!["198.51.100.1", "192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", vec!["192.0.2.1,10.0.0.2 , 2001:db8::7"], "192.0.2.1"),
            ("10.0.0.1", vec!["10.0.0.3"], "10.0.0.3"),
            ("10.0.0.1", vec!["192.0.2.1, unknown"], "10.0.0.1"),
            ("::ffff:10.0.0.1", vec!["::ffff:192.0.2.1"], "192.0.2.1"),
        ] {
            let mut map = HeaderMap::new();
            for header in &headers {
                map.append(FORWARDED_FOR, header.parse().unwrap());
            }
            assert_eq!(
                client_address(address(peer), &map, &trusted),
                address(expected),
                "{peer} {headers:?}"
            );
            assert_eq!(client_address(address(peer), &map, &[]), address(peer).to_canonical());
        }
    }
}
