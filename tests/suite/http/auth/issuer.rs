//! An issuer of tokens. Its private keys were made for these tests, and open nothing else.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use credlink_auth::gate::Gate;
use credlink_auth::jwt::JwtAuthenticator;
use credlink_auth::jwt::settings::{Jwks, JwtSettings, TENANT_CLAIM};
use credlink_auth::tokens::StaticTokens;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "credlink";

/// The public half of the RSA key, as published: it is no secret, and so must not serve as an HMAC key.
pub const RSA_PUBLIC: &[u8] = include_bytes!("keys/rsa.public.pem");

/// A private key by the name of its file, which is also its `kid`.
pub fn key(name: &str) -> EncodingKey {
    match name {
        "rsa" => EncodingKey::from_rsa_pem(include_bytes!("keys/rsa.pem")).unwrap(),
        "p256" => EncodingKey::from_ec_pem(include_bytes!("keys/p256.pem")).unwrap(),
        "p384" => EncodingKey::from_ec_pem(include_bytes!("keys/p384.pem")).unwrap(),
        "ed25519" => EncodingKey::from_ed_pem(include_bytes!("keys/ed25519.pem")).unwrap(),
        "stranger" => EncodingKey::from_ed_pem(include_bytes!("keys/stranger.pem")).unwrap(),
        _ => panic!("there is no key {name}"),
    }
}

/// The public half of a key, for an algorithm that fits it.
fn public(name: &str, algorithm: Algorithm) -> Value {
    let mut jwk = Jwk::from_encoding_key(&key(name), algorithm).unwrap();
    jwk.common.key_id = Some(name.to_owned());
    jwk.common.key_algorithm = None;
    let mut jwk = serde_json::to_value(jwk).unwrap();
    jwk["use"] = "sig".into();
    jwk
}

/// The keys that the issuer publishes, which exclude the stranger's.
pub fn jwks() -> Value {
    json!({"keys": [
        public("rsa", Algorithm::RS256),
        public("p256", Algorithm::ES256),
        public("p384", Algorithm::ES384),
        public("ed25519", Algorithm::EdDSA),
    ]})
}

/// A folder with the issuer's published keys in a file.
pub struct Published {
    folder: TempDir,
}

impl Published {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jwks.json"), jwks().to_string()).unwrap();
        Self { folder }
    }

    /// The path of the file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("jwks.json")
    }

    /// An authenticator for these keys, and for static tokens if there are any.
    pub fn gate(&self, tokens: Option<StaticTokens>) -> Gate {
        Gate::of(tokens, Some(authenticator(Jwks::File(self.path()))))
    }
}

/// An authenticator that checks the issuer's tokens with these keys.
pub fn authenticator(jwks: Jwks) -> JwtAuthenticator {
    let settings = JwtSettings {
        jwks,
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        tenant_claim: TENANT_CLAIM.to_owned(),
        default_tenant: None,
    };
    JwtAuthenticator::new(settings).unwrap()
}

/// The time `seconds` from now, in seconds since 1970.
pub fn seconds_from_now(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}

/// The claims of a valid token with these scopes.
pub fn claims(scope: &str) -> Value {
    json!({
        "iss": ISSUER,
        "aud": [AUDIENCE, "another"],
        "exp": seconds_from_now(3_600),
        "nbf": seconds_from_now(-10),
        "sub": "somebody",
        "scope": scope,
        "tenant": "default",
    })
}

/// The claims with one of them changed.
pub fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

/// A token that is signed with the key `signer` and names the key `kid`.
pub fn token(signer: &str, kid: Option<&str>, algorithm: Algorithm, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    encode(&header, claims, &key(signer)).unwrap()
}

/// A valid token with these claims.
pub fn signed(claims: &Value) -> String {
    token("ed25519", Some("ed25519"), Algorithm::EdDSA, claims)
}

/// An unsigned token (RFC 7519, section 6).
pub fn unsigned(claims: &Value) -> String {
    let part = |json: &Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    format!("{}.{}.", part(&json!({"alg": "none", "kid": "ed25519"})), part(claims))
}

/// A token with an HMAC whose key is the published half of the issuer's RSA key.
pub fn under_the_public_key(claims: &Value) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("rsa".to_owned());
    encode(&header, claims, &EncodingKey::from_secret(RSA_PUBLIC)).unwrap()
}
