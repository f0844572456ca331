//! Values of variables, and what is wrong with them.

use std::fmt;
use std::ops::RangeInclusive;

use crate::cache::redis::AddressError;
use crate::jwt::settings::SettingsError;

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// Its value is not allowed, or there is none.
    #[error("{variable} {given}; it takes {allowed}")]
    Value {
        /// The variable.
        variable: &'static str,
        /// What is given, in words: `is "x"`, `is missing`.
        given: String,
        /// What is allowed.
        allowed: String,
    },
    /// One of those about JSON Web Tokens.
    #[error(transparent)]
    Jwt(#[from] SettingsError),
    /// The one of Redis.
    #[error(transparent)]
    Redis(#[from] AddressError),
}

impl ConfigurationError {
    /// A value that is not allowed.
    pub fn new(variable: &'static str, value: &str, allowed: impl Into<String>) -> Self {
        Self::Value { variable, given: format!("is \"{}\"", value.escape_debug()), allowed: allowed.into() }
    }

    /// A value that is not allowed and not to be shown.
    pub fn secret(variable: &'static str, allowed: impl Into<String>) -> Self {
        Self::Value {
            variable,
            given: "has a value that is not shown here".to_owned(),
            allowed: allowed.into(),
        }
    }

    /// A variable that has to be there.
    pub fn missing(variable: &'static str, allowed: impl Into<String>) -> Self {
        Self::Value { variable, given: "is missing".to_owned(), allowed: allowed.into() }
    }
}

/// Where variables come from: the environment, or a test.
pub struct Source<'a>(Box<dyn Fn(&str) -> Option<String> + 'a>);

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

    /// The value as it is.
    #[must_use]
    pub fn get(&self, variable: &str) -> Option<String> {
        (self.0)(variable)
    }

    /// Text; one that is empty counts as not there, as templates set what is left out.
    #[must_use]
    pub fn text(&self, variable: &'static str) -> Option<String> {
        self.get(variable).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Text that is not to be shown.
    #[must_use]
    pub fn secret(&self, variable: &'static str) -> Option<String> {
        self.text(variable)
    }

    /// Text that has to be there.
    ///
    /// # Errors
    /// It is not.
    pub fn required(&self, variable: &'static str, allowed: &str) -> Result<String, ConfigurationError> {
        self.text(variable).ok_or_else(|| ConfigurationError::missing(variable, allowed))
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
            u64::MAX => format!("a whole number from {}", range.start()),
            end => format!("a whole number from {} to {end}", range.start()),
        };
        number.map(Some).ok_or_else(|| ConfigurationError::new(variable, &text, allowed()))
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
            Some(other) => Err(ConfigurationError::new(variable, other, "`on` or `off`")),
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
        Err(ConfigurationError::new(variable, &text, "a URL with `https://` or `http://` and no query"))
    }

    /// The error that refuses the variable's present value.
    #[must_use]
    pub fn refuse(&self, variable: &'static str, allowed: &str) -> ConfigurationError {
        match self.text(variable) {
            Some(value) => ConfigurationError::new(variable, &value, allowed),
            None => ConfigurationError::missing(variable, allowed),
        }
    }
}
