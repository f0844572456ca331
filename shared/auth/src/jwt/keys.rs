//! A JSON Web Key Set (RFC 7517): public keys, each for the algorithms that fit it.

use std::fmt;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The maximum length of a key set, in bytes: about 500 keys.
pub const MAX_JWKS_BYTES: usize = 262_144;

/// The accepted sizes of an RSA modulus, in bits: no fewer than RFC 7518, section 3.3 allows, and no more than can be
/// checked in a millisecond or two.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;

/// The algorithms of an RSA key (RFC 7518, section 3.1).
const RSA: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// A public key, and the algorithms it may be used with.
pub struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

impl Key {
    /// Returns the key in the form that checks signatures.
    pub(super) const fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}

/// The keys that an issuer signs with.
#[derive(Debug)]
pub struct KeySet(Vec<Arc<Key>>);

/// The reasons why a text is not a key set, or has no usable key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// The text is longer than any reasonable key set.
    #[error("a key set has at most {MAX_JWKS_BYTES} bytes; this has more")]
    TooLong,
    /// The text is not a key set.
    #[error("it is no JSON Web Key Set, {{\"keys\": [...]}}")]
    Malformed,
    /// None of the keys is acceptable.
    #[error(
        "it has {0} keys, and none to check signatures with that is taken here: RSA of 2,048 to 4,096 bits, P-256, P-384 \
         or Ed25519"
    )]
    Empty(usize),
    /// Two keys have the same name and cannot be told apart.
    #[error("two of its keys have the same `kid`")]
    Twice,
}

/// A key in its JSON form (RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2).
#[derive(Deserialize)]
struct Written {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a key set. Keys of unknown kinds or for other purposes are skipped (RFC 7517, section 5).
    ///
    /// # Errors
    /// Returns an error if the text is not a key set, is too long, or has no usable key.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        let (set, written) = Self::parse_any(json)?;
        if set.0.is_empty() { Err(KeySetError::Empty(written)) } else { Ok(set) }
    }

    /// Reads a key set as [`Self::parse`] does, but accepts one without a usable key: its issuer has withdrawn the keys
    /// that it had. Also returns the number of keys of any kind.
    ///
    /// # Errors
    /// Returns an error if the text is not a key set, or is too long.
    pub(super) fn parse_any(json: &[u8]) -> Result<(Self, usize), KeySetError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        if json.len() > MAX_JWKS_BYTES {
            return Err(KeySetError::TooLong);
        }
        let document: Document = serde_json::from_slice(json).map_err(|_| KeySetError::Malformed)?;
        let written = document.keys.len();
        let keys: Vec<Arc<Key>> = document
            .keys
            .into_iter()
            .filter_map(|key| read(serde_json::from_value(key).ok()?))
            .map(Arc::new)
            .collect();
        let is_twice = |(at, key): (usize, &Arc<Key>)| {
            key.id.is_some() && keys[..at].iter().any(|other| other.id == key.id)
        };
        if keys.iter().enumerate().any(is_twice) {
            return Err(KeySetError::Twice);
        }
        Ok((Self(keys), written))
    }

    /// Returns the key with this name, if it is for `algorithm`. For a token that names no key, returns the only key
    /// for it.
    #[must_use]
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Arc<Key>> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm) && (id.is_none() || key.id.as_deref() == id));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Some(Arc::clone(only)),
            _ => None,
        }
    }

    /// Returns `true` if there is a key with this name, for any algorithm.
    #[must_use]
    pub fn names(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }
}

/// Returns the key, if it is a public one for signatures of an accepted kind.
fn read(key: Written) -> Option<Key> {
    let verifies =
        key.key_ops.is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
    if !verifies || key.purpose.is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let (fitting, decoding): (&[Algorithm], _) = match (key.kty.as_str(), key.crv.as_deref()) {
        ("RSA", None) => {
            let (modulus, exponent) = (key.n?, key.e?);
            RSA_BITS.contains(&bits(&modulus)?).then_some(())?;
            (&RSA, DecodingKey::from_rsa_components(&modulus, &exponent))
        }
        ("EC", Some("P-256")) => (&[Algorithm::ES256], point(key.x, key.y, 32)?),
        ("EC", Some("P-384")) => (&[Algorithm::ES384], point(key.x, key.y, 48)?),
        ("OKP", Some("Ed25519")) => {
            let x = key.x.filter(|x| bytes(x) == Some(32))?;
            (&[Algorithm::EdDSA], DecodingKey::from_ed_components(&x))
        }
        _ => return None,
    };
    // A key that names its algorithm is not used with any other.
    let named = |algorithm: &&Algorithm| key.alg.as_ref().is_none_or(|name| name.parse() == Ok(**algorithm));
    let algorithms: Vec<Algorithm> = fitting.iter().filter(named).copied().collect();
    (!algorithms.is_empty()).then_some(())?;
    Some(Key { id: key.kid, algorithms, decoding: decoding.ok()? })
}

