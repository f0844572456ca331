//! Stand-ins for the types of the SDK that settings are made of, in a program without the feature `sdk`. The settings can be
//! read, and no bucket can be opened with them.

use std::convert::Infallible;

/// An access key, of which nothing is kept.
#[derive(Clone, Copy, Debug)]
pub struct Credentials;

impl Credentials {
    /// Forgets an access key.
    #[must_use]
    pub fn new(
        _: impl Into<String>,
        _: impl Into<String>,
        _: Option<String>,
        _: Option<std::time::SystemTime>,
        _: &'static str,
    ) -> Self {
        Self
    }
}

/// A storage class, of which nothing is kept.
#[derive(Clone, Copy, Debug)]
pub struct StorageClass;

impl StorageClass {
    /// Accepts any name, since nothing will be stored.
    ///
    /// # Errors
    /// Never returns an error.
    pub const fn try_parse(_: &str) -> Result<Self, Infallible> {
        Ok(Self)
    }

    /// Returns the names of the storage classes, of which none is known.
    #[must_use]
    pub const fn values() -> &'static [&'static str] {
        &[]
    }
}
