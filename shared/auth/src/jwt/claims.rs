//! The claims of a verified token, and the caller that they describe.

use std::collections::BTreeSet;
use std::fmt;

use credlink_core::access::{Caller, Scope};
use credlink_core::tenant::TenantError;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::settings::JwtSettings;

/// The claims of a token. A claim that occurs twice is refused (as RFC 7519, section 4 allows), because two readers, of
/// which one takes the first and one the last, would see different tenants.
#[derive(Deserialize)]
#[serde(try_from = "Once")]
pub(super) struct Claims(Deciding);

/// An object in which no member name occurs twice.
struct Once(Map<String, Value>);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Once;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of claims")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Once, A::Error> {
                let mut claims = Map::new();
                while let Some((name, value)) = members.next_entry::<String, Value>()? {
                    if claims.insert(name, value).is_some() {
                        return Err(A::Error::custom("a claim stands twice"));
                    }
                }
                Ok(Once(claims))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl TryFrom<Once> for Claims {
    type Error = serde_json::Error;

    fn try_from(Once(claims): Once) -> Result<Self, serde_json::Error> {
        serde_json::from_value(Value::Object(claims)).map(Self)
    }
}

/// The claims that decide. The others are kept, because the operator chooses the name of the tenant's claim.
#[derive(Deserialize)]
struct Deciding {
    /// The issuer. A list is not accepted in its place (RFC 7519, section 4.1.1).
    #[serde(rename = "iss")]
    _issuer: String,
    /// Scopes separated by spaces (RFC 8693, section 4.2; RFC 9068, section 2.2.3).
    #[serde(default)]
    scope: Scopes,
    /// Scopes in the claim that some issuers write instead.
    #[serde(default, rename = "scp")]
    scope_list: Scopes,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Scopes in one string or in a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scopes {
    Text(String),
    List(Vec<String>),
}

impl Default for Scopes {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Scopes {
    /// Returns the scopes that this service knows. A token may have others, for other services.
    fn known(&self) -> BTreeSet<Scope> {
        match self {
            Self::Text(text) => text.split(' ').filter_map(|name| name.parse().ok()).collect(),
            Self::List(names) => names.iter().filter_map(|name| name.parse().ok()).collect(),
        }
    }
}

/// The reasons why a token does not identify its tenant.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoTenant {
    /// The token names no tenant.
    #[error("the access token names no tenant: it has no claim `{0}`")]
    Unnamed(String),
    /// The claim is not a valid name of a tenant.
    #[error("the access token's claim `{0}`: {1}")]
    Invalid(String, TenantError),
    /// The claim is not text.
    #[error("the access token's claim `{0}` has to be a string")]
    NoText(String),
}

impl Claims {
    /// Returns the bearer of the token, or the reason why the token does not identify one.
    pub(super) fn caller(&self, settings: &JwtSettings) -> Result<Caller, NoTenant> {
        let claim = &settings.tenant_claim;
        let tenant = match self.0.others.get(claim) {
            None => settings.default_tenant.clone().ok_or_else(|| NoTenant::Unnamed(claim.clone()))?,
            Some(Value::String(name)) => {
                name.parse().map_err(|error| NoTenant::Invalid(claim.clone(), error))?
            }
            Some(_) => return Err(NoTenant::NoText(claim.clone())),
        };
        let scopes = self.0.scope.known().union(&self.0.scope_list.known()).copied().collect();
        // A subject that no file could have as its owner owns none.
        let subject = self.0.others.get("sub").and_then(Value::as_str).and_then(|name| name.parse().ok());
        Ok(Caller { tenant, scopes, authenticated: true, subject })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwt::settings::tests::settings;

    fn caller(claims: Value, settings: &JwtSettings) -> Result<Caller, String> {
        serde_json::from_value::<Claims>(claims)
            .map_err(|error| error.to_string())?
            .caller(settings)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn scopes_come_in_a_string_or_a_list_and_others_are_passed_over() {
        for (claims, expected) in [
            (json!({"scope": "openid store:manifests  delete:manifests"}), vec![Scope::Store, Scope::Delete]),
            (json!({"scp": ["admin", "profile"]}), vec![Scope::Admin]),
            (json!({"scp": "admin"}), vec![Scope::Admin]),
            (json!({"scope": "operator"}), vec![Scope::Operator]),
            (json!({"scope": "store:manifests", "scp": ["admin"]}), vec![Scope::Store, Scope::Admin]),
            (json!({"scope": "store:manifests,admin"}), vec![]),
            (json!({"scope": "ADMIN", "scopes": ["admin"]}), vec![]),
        ] {
            let mut claims = claims;
            claims["tenant"] = "acme".into();
            claims["iss"] = "i".into();
            let found = caller(claims.clone(), &settings()).unwrap();
            assert_eq!(found.scopes, expected.into_iter().collect(), "{claims}");
            assert_eq!((found.tenant.as_str(), found.authenticated), ("acme", true));
        }
    }

    #[test]
    fn a_claim_that_stands_twice_is_refused() {
        for claims in [
            r#"{"iss":"i","tenant":"a","tenant":"b"}"#,
            r#"{"iss":"i","tenant":"a","tenant":"a"}"#,
            r#"{"iss":"i","tenant":"a","scope":"admin","scope":""}"#,
            r#"{"iss":"i","tenant":"a","other":1,"other":2}"#,
        ] {
            let error = serde_json::from_str::<Claims>(claims).err().unwrap().to_string();
            assert!(error.contains("a claim stands twice"), "{error}");
        }
    }

    #[test]
    fn a_tenant_is_named_or_defaulted_and_never_guessed() {
        let strict = settings();
        let lenient = JwtSettings { default_tenant: Some("shared".parse().unwrap()), ..settings() };
        let own = JwtSettings { tenant_claim: "https://a.example/org".to_owned(), ..settings() };
        let tenant = |claims, settings| caller(claims, settings).map(|caller| caller.tenant.to_string());
        assert_eq!(tenant(json!({"iss": "i"}), &lenient).as_deref(), Ok("shared"));
        assert_eq!(tenant(json!({"iss": "i", "tenant": "a"}), &lenient).as_deref(), Ok("a"));
        assert_eq!(tenant(json!({"iss": "i", "https://a.example/org": "b"}), &own).as_deref(), Ok("b"));
        for (claims, settings, said) in [
            (json!({"iss": "i"}), &strict, "no claim `tenant`"),
            (json!({"iss": "i", "tenant": "a"}), &own, "no claim `https://a.example/org`"),
            (json!({"iss": "i", "tenant": "A/b"}), &lenient, "a tenant is 1 to"),
            (json!({"iss": "i", "tenant": null}), &lenient, "has to be a string"),
            (json!({"iss": "i", "tenant": ["a"]}), &lenient, "has to be a string"),
            (json!({"iss": ["i"], "tenant": "a"}), &strict, "expected a string"),
        ] {
            let error = tenant(claims, settings).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
