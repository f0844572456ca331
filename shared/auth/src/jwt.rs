//! Authentication by bearer tokens of another issuer: JSON Web Tokens (RFC 7519, RFC 9068), checked as RFC 8725
//! requires.
//!
//! | to find | look in |
//! |---|---|
//! | the operator's settings | [`settings`] |
//! | the keys that are accepted, and for which algorithms | [`keys`] |
//! | where keys come from, and when they are read again | [`source`] |
//! | what a token's claims allow | `claims` |
//!
//! * The algorithm must be one of the key's own: asymmetric, and of its type (RFC 8725, sections 3.1 and 3.2).
//! * Before the signature is verified, nothing of a token is used except the name of the key. Keys and their addresses
//!   in a token's header (`jwk`, `jku`, `x5u`) are never looked at (section 3.10).
//! * Issuer and audience must be present and match the settings (sections 3.8 and 3.9), `exp` must be present, and
//!   `nbf` is honored.
//! * Errors and logs contain neither a token nor a part of one.

mod claims;
pub mod keys;
pub mod settings;
pub mod source;

use std::sync::Arc;

use credlink_core::access::Caller;
use credlink_ports::{Authenticator, Refused, Unread};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode};
use serde::Deserialize;

use claims::Claims;
use keys::Key;
use settings::JwtSettings;
use source::{KeySource, KeysError};

/// The name under which failures of this authenticator are logged.
pub(crate) const NAME: &str = "jwks";

/// The maximum length of a token, in bytes. API Gateway accepts 10,240 bytes of headers in all.
const MAX_TOKEN_BYTES: usize = 8_192;

/// The tolerated difference between the clocks of the issuer and this machine, in seconds.
const LEEWAY_SECONDS: u64 = 60;

/// The algorithms that are accepted: asymmetric ones (RFC 7518, section 3.1, and RFC 8037).
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Checks JSON Web Tokens. Clones share their keys.
#[derive(Debug, Clone)]
pub struct JwtAuthenticator {
    settings: Arc<JwtSettings>,
    keys: KeySource,
}

/// The fields of a token's header that are read. They are not trusted until the signature is verified.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

impl JwtAuthenticator {
    /// Returns an authenticator with these settings. A file of keys is read now; an address is requested with the first
    /// token.
    ///
    /// # Errors
    /// Returns an error if the file of keys cannot be read, or has no acceptable key.
    pub fn new(settings: JwtSettings) -> Result<Self, KeysError> {
        let keys = KeySource::open(&settings.jwks)?;
        Ok(Self { settings: Arc::new(settings), keys })
    }

    async fn check(&self, token: &str) -> Result<Caller, Refused> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(invalid(format!("an access token has at most {MAX_TOKEN_BYTES} bytes")));
        }
        let header = header(token)?;
        let algorithm = algorithm(&header)?;
        let key = self.keys.find(header.kid.as_deref(), algorithm).await?;
        let key =
            key.ok_or_else(|| invalid("the access token is signed with a key that is not known here"))?;
        let claims = self.verify(token, &key, algorithm)?;
        claims.caller(&self.settings).map_err(|error| invalid(error.to_string()))
    }

    fn verify(&self, token: &str, key: &Key, algorithm: Algorithm) -> Result<Claims, Refused> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let checked = decode::<Claims>(token, key.decoding(), &validation);
        checked.map(|token| token.claims).map_err(|error| invalid(in_words(error.kind())))
    }
}

impl Authenticator for JwtAuthenticator {
    async fn authenticate(&self, bearer: Option<&str>) -> Result<Caller, Refused> {
        match bearer {
            None => Ok(Caller::anonymous()),
            Some(token) => self.check(token).await,
        }
    }

    async fn unread(&self) -> Vec<Unread> {
        self.keys.unread().await.into_iter().collect()
    }
}

/// Returns `true` if `token` has the form of a JWT: three parts of base64url separated by dots, of which the last may
/// be empty.
#[must_use]
pub fn has_form_of_jwt(token: &str) -> bool {
    let is_base64url =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let parts: Vec<&str> = token.splitn(4, '.').collect();
    matches!(parts.as_slice(), [header, claims, signature]
        if !header.is_empty() && !claims.is_empty() && [header, claims, signature].iter().all(|part| is_base64url(part)))
}

