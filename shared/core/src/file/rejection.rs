//! The reasons for which uploads are rejected.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares the reasons: name, written form and explanation in one place.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident, $written:literal, $explanation:literal;)+) => {
        /// A reason for which an upload is rejected. It is stable, for programs; its `Display` is for people.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Rejection { $($(#[$doc])* #[serde(rename = $written)] $name,)+ }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for Rejection {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some("A reason for which an upload is rejected."))
                    .enum_values(Some([$($written),+]))
                    .into()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for Rejection {}

        impl Rejection {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Returns the written form, for programs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $written,)+ }
            }

            /// Returns the explanation.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => $explanation,)+ }
            }
        }
    };
}

reasons! {
    /// The bytes are fewer or more than announced.
    SizeMismatch, "size-mismatch", "the file does not have the size that was announced; announce its size in bytes";
    /// The bytes have another SHA-256 than announced.
    HashMismatch, "hash-mismatch", "the file does not have the SHA-256 that was announced: it was changed on the way, or before";
    /// The content has another type than announced.
    TypeMismatch, "type-mismatch", "the content of the file has another type than was announced";
    /// The collection does not allow the type of the content.
    TypeNotAllowed, "type-not-allowed", "the collection does not accept files with this content";
    /// The picture has too many pixels.
    TooManyPixels, "too-many-pixels", "the picture has more pixels than the collection allows; scale it down";
    /// The picture has too many frames.
    TooManyFrames, "too-many-frames", "the animation has more frames than the collection allows; shorten it";
    /// The picture is animated.
    Animated, "animated", "the picture is animated, and the collection accepts only still ones";
    /// The file ends too early.
    Truncated, "truncated", "the file is cut off: it ends before its content does; if it is whole where it came from, upload it again";
    /// The file cannot be decoded.
    Undecodable, "undecodable", "the file is damaged, or has a form of its type that is not supported; save it anew in another program";
    /// A part of the file is larger than a decoder may unpack, or takes too long.
    TooExpensive, "too-expensive", "the file takes more memory or time to read than a file of its size may";
    /// The scanner found malware.
    Malware, "malware", "the scanner found malware in the file";
    /// The scanner gave no verdict.
    NotScanned, "not-scanned", "the scanner could not check the file; upload it again, or ask the operator";
    /// The manifest of the original carries a location.
    Location, "location", "the content credentials of the file tell where it was taken, and the collection refuses that";
    /// The list of the entity is full.
    ListFull, "list-full", "the entity has as many files as the collection allows; remove one first";
    /// The list of the entity has files of another owner.
    ListOfAnother, "list-of-another", "the list of the entity has files of another owner";
    /// The collection is no longer in the configuration.
    CollectionChanged, "collection-changed", "the collection is no longer in the configuration";
    /// The client gave up.
    Aborted, "aborted", "the upload was aborted by its client";
    /// The bytes vanished before they were processed.
    Lost, "lost", "the uploaded bytes are no longer there; upload the file again";
    /// Processing was cut off as often as it is tried.
    Failed, "failed", "the file could not be processed: each attempt was cut off; upload it again, or ask the operator, who may still have its bytes";
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explanation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_stable() {
        let written =
            |reason: &Rejection| serde_json::to_string(reason).unwrap().trim_matches('"').to_owned();
        let table: Vec<String> =
            Rejection::ALL.iter().map(|reason| format!("{}: {reason}", written(reason))).collect();
        assert!(Rejection::ALL.iter().all(|reason| written(reason) == reason.name()));
        insta::assert_snapshot!("rejections", table.join("\n"));
        assert!(serde_json::from_str::<Rejection>(r#""ugly""#).is_err());
    }
}
