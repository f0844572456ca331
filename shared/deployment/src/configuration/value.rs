//! Values of variables, and what is wrong with them.

use std::fmt;
use std::ops::RangeInclusive;

use credlink_auth::jwt::settings::SettingsError;
use credlink_auth::signers::SignersError;
use credlink_cache::redis::AddressError;

/// A variable that cannot be used. No secret is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// It has to be set.
    #[error("{variable} is not set; it has to be {allowed}")]
    Missing {
        /// The variable.
        variable: &'static str,
        /// What it has to be.
        allowed: String,
    },
    /// Its value is not allowed.
    #[error("{variable} is `{}`; allowed is {allowed}", value.escape_debug())]
    Invalid {
        /// The variable.
        variable: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        allowed: String,
    },
    /// Its value is not allowed, and a secret.
    #[error("{variable} has a value that is not shown here; allowed is {allowed}")]
    Secret {
        /// The variable.
        variable: &'static str,
        /// What it may say.
        allowed: String,
    },
    /// One of those about JSON Web Tokens.
    #[error(transparent)]
    Jwt(#[from] SettingsError),
    /// The one that lists signers.
    #[error(transparent)]
    Signers(#[from] SignersError),
    /// The one of Redis.
    #[error(transparent)]
    Redis(#[from] AddressError),
}

impl ConfigurationError {
    /// A value that is not allowed.
    pub fn invalid(variable: &'static str, value: &str, allowed: impl Into<String>) -> Self {
        Self::Invalid { variable, value: value.to_owned(), allowed: allowed.into() }
    }
}

/// Gives the value of a variable.
type Find<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Where variables come from: the environment, or a test.
pub struct Source<'a>(Box<Find<'a>>);

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl<'a> Source<'a> {
    /// The environment of this process.
    #[must_use]
    pub fn environment() -> Source<'static> {
        Source(Box::new(|name| std::env::var(name).ok()))
    }

    /// Variables that `get` knows.
    pub fn new(get: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self(Box::new(get))
    }

    /// Text; one that is empty counts as not there, as templates set what is left out.
    #[must_use]
    pub fn text(&self, variable: &str) -> Option<String> {
        (self.0)(variable).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Text that has to be there.
    ///
    /// # Errors
    /// It is not.
    pub fn required(&self, variable: &'static str, allowed: &str) -> Result<String, ConfigurationError> {
        self.text(variable)
            .ok_or_else(|| ConfigurationError::Missing { variable, allowed: allowed.to_owned() })
    }

    /// A number in a range.
    ///
    /// # Errors
    /// It is none.
    pub fn number(
        &self,
        variable: &'static str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, ConfigurationError> {
        let Some(text) = self.text(variable) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let allowed = || match *range.end() {
            u64::MAX => format!("a number from {}", range.start()),
            end => format!("a number from {} to {end}", range.start()),
        };
        number.map(Some).ok_or_else(|| ConfigurationError::invalid(variable, &text, allowed()))
    }

    /// `on` or `off`.
    ///
    /// # Errors
    /// It is neither.
    pub fn switch(&self, variable: &'static str) -> Result<Option<bool>, ConfigurationError> {
        match self.text(variable).as_deref() {
            None => Ok(None),
            Some("on") => Ok(Some(true)),
            Some("off") => Ok(Some(false)),
            Some(other) => Err(ConfigurationError::invalid(variable, other, "`on` or `off`")),
        }
    }

    /// An `http` or `https` URL, without the slash at its end.
    ///
    /// # Errors
    /// It is none.
    pub fn url(&self, variable: &'static str) -> Result<Option<String>, ConfigurationError> {
        let Some(text) = self.text(variable) else { return Ok(None) };
        let parsed = text.parse::<http::Uri>().ok();
        let fits = |uri: &http::Uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some()
                && uri.query().is_none()
        };
        if parsed.as_ref().is_some_and(fits) {
            return Ok(Some(text.trim_end_matches('/').to_owned()));
        }
        Err(ConfigurationError::invalid(variable, &text, "a URL with `https://` or `http://` and no query"))
    }
}