fn header(token: &str) -> Result<Header, Refused> {
    let no_jwt = || invalid("the access token is no JWT");
    if !has_form_of_jwt(token) {
        return Err(no_jwt());
    }
    let encoded = token.split('.').next().unwrap_or_default();
    let json = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| no_jwt())?;
    serde_json::from_slice(&json).map_err(|_| no_jwt())
}

/// Returns the algorithm of the header, if a token with this header is acceptable at all.
fn algorithm(header: &Header) -> Result<Algorithm, Refused> {
    // The token has critical extensions, none of which is supported (RFC 7515, section 4.1.11).
    if header.crit.is_some() {
        return Err(invalid("the access token asks for extensions (`crit`) that are not known here"));
    }
    // Tokens of other kinds from the same issuer are not access tokens (RFC 8725, section 3.11; RFC 9068, section 2.1).
    let typ = header.typ.as_deref().map(|typ| typ.to_ascii_lowercase());
    let typ = typ.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
    if !matches!(typ, None | Some("jwt" | "at+jwt")) {
        return Err(invalid("the token's `typ` is not that of an access token: `at+jwt` or `JWT`"));
    }
    let algorithm = header.alg.parse().ok().filter(|algorithm| ALGORITHMS.contains(algorithm));
    algorithm.ok_or_else(|| {
        let allowed: Vec<String> = ALGORITHMS.iter().map(|algorithm| format!("{algorithm:?}")).collect();
        let allowed = allowed.join(", ");
        invalid(format!("the access token's algorithm is not taken here; these are: {allowed}"))
    })
}

fn invalid(why: impl Into<String>) -> Refused {
    Refused::Invalid(why.into())
}

/// Returns the reason why a token is not valid, for its bearer. The text contains nothing of the token.
fn in_words(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::ExpiredSignature => "the access token has expired".to_owned(),
        ErrorKind::ImmatureSignature => "the access token is not valid yet".to_owned(),
        ErrorKind::InvalidIssuer => "the access token is of another issuer".to_owned(),
        ErrorKind::InvalidAudience => "the access token is for another audience".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("the access token has no valid claim `{claim}`"),
        ErrorKind::InvalidClaimFormat(claim) => format!("the access token's claim `{claim}` is malformed"),
        ErrorKind::Json(_) => "the access token's claims are malformed".to_owned(),
        _ => "the access token's signature does not hold".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_jwt() {
        for jwt in ["a.b.c", "e30.e30.", "A-_9.b.c"] {
            assert!(has_form_of_jwt(jwt), "{jwt}");
        }
        for other in ["", "a", "a.b", "..", "a..c", ".b.c", "a.b.c.d", "a.b.c=", "a b.c.d", "ä.b.c"] {
            assert!(!has_form_of_jwt(other), "{other}");
        }
    }

    #[test]
    fn headers_that_are_not_taken() {
        let read = |json: &str| {
            header(&format!("{}.e30.", BASE64URL_NOPAD.encode(json.as_bytes())))
                .and_then(|header| algorithm(&header))
        };
        for typ in ["JWT", "at+jwt", "application/at+JWT"] {
            assert_eq!(read(&format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#)), Ok(Algorithm::ES256));
        }
        for (json, said) in [
            (r#"{"alg":"none"}"#, "algorithm is not taken"),
            (r#"{"alg":"HS256"}"#, "algorithm is not taken"),
            (r#"{"alg":"ES256K"}"#, "algorithm is not taken"),
            (r#"{"alg":"RS256","crit":["b64"]}"#, "`crit`"),
            (r#"{"alg":"RS256","typ":"logout+jwt"}"#, "`typ`"),
            ("{}", "no JWT"),
            ("nonsense", "no JWT"),
        ] {
            let refused = read(json).unwrap_err().to_string();
            assert!(refused.contains(said), "{json}: {refused}");
        }
    }
}
