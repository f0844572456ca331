//! The one table of cache policies: for answers of the API, for the edge, and for the attributes of stored objects.

use crate::file::FileClass;

/// A cache policy: what a cache may keep, and for how long (RFC 9111, section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CachePolicy {
    /// Records, and whatever else can be replaced: fresh for a minute, then revalidated by the `ETag`.
    Record,
    /// Manifests and earlier records: immutable (RFC 8246) for a year.
    Manifest,
    /// Pictures: immutable for 30 days. A rendition's name has the version of its profile, and a file ID names one
    /// content for ever.
    Picture,
    /// Videos: immutable for 30 days.
    Video,
    /// Documents: immutable for 7 days.
    Document,
    /// Nothing may be kept: for everything that is not public, temporary files, and objects that are served to nobody.
    Nothing,
}

impl CachePolicy {
    /// Returns the policy of the public bytes of a file.
    #[must_use]
    pub const fn of(class: FileClass) -> Self {
        match class {
            FileClass::Picture => Self::Picture,
            FileClass::Video => Self::Video,
            FileClass::Document => Self::Document,
        }
    }

    /// Returns the value of `Cache-Control`.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Record => "public, max-age=60, must-revalidate",
            Self::Manifest => "public, max-age=31536000, immutable",
            Self::Picture | Self::Video => "public, max-age=2592000, immutable",
            Self::Document => "public, max-age=604800, immutable",
            Self::Nothing => "private, no-store",
        }
    }

    /// Returns the seconds for which a cache may keep the content without asking again: the `max-age` of the
    /// [`header`](Self::header), or 0 if it may not.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Record => 60,
            Self::Manifest => 31_536_000,
            Self::Picture | Self::Video => 2_592_000,
            Self::Document => 604_800,
            Self::Nothing => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_fixed() {
        for (policy, header) in [
            (CachePolicy::Record, "public, max-age=60, must-revalidate"),
            (CachePolicy::Manifest, "public, max-age=31536000, immutable"),
            (CachePolicy::of(FileClass::Picture), "public, max-age=2592000, immutable"),
            (CachePolicy::of(FileClass::Video), "public, max-age=2592000, immutable"),
            (CachePolicy::of(FileClass::Document), "public, max-age=604800, immutable"),
            (CachePolicy::Nothing, "private, no-store"),
        ] {
            assert_eq!(policy.header(), header, "{policy:?}");
            let age = header.split(", ").find_map(|part| part.strip_prefix("max-age="));
            assert_eq!(policy.seconds(), age.map_or(0, |age| age.parse().unwrap()), "{policy:?}");
        }
    }
}
