//! The metadata of a cached entry: a JSON document in one header beside the bytes.
//!
//! The bytes of an entry are stored without `Content-Encoding`, because the runtime would compress bytes that are
//! labelled gzip a second time.

use credlink_core::http::problem::{DELETED_MEMBER, Problem, ProblemKind};
use credlink_core::legacy::LegacyId;
use credlink_core::object::{Attributes, AttributesError, Facts, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the format. An entry of another version counts as absent.
const VERSION: u32 = 1;

/// A cached entry, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    version: u32,
    /// Time of the last check against R2 or the origin, taken before the request was sent, in milliseconds since 1970.
    checked: i64,
    /// The cached content. This is not `flatten`ed, because serde would first read the whole document into a tree.
    pub content: Content,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// An object.
    Object(Stored),
    /// The absence of an object, which never existed or was deleted.
    Nothing(Absence),
    /// A legacy ID and the proof that it names.
    Alias(ProofId),
    /// The record of a public file, as far as it decides about its bytes: a line of
    /// [`ServedFile`](credlink_core::file_record::ServedFile).
    File(String),
}

/// A stored object, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// R2's entity tag, if the object came from R2.
    pub tag: Option<String>,
    /// Length of the stored bytes.
    pub size: u64,
    /// The attributes that were written with the object.
    pub attributes: Attributes,
}

/// The origin's reason for an absence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    kind: String,
    detail: String,
    /// The instant of a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted: Option<String>,
}

impl Absence {
    /// Records the absence that a problem reports: 404 or 410.
    #[must_use]
    pub fn of(problem: &Problem) -> Self {
        let deleted = problem.members.get(DELETED_MEMBER).and_then(|at| at.as_str());
        Self {
            kind: problem.kind.slug().to_owned(),
            detail: problem.detail.clone(),
            deleted: deleted.map(str::to_owned),
        }
    }

    /// Restores the problem; `None` if the object simply does not exist.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        let gone =
            [ProblemKind::Deleted, ProblemKind::Expired].into_iter().find(|kind| kind.slug() == self.kind);
        let problem = Problem::new(gone?, self.detail.clone());
        Some(match &self.deleted {
            Some(at) => problem.with(DELETED_MEMBER, at.as_str()),
            None => problem,
        })
    }
}

impl Stored {
    /// Reads the facts of the object from its attributes.
    ///
    /// # Errors
    /// Attributes that CredLink never writes.
    pub fn facts(&self) -> Result<Facts, AttributesError> {
        Facts::read(&self.attributes)
    }
}

impl Entry {
    /// Creates an entry that was checked at `checked`.
    #[must_use]
    pub const fn new(content: Content, checked: Timestamp) -> Self {
        Self { version: VERSION, checked: checked.milliseconds(), content }
    }

    /// Parses an entry; `None` if this version of the program did not write it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|entry: &Self| entry.version == VERSION)
    }

    /// Returns the milliseconds since the last check. A check in the future counts as one that happened just now.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> u64 {
        u64::try_from(now.milliseconds().saturating_sub(self.checked)).unwrap_or(0)
    }

    /// Returns the headers of the cached response, as lines of `name:value`: the metadata, the time for which the cache
    /// keeps the entry, and the tag by which a zone purge removes it.
    #[must_use]
    pub fn headers(&self, tag: &str, kept_seconds: u64) -> String {
        let said = serde_json::to_string(self).unwrap_or_default();
        format!(
            "credlink-entry:{said}\ncontent-type:application/octet-stream\ncache-control:public, \
             max-age={kept_seconds}\ncache-tag:{tag}"
        )
    }
}

/// Returns the tag shared by all entries of a proof or of a manifest: the key of its object.
#[must_use]
pub fn tag(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Record(id) | ObjectKey::Revision(id, _) => ObjectKey::Record(*id).to_string(),
        // Of these, manifests are served, and fronts and the records of files are consulted.
        ObjectKey::Manifest(_)
        | ObjectKey::Front(_)
        | ObjectKey::Alias(_)
        | ObjectKey::Hold(..)
        | ObjectKey::Removed(..)
        | ObjectKey::Identity
        | ObjectKey::Media(_) => key.to_string(),
    }
}

/// Returns the tag of a legacy ID's entry.
#[must_use]
pub fn alias_tag(id: &LegacyId) -> String {
    format!("aliases/{id}")
}

#[cfg(test)]
mod tests {
    use credlink_core::hash::MediaHash;
    use credlink_core::proof_id::ProofId;
    use credlink_core::tenant::Tenant;

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds)
    }

    #[test]
    fn an_entry_reads_back() {
        let attributes = Attributes { content_type: "application/c2pa".to_owned(), ..Attributes::default() };
        let stored = Stored { tag: Some("abc".to_owned()), size: 7, attributes };
        let gone = Absence::of(&Problem::new(ProblemKind::Deleted, "this was deleted"));
        for content in [Content::Object(stored), Content::Nothing(gone)] {
            let entry = Entry::new(content, at(1_000));
            let text = serde_json::to_string(&entry).unwrap();
            assert_eq!(Entry::parse(&text), Some(entry.clone()));
            assert_eq!(Entry::parse(&text.replace("\"version\":1", "\"version\":2")), None);
            assert_eq!((entry.age(at(3_500)), entry.age(at(0))), (2_500, 0));
        }
        assert_eq!(Entry::parse(""), None);
    }

    #[test]
    fn absence_keeps_its_reason() {
        let back = |kind| Absence::of(&Problem::new(kind, "why")).problem().map(|problem| problem.kind);
        assert_eq!(back(ProblemKind::Deleted), Some(ProblemKind::Deleted));
        assert_eq!(back(ProblemKind::Expired), Some(ProblemKind::Expired));
        assert_eq!(back(ProblemKind::NotFound), None);
        let deleted = Problem::deleted(at(7));
        assert_eq!(Absence::of(&deleted).problem(), Some(deleted));
    }

    #[test]
    fn a_proof_and_its_revisions_have_one_tag() {
        let id = ProofId::derive(&Tenant::default(), &MediaHash::of(b"x"));
        assert_eq!(tag(&ObjectKey::Revision(id, 3)), format!("proofs/{id}"));
        let manifest = ObjectKey::Manifest("urn:c2pa:x".parse().unwrap());
        assert_eq!(tag(&manifest), "manifests/urn%3Ac2pa%3Ax");
        let entry =
            Entry::new(Content::Nothing(Absence::of(&Problem::new(ProblemKind::NotFound, "no"))), at(5));
        let expected = "credlink-entry:{\"version\":1,\"checked\":5,\"content\":{\"nothing\":{\"kind\":\
                        \"not-found\",\"detail\":\"no\"}}}\ncontent-type:application/octet-stream\ncache-control:public, \
                        max-age=9\ncache-tag:manifests/urn%3Ac2pa%3Ax";
        assert_eq!(entry.headers(&tag(&manifest), 9), expected);
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_much(text in "\\{?\"?(version|checked|object|nothing)?\"?:?.{0,40}\\}?") {
            proptest::prop_assert!(Entry::parse(&text).is_none());
        }
    }
}
