//! The values of variables, and the errors of those that cannot be used.

use std::fmt;
use std::ops::RangeInclusive;

use credlink_auth::jwt::settings::SettingsError;
use credlink_auth::signers::SignersError;
use credlink_cache::redis::AddressError;

/// An error in a variable. It shows no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// The variable is required but not set.
    #[error("{variable} is not set; it has to be {allowed}")]
    Missing {
        /// The variable.
        variable: &'static str,
        /// The values that are allowed.
        allowed: String,
    },
    /// The value is not allowed.
    #[error("{variable} is `{}`; allowed is {allowed}", value.escape_debug())]
    Invalid {
        /// The variable.
        variable: &'static str,
        /// The value that was found.
        value: String,
        /// The values that are allowed.
        allowed: String,
    },
    /// The value is not allowed, and is a secret.
    #[error("{variable} has a value that is not shown here; allowed is {allowed}")]
    Secret {
        /// The variable.
        variable: &'static str,
        /// The values that are allowed.
        allowed: String,
    },
    /// The file that the variable names, or the content that it is, cannot be used.
    #[error("{variable}: {detail}")]
    Content {
        /// The variable.
        variable: &'static str,
        /// The fault, and what is allowed.
        detail: String,
    },
    /// A variable for JSON Web Tokens cannot be used.
    #[error(transparent)]
    Jwt(#[from] SettingsError),
    /// The list of signers cannot be used.
    #[error(transparent)]
    Signers(#[from] SignersError),
    /// The address of Redis cannot be used.
    #[error(transparent)]
    Redis(#[from] AddressError),
}

impl ConfigurationError {
    /// Returns the error for a value that is not allowed.
    pub fn invalid(variable: &'static str, value: &str, allowed: impl Into<String>) -> Self {
        Self::Invalid { variable, value: value.to_owned(), allowed: allowed.into() }
    }
}

/// A lookup of a variable's value.
type Find<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// A source of variables: the environment, or a test.
pub struct Variables<'a>(Box<Find<'a>>);

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables")
    }
}

impl<'a> Variables<'a> {
    /// Returns the environment of this process.
    #[must_use]
    pub fn environment() -> Variables<'static> {
        Variables(Box::new(|name| std::env::var(name).ok()))
    }

    /// Returns a source that looks variables up with `get`.
    pub fn new(get: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self(Box::new(get))
    }

    /// Returns a variable's text. Empty text counts as absent, because templates set omitted variables to nothing.
    #[must_use]
    pub fn text(&self, variable: &str) -> Option<String> {
        (self.0)(variable).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Returns the text of a required variable.
    ///
    /// # Errors
    /// Returns an error if the variable is not set.
    pub fn required(&self, variable: &'static str, allowed: &str) -> Result<String, ConfigurationError> {
        self.text(variable)
            .ok_or_else(|| ConfigurationError::Missing { variable, allowed: allowed.to_owned() })
    }

    /// Returns a number within a range.
    ///
    /// # Errors
    /// Returns an error if the value is not a number in that range.
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

    /// Returns `true` for `on` and `false` for `off`.
    ///
    /// # Errors
    /// Returns an error for any other value.
    pub fn switch(&self, variable: &'static str) -> Result<Option<bool>, ConfigurationError> {
        match self.text(variable).as_deref() {
            None => Ok(None),
            Some("on") => Ok(Some(true)),
            Some("off") => Ok(Some(false)),
            Some(other) => Err(ConfigurationError::invalid(variable, other, "`on` or `off`")),
        }
    }

    /// Returns an `http` or `https` URL, without a trailing slash.
    ///
    /// # Errors
    /// Returns an error if the value is not such a URL.
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
