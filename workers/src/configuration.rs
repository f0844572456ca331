//! The operator's settings: variables and secrets of the Worker, read once in each isolate.

use std::rc::Rc;
use std::str::FromStr;

use credlink_core::http::route::Form;
use credlink_core::link::LinkKeys;
use wasm_bindgen::JsValue;

use crate::lifetime::{Lifetimes, Window};
use crate::runtime;

/// The Worker's configuration.
#[derive(Debug)]
pub struct Configuration {
    /// The bucket whose objects are served.
    pub bucket: JsValue,
    /// A rate limiter for requests that the cache cannot answer, if one is bound.
    pub misses: Option<JsValue>,
    /// The keys that verify signed links.
    pub link_keys: Option<LinkKeys>,
    /// The base URL of the API, without `/v1` and without a trailing slash.
    pub origin: Option<String>,
    /// `true` if there are several tenants.
    pub has_tenants: bool,
    /// The token that authorizes a purge.
    pub purge_token: Option<String>,
    /// The zone whose caches are purged.
    pub zone: Option<Zone>,
    /// Timeout of calls to R2, the origin, Cloudflare's API and the limiter, in milliseconds.
    pub timeout: u64,
    /// The freshness lifetimes of cached entries.
    pub lifetimes: Lifetimes,
}

/// A Cloudflare zone.
#[derive(Debug)]
pub struct Zone {
    /// The ID of the zone.
    pub id: String,
    /// An API token that may purge the caches of the zone.
    pub token: String,
    /// The base URL of Cloudflare's API, without a trailing slash.
    pub api: String,
}

/// An invalid or missing variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// A variable has an invalid value.
    #[error("{variable} is `{value}`; it has to be {allowed}")]
    Invalid {
        /// The name of the variable.
        variable: &'static str,
        /// The invalid value.
        value: String,
        /// A description of the allowed values.
        allowed: String,
    },
    /// A secret has an invalid value, which is not shown.
    #[error("{variable} cannot be used: {allowed}")]
    Secret {
        /// The name of the secret.
        variable: &'static str,
        /// A description of the allowed values.
        allowed: String,
    },
    /// A binding or a variable is missing.
    #[error("{variable} is not set; it has to be {allowed}")]
    Missing {
        /// The name of the binding or variable.
        variable: &'static str,
        /// A description of the allowed values.
        allowed: String,
    },
}

/// Minimum length of the purge token, in characters: 16 random bytes in hexadecimal.
const MIN_TOKEN_CHARACTERS: usize = 32;
/// The default base URL of Cloudflare's API.
const CLOUDFLARE_API: &str = "https://api.cloudflare.com/client/v4";
/// The longest lifetime that can be set, in seconds: a day. A longer one would delay deletions by more than that.
const MAX_LIFETIME: u64 = 86_400;

thread_local! {
    static READ: std::cell::OnceCell<Result<Rc<Configuration>, ConfigurationError>> =
        const { std::cell::OnceCell::new() };
}

impl Configuration {
    /// Returns the configuration of this isolate, whose variables never change.
    ///
    /// # Errors
    /// The first invalid variable.
    pub fn of(environment: &JsValue) -> Result<Rc<Self>, ConfigurationError> {
        READ.with(|read| {
            let new = || {
                let binding = |name| {
                    let bound = js_sys::Reflect::get(environment, &JsValue::from_str(name));
                    bound.ok().filter(JsValue::is_object)
                };
                let variable = |name: &str| runtime::variable(environment, name);
                Self::read(binding("BUCKET"), binding("MISSES"), variable).map(Rc::new)
            };
            read.get_or_init(new).clone()
        })
    }

    /// Returns the configuration of this isolate, if it was read before and is valid.
    pub fn known() -> Option<Rc<Self>> {
        READ.with(|read| read.get()?.clone().ok())
    }

    /// Returns `true` if signed links can be verified. An edge without link keys ignores signatures: its private objects
    /// are private to everyone (guarantee 13).
    pub const fn checks_links(&self) -> bool {
        self.link_keys.is_some()
    }

