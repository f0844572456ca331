//! The name of a migration job.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::bounds::MAX_JOB_NAME_BYTES;

/// The name of a job. A file and a row are named after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "The name of a migration's job.", pattern = "^[a-z0-9][a-z0-9_-]{0,63}$"))]
pub struct JobName(String);

/// The error for a name that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a job's name has 1 to {MAX_JOB_NAME_BYTES} lower-case letters, digits, `-` and `_`, and starts with a letter or a digit"
)]
pub struct JobNameError;

impl JobName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JobName {
    type Err = JobNameError;

    fn from_str(text: &str) -> Result<Self, JobNameError> {
        let allowed = |(at, byte): (usize, u8)| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || at > 0 && matches!(byte, b'-' | b'_')
        };
        let fits = !text.is_empty() && text.len() <= MAX_JOB_NAME_BYTES;
        if fits && text.bytes().enumerate().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(JobNameError)
        }
    }
}

impl TryFrom<String> for JobName {
    type Error = JobNameError;

    fn try_from(text: String) -> Result<Self, JobNameError> {
        text.parse()
    }
}

impl From<JobName> for String {
    fn from(name: JobName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_a_name_for_a_file() {
        for name in ["a", "0", "archive-2019_b"] {
            assert_eq!(name.parse::<JobName>().map(|name| name.to_string()), Ok(name.to_owned()));
        }
        for name in ["", "-a", "A", "a/b", "a.b", "ä", &"x".repeat(65)] {
            assert_eq!(name.parse::<JobName>(), Err(JobNameError), "{name}");
        }
    }
}
