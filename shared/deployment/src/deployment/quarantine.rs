//! The quarantine in a data folder, or in the bucket of the primary.

use credlink_disk::quarantine::QuarantineFolder;
use credlink_ports::{forward_quarantine, on_variant};
use credlink_s3::S3Quarantine;

/// The quarantine that was chosen. Clones share one.
#[derive(Clone, Debug)]
pub enum AnyQuarantine {
    /// A folder of this machine, to which the server writes what it receives.
    Folder(QuarantineFolder),
    /// A bucket, to which clients send bytes themselves.
    Bucket(S3Quarantine),
}

impl AnyQuarantine {
    /// Returns the folder, if the server receives bytes itself.
    #[must_use]
    pub const fn folder(&self) -> Option<&QuarantineFolder> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Bucket(_) => None,
        }
    }
}

// Boxed: the future of an SDK call takes many kilobytes, and would make every future around it as large.
macro_rules! chosen {
    (now $self:ident, $quarantine:ident => $call:expr) => {
        on_variant!($self, Folder | Bucket, $quarantine => $call)
    };
    ($kind:ident $self:ident, $quarantine:ident => $call:expr) => {
        on_variant!($self, Folder | Bucket, $quarantine => Box::pin($call).await)
    };
}

forward_quarantine!(impl[] for AnyQuarantine, by chosen);