    /// Returns `true` if the front of a plain address says whose manifest it serves.
    pub fn asks_front(&self, form: Form) -> bool {
        self.has_tenants && form == Form::Content
    }

    fn read(
        bucket: Option<JsValue>,
        misses: Option<JsValue>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigurationError> {
        let missing =
            |variable, allowed: &str| ConfigurationError::Missing { variable, allowed: allowed.to_owned() };
        let bucket = bucket.ok_or_else(|| missing("BUCKET", "a binding to an R2 bucket"))?;
        let url = |name| variable(name).map(|text| web_url(name, text)).transpose();
        let seconds = |name, otherwise| number(name, variable(name), otherwise, 0, MAX_LIFETIME);
        let defaults = Lifetimes::default();
        let purge_token = variable("CREDLINK_PURGE_TOKEN");
        if purge_token.as_ref().is_some_and(|token| token.len() < MIN_TOKEN_CHARACTERS) {
            let allowed = format!("it has to have at least {MIN_TOKEN_CHARACTERS} characters");
            return Err(ConfigurationError::Secret { variable: "CREDLINK_PURGE_TOKEN", allowed });
        }
        let zone = match (variable("CREDLINK_ZONE_ID"), variable("CREDLINK_ZONE_TOKEN")) {
            (None, None) => None,
            (Some(id), Some(token)) => {
                let api = url("CREDLINK_CLOUDFLARE_API")?.unwrap_or_else(|| CLOUDFLARE_API.to_owned());
                Some(Zone { id: zone_id(id)?, token, api })
            }
            (Some(_), None) => {
                return Err(missing(
                    "CREDLINK_ZONE_TOKEN",
                    "an API token with the permission Cache Purge, as \
                                                           CREDLINK_ZONE_ID is set",
                ));
            }
            (None, Some(_)) => {
                return Err(missing("CREDLINK_ZONE_ID", "the id of the zone, as CREDLINK_ZONE_TOKEN is set"));
            }
        };
        Ok(Self {
            bucket,
            misses,
            link_keys: variable("CREDLINK_LINK_KEYS").map(|text| link_keys(&text)).transpose()?,
            origin: url("CREDLINK_ORIGIN_URL")?,
            has_tenants: has_tenants(variable("CREDLINK_TENANTS"))?,
            purge_token,
            zone,
            timeout: number("CREDLINK_TIMEOUT", variable("CREDLINK_TIMEOUT"), 5_000, 100, 25_000)?,
            lifetimes: Lifetimes {
                record: Window {
                    fresh: seconds("CREDLINK_RECORD_FRESH", defaults.record.fresh)?,
                    stale: seconds("CREDLINK_RECORD_STALE", defaults.record.stale)?,
                },
                immutable: Window {
                    fresh: seconds("CREDLINK_IMMUTABLE_FRESH", defaults.immutable.fresh)?,
                    stale: seconds("CREDLINK_IMMUTABLE_STALE", defaults.immutable.stale)?,
                },
                absent: seconds("CREDLINK_ABSENT", defaults.absent)?,
                stale_if_error: seconds("CREDLINK_STALE_IF_ERROR", defaults.stale_if_error)?,
            },
        })
    }
}

/// Parses a URL, and removes a trailing slash.
fn web_url(variable: &'static str, text: String) -> Result<String, ConfigurationError> {
    let trimmed = text.trim_end_matches('/');
    match http::Uri::from_str(trimmed) {
        Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none() => {
            Ok(trimmed.to_owned())
        }
        _ => Err(ConfigurationError::Invalid {
            variable,
            value: text,
            allowed: "a URL such as https://api.example.com, without a query".to_owned(),
        }),
    }
}

/// Returns `true` if there are several tenants.
fn has_tenants(text: Option<String>) -> Result<bool, ConfigurationError> {
    match text.as_deref() {
        None | Some("one") => Ok(false),
        Some("several") => Ok(true),
        Some(other) => Err(ConfigurationError::Invalid {
            variable: "CREDLINK_TENANTS",
            value: other.to_owned(),
            allowed: "`one` or `several`".to_owned(),
        }),
    }
}

/// Checks the ID of a zone, which becomes part of a request's path.
fn zone_id(text: String) -> Result<String, ConfigurationError> {
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text);
    }
    let allowed = "32 hexadecimal digits, as the zone's page shows them".to_owned();
    Err(ConfigurationError::Invalid { variable: "CREDLINK_ZONE_ID", value: text, allowed })
}

