//! The operator's settings for JSON Web Tokens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use credlink_core::tenant::Tenant;
use http::Uri;

/// The default name of the claim that names the tenant.
pub const TENANT_CLAIM: &str = "tenant";

/// The location of the issuer's public keys: a JSON Web Key Set (RFC 7517, section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jwks {
    /// A file.
    File(PathBuf),
    /// An address: `https`, or `http` on this machine's loopback interface.
    Url(String),
}

/// The operator's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSettings {
    /// The issuer's public keys.
    pub jwks: Jwks,
    /// The required value of `iss`.
    pub issuer: String,
    /// The value that `aud` must be or contain.
    pub audience: String,
    /// The name of the claim that names the tenant.
    pub tenant_claim: String,
    /// The tenant of a token without that claim; with `None`, such a token is refused.
    pub default_tenant: Option<Tenant>,
}

/// The environment variables, in the order of the fields.
pub const VARIABLES: [&str; 5] = [
    "CREDLINK_JWKS",
    "CREDLINK_JWT_ISSUER",
    "CREDLINK_JWT_AUDIENCE",
    "CREDLINK_JWT_TENANT_CLAIM",
    "CREDLINK_JWT_DEFAULT_TENANT",
];

/// An error in a setting, with its name, its value and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The variable is required, because another one is set.
    #[error("{variable} is not set, and {beside} is: {allowed}")]
    Missing {
        /// The variable.
        variable: &'static str,
        /// The other variable, which is set.
        beside: &'static str,
        /// The values that are allowed.
        allowed: &'static str,
    },
    /// The value is not allowed.
    #[error("{variable} is `{value}`: {allowed}")]
    Invalid {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// The values that are allowed.
        allowed: String,
    },
}

impl JwtSettings {
    /// Reads the settings from [`VARIABLES`], whose values `variable` returns; empty values count as not set. Returns
    /// `None` if none is set, and then no JSON Web Tokens are accepted.
    ///
    /// # Errors
    /// Returns an error for the first variable that is missing or not allowed.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, SettingsError> {
        let values = VARIABLES.map(|name| variable(name).filter(|value| !value.is_empty()));
        let Some(beside) =
            VARIABLES.iter().zip(&values).find_map(|(name, value)| value.as_ref().map(|_| *name))
        else {
            return Ok(None);
        };
        let [jwks, issuer, audience, tenant_claim, default_tenant] = values;
        let missing =
            |at: usize, allowed| SettingsError::Missing { variable: VARIABLES[at], beside, allowed };
        let invalid = |at: usize, value: &str, allowed: &dyn fmt::Display| SettingsError::Invalid {
            variable: VARIABLES[at],
            value: value.to_owned(),
            allowed: allowed.to_string(),
        };
        let jwks =
            jwks.ok_or_else(|| missing(0, "the file or the https address of the issuer's JSON Web Key Set"))?;
        let jwks = jwks.parse().map_err(|error| invalid(0, &jwks, &error))?;
        let issuer = issuer.ok_or_else(|| missing(1, "what a token's claim `iss` has to be"))?;
        let audience = audience.ok_or_else(|| missing(2, "what a token's claim `aud` has to name"))?;
        let default_tenant = match default_tenant {
            Some(name) => Some(name.parse().map_err(|error| invalid(4, &name, &error))?),
            None => None,
        };
        let tenant_claim = tenant_claim.unwrap_or_else(|| TENANT_CLAIM.to_owned());
        Ok(Some(Self { jwks, issuer, audience, tenant_claim, default_tenant }))
    }
}

/// The error of a text that is not a location of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it has to be a file, an https:// address, or an http:// address of this machine (localhost, 127.0.0.1, [::1])"
)]
pub struct JwksError;

impl FromStr for Jwks {
    type Err = JwksError;

    fn from_str(text: &str) -> Result<Self, JwksError> {
        if text.is_empty() {
            return Err(JwksError);
        }
        if !text.contains("://") {
            return Ok(Self::File(text.into()));
        }
        let uri: Uri = text.parse().map_err(|_| JwksError)?;
        // The server at this address decides who may write, so the connection to it must be secure.
        let is_allowed = match (uri.scheme_str(), uri.authority()) {
            // Names and passwords in an address end up in logs.
            (_, Some(authority)) if authority.as_str().contains('@') => false,
            (Some("https"), Some(_)) => true,
            (Some("http"), Some(authority)) => is_loopback(authority.host()),
            _ => false,
        };
        if is_allowed { Ok(Self::Url(text.to_owned())) } else { Err(JwksError) }
    }
}

impl fmt::Display for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn settings() -> JwtSettings {
        JwtSettings {
            jwks: Jwks::File("keys.json".into()),
            issuer: "https://issuer.example".to_owned(),
            audience: "credlink".to_owned(),
            tenant_claim: TENANT_CLAIM.to_owned(),
            default_tenant: None,
        }
    }

    fn read(values: [&str; 5]) -> Result<Option<JwtSettings>, String> {
        let value = |name: &str| {
            let at = VARIABLES.iter().position(|variable| *variable == name)?;
            Some(values[at].to_owned())
        };
        JwtSettings::read(value).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_whole_or_absent() {
        assert_eq!(read([""; 5]), Ok(None));
        assert_eq!(read(["keys.json", "https://issuer.example", "credlink", "", ""]), Ok(Some(settings())));
        let all = read(["https://a.example/jwks", "i", "a", "org", "shared"]).unwrap().unwrap();
        assert_eq!(all.jwks, Jwks::Url("https://a.example/jwks".to_owned()));
        assert_eq!((all.tenant_claim.as_str(), all.default_tenant), ("org", "shared".parse().ok()));
        for (values, said) in [
            (["", "i", "", "", ""], "CREDLINK_JWKS is not set, and CREDLINK_JWT_ISSUER is"),
            (["", "", "", "", "a"], "CREDLINK_JWKS is not set, and CREDLINK_JWT_DEFAULT_TENANT is"),
            (["k", "", "a", "", ""], "CREDLINK_JWT_ISSUER is not set, and CREDLINK_JWKS is"),
            (["k", "i", "", "", ""], "CREDLINK_JWT_AUDIENCE is not set"),
            (
                ["http://a.example/", "i", "a", "", ""],
                "CREDLINK_JWKS is `http://a.example/`: it has to be a file, an https",
            ),
            (["k", "i", "a", "", "A B"], "CREDLINK_JWT_DEFAULT_TENANT is `A B`: a tenant is"),
        ] {
            let error = read(values).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn keys_come_by_a_safe_way_only() {
        for url in ["https://a.example/x?y", "http://127.0.0.1:1/", "http://localhost/k", "http://[::1]:9/k"]
        {
            assert_eq!(url.parse(), Ok(Jwks::Url(url.to_owned())), "{url}");
        }
        assert_eq!("./a.json".parse(), Ok(Jwks::File("./a.json".into())));
        for bad in [
            "",
            "http://a.example/",
            "http://localhost.a.example/",
            "http://127.0.0.1@a.example/",
            "https://name:password@a.example/",
            "ftp://a.example/",
            "https://",
        ] {
            assert_eq!(bad.parse::<Jwks>(), Err(JwksError), "{bad}");
        }
    }
}
