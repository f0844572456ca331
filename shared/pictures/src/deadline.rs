//! The time that a picture may take.

use std::time::{Duration, Instant};

use crate::Refusal;

/// The time until which a picture must be done.
///
/// It is checked between the steps of the pipeline, between the rows of a JPEG and a PNG, and each time that a JPEG decoder
/// asks for more bytes. A step that does not check, such as one WebP or one frame of a GIF, is bounded by its pixels.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// A deadline that never passes.
    pub const NEVER: Self = Self(None);

    /// Returns the deadline that passes after this time.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// Returns `true` if the deadline has passed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.0.is_some_and(|ends| Instant::now() >= ends)
    }

    /// Refuses a picture whose time is over.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.has_passed() { Err(Refusal::TookTooLong) } else { Ok(()) }
    }
}