fn link_keys(text: &str) -> Result<LinkKeys, ConfigurationError> {
    text.parse().map_err(|error: credlink_core::link::LinkKeysError| ConfigurationError::Secret {
        variable: "CREDLINK_LINK_KEYS",
        allowed: error.to_string(),
    })
}

fn number(
    variable: &'static str,
    text: Option<String>,
    otherwise: u64,
    lowest: u64,
    highest: u64,
) -> Result<u64, ConfigurationError> {
    let Some(value) = text else { return Ok(otherwise) };
    match value.parse() {
        Ok(number) if (lowest..=highest).contains(&number) => Ok(number),
        _ => Err(ConfigurationError::Invalid {
            variable,
            value,
            allowed: format!("a whole number from {lowest} to {highest}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Configuration, ConfigurationError> {
        let find =
            |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).into());
        Configuration::read(Some(JsValue::UNDEFINED), None, find)
    }

    #[test]
    fn nothing_but_the_bucket_is_needed() {
        let configuration = read(&[]).unwrap();
        assert_eq!((configuration.timeout, configuration.lifetimes), (5_000, Lifetimes::default()));
        let without = Configuration::read(None, None, |_| None).unwrap_err();
        assert_eq!(without.to_string(), "BUCKET is not set; it has to be a binding to an R2 bucket");
    }

    #[test]
    fn what_cannot_be_used_is_named_and_secrets_are_not_shown() {
        let digits = "0123456789abcdef0123456789abcdef";
        for (pairs, expected) in [
            (
                vec![("CREDLINK_ABSENT", "soon")],
                "CREDLINK_ABSENT is `soon`; it has to be a whole number from 0 to 86400",
            ),
            (
                vec![("CREDLINK_TIMEOUT", "99")],
                "CREDLINK_TIMEOUT is `99`; it has to be a whole number from 100 to 25000",
            ),
            (vec![("CREDLINK_TENANTS", "2")], "CREDLINK_TENANTS is `2`; it has to be `one` or `several`"),
            (
                vec![("CREDLINK_ORIGIN_URL", "api.example.com")],
                "CREDLINK_ORIGIN_URL is `api.example.com`; it has to be a URL such as https://api.example.com, without a \
                 query",
            ),
            (
                vec![("CREDLINK_PURGE_TOKEN", "short")],
                "CREDLINK_PURGE_TOKEN cannot be used: it has to have at least 32 characters",
            ),
            (
                vec![("CREDLINK_ZONE_ID", digits)],
                "CREDLINK_ZONE_TOKEN is not set; it has to be an API token with the permission Cache Purge, as \
                 CREDLINK_ZONE_ID is set",
            ),
            (
                vec![("CREDLINK_ZONE_TOKEN", "secret"), ("CREDLINK_ZONE_ID", "../x")],
                "CREDLINK_ZONE_ID is `../x`; it has to be 32 hexadecimal digits, as the zone's page shows them",
            ),
        ] {
            assert_eq!(read(&pairs).unwrap_err().to_string(), expected);
        }
        let secret = read(&[("CREDLINK_LINK_KEYS", "a:secret")]).unwrap_err().to_string();
        assert!(
            secret.starts_with("CREDLINK_LINK_KEYS cannot be used") && !secret.contains("a:secret"),
            "{secret}"
        );
    }
}
