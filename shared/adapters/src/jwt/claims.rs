//! What the claims of a token that was checked allow.

use std::collections::BTreeSet;

use credlink_core::access::{Caller, Scope};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::settings::JwtSettings;

/// The claims that decide. The others are kept, because the tenant's has a name of the operator's choice.
#[derive(Deserialize)]
pub(super) struct Claims {
    /// A list of issuers is no issuer (RFC 7519, section 4.1.1).
    #[serde(rename = "iss")]
    _issuer: String,
    /// Separated by spaces (RFC 8693, section 4.2; RFC 9068, section 2.2.3).
    #[serde(default)]
    scope: Scopes,
    /// The same, as some issuers write it.
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
    /// The scopes that are ours. A token may have others, for other services.
    fn known(&self) -> BTreeSet<Scope> {
        match self {
            Self::Text(text) => text.split(' ').filter_map(|name| name.parse().ok()).collect(),
            Self::List(names) => names.iter().filter_map(|name| name.parse().ok()).collect(),
        }
    }
}

impl Claims {
    /// Who bears the token, or why it is not good enough to say.
    pub(super) fn caller(&self, settings: &JwtSettings) -> Result<Caller, String> {
        let claim = &settings.tenant_claim;
        let tenant = match self.others.get(claim) {
            None => settings
                .default_tenant
                .clone()
                .ok_or_else(|| format!("the access token names no tenant: it has no claim `{claim}`"))?,
            Some(Value::String(name)) => {
                name.parse().map_err(|error| format!("the access token's claim `{claim}`: {error}"))?
            }
            Some(_) => return Err(format!("the access token's claim `{claim}` has to be a string")),
        };
        let scopes = self.scope.known().union(&self.scope_list.known()).copied().collect();
        Ok(Caller { tenant, scopes, authenticated: true })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwt::settings::tests::settings;

    fn caller(claims: Value, settings: &JwtSettings) -> Result<Caller, String> {
        serde_json::from_value::<Claims>(claims).map_err(|error| error.to_string())?.caller(settings)
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