fn point(
    x: Option<String>,
    y: Option<String>,
    length: usize,
) -> Option<jsonwebtoken::errors::Result<DecodingKey>> {
    let coordinate = |text: Option<String>| text.filter(|text| bytes(text) == Some(length));
    Some(DecodingKey::from_ec_components(&coordinate(x)?, &coordinate(y)?))
}

fn bytes(base64: &str) -> Option<usize> {
    BASE64URL_NOPAD.decode(base64.as_bytes()).ok().map(|bytes| bytes.len())
}

/// Returns the number of bits of a number, without its leading zeros.
fn bits(base64: &str) -> Option<usize> {
    let bytes = BASE64URL_NOPAD.decode(base64.as_bytes()).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let first = bytes.get(zeros)?;
    Some((bytes.len() - zeros) * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A key set with one Ed25519 key of this name: the public key of RFC 8037, appendix A.2.
    pub fn set(name: &str) -> String {
        json!({"keys": [ed25519(name)]}).to_string()
    }

    fn ed25519(name: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": name, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    fn with(key: &Value, member: &str, value: impl Into<Value>) -> Value {
        let mut key = key.clone();
        key[member] = value.into();
        key
    }

    fn rsa(bits: usize) -> Value {
        let mut modulus = vec![0xff; bits / 8];
        // A leading zero does not count.
        modulus.insert(0, 0);
        json!({"kty": "RSA", "kid": "r", "e": "AQAB", "n": BASE64URL_NOPAD.encode(&modulus)})
    }

    fn parse(keys: &[Value]) -> Result<KeySet, KeySetError> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn a_key_is_for_the_algorithms_that_fit_it() {
        let fitting = |key: &Value| -> Vec<Algorithm> {
            let set = parse(std::slice::from_ref(key)).unwrap();
            crate::jwt::ALGORITHMS
                .into_iter()
                .filter(|algorithm| set.find(None, *algorithm).is_some())
                .collect()
        };
        let point = |curve: &str, length| {
            let coordinate = BASE64URL_NOPAD.encode(&vec![1; length]);
            json!({"kty": "EC", "crv": curve, "x": coordinate, "y": coordinate})
        };
        assert_eq!(fitting(&rsa(2_048)), RSA);
        assert_eq!(fitting(&with(&rsa(4_096), "alg", "PS384")), [Algorithm::PS384]);
        assert_eq!(fitting(&point("P-256", 32)), [Algorithm::ES256]);
        assert_eq!(fitting(&point("P-384", 48)), [Algorithm::ES384]);
        assert_eq!(fitting(&with(&ed25519("a"), "use", "sig")), [Algorithm::EdDSA]);
        let set = parse(&[rsa(2_048)]).unwrap();
        assert!(
            [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512]
                .iter()
                .all(|a| set.find(None, *a).is_none())
        );
    }

    #[test]
    fn keys_that_are_not_taken() {
        let good = ed25519("a");
        for bad in [
            rsa(2_040),
            rsa(4_104),
            json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0"}),
            json!({"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}),
            json!({"kty": "EC", "crv": "P-521", "x": "AQ", "y": "AQ"}),
            with(&good, "use", "enc"),
            with(&good, "key_ops", json!(["sign"])),
            with(&good, "alg", "ES256"),
            with(&good, "alg", "HS256"),
            with(&good, "x", "AQ"),
            with(&good, "crv", "Ed448"),
            with(&good, "kid", 7),
            json!("a"),
        ] {
            assert_eq!(parse(std::slice::from_ref(&bad)).unwrap_err(), KeySetError::Empty(1), "{bad}");
        }
        for (text, error) in [
            ("[]".to_owned(), KeySetError::Malformed),
            ("{\"keys\": []}".to_owned(), KeySetError::Empty(0)),
            (" ".repeat(MAX_JWKS_BYTES + 1), KeySetError::TooLong),
            (json!({"keys": [good, good]}).to_string(), KeySetError::Twice),
        ] {
            assert_eq!(KeySet::parse(text.as_bytes()).unwrap_err(), error);
        }
    }

    #[test]
    fn a_key_is_found_by_its_name_or_because_it_is_the_only_one() {
        let (find, none) = (Algorithm::EdDSA, Algorithm::RS256);
        let one = parse(&[ed25519("a"), json!({"kty": "new"})]).unwrap();
        assert!(one.find(Some("a"), find).is_some() && one.find(None, find).is_some());
        assert!(one.find(Some("b"), find).is_none() && one.find(Some("a"), none).is_none());
        let two = parse(&[ed25519("a"), ed25519("b")]).unwrap();
        assert!(two.find(Some("b"), find).is_some() && two.find(None, find).is_none());
        assert!(two.names("a") && !two.names("c"));
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(
            format!("{:?}", parse(&[ed25519("a")]).unwrap()),
            "KeySet([Key { algorithms: [EdDSA], .. }])"
        );
    }
}
