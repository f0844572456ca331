//! Problem documents as a client reads them. The answer does not always come from CredLink: a gateway, a proxy or a web
//! server at a wrong address writes documents of its own, or none.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DELETED_MEMBER, Problem, ProblemKind, TYPE_PREFIX};
use crate::time::Timestamp;

/// A problem document that a server has sent (RFC 9457, section 3.1). A missing member is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The URI of the kind, from the member `type`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// The kind, in words.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The fault, in words for a person.
    #[serde(default)]
    pub detail: String,
    /// The part of the request that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The ID of the request, as it appears in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Further members, by kind.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

impl Received {
    /// Reads a body. Returns `None` if it is not a problem document.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Returns the end of the `type`, or an empty string if the document is not CredLink's.
    #[must_use]
    pub fn slug(&self) -> &str {
        self.kind.strip_prefix(TYPE_PREFIX).unwrap_or_default()
    }

    /// Returns `true` if the problem is of this kind.
    #[must_use]
    pub fn is(&self, kind: ProblemKind) -> bool {
        self.slug() == kind.slug()
    }

    /// Returns the detail without the name of the field, with which [`Problem::field`] begins it.
    #[must_use]
    pub fn reason(&self) -> &str {
        let named = self.field.as_ref().and_then(|field| self.detail.strip_prefix(&format!("`{field}`: ")));
        named.unwrap_or(&self.detail)
    }

    /// Returns the instant of the deletion, if the problem is a [`ProblemKind::Deleted`].
    #[must_use]
    pub fn deleted(&self) -> Option<Timestamp> {
        let at = self.members.get(DELETED_MEMBER)?.as_str()?.parse().ok()?;
        self.is(ProblemKind::Deleted).then_some(at)
    }
}

/// The members of a problem document that are passed on for an object that is absent. The Worker reads these alone: a
/// map of any members would make it larger by a thirtieth.
#[derive(Deserialize)]
struct PassedOn {
    #[serde(rename = "type")]
    kind: String,
    detail: String,
    deleted: Option<String>,
}

impl Problem {
    /// Reads a problem document of CredLink's, with the members that are passed on for an object that is absent. Returns
    /// `None` for any other document.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let passed: PassedOn = serde_json::from_slice(body).ok()?;
        let slug = passed.kind.strip_prefix(TYPE_PREFIX)?;
        let kind = ProblemKind::ALL.iter().copied().find(|kind| kind.slug() == slug)?;
        let problem = Self::new(kind, passed.detail);
        Some(match passed.deleted {
            Some(at) if kind == ProblemKind::Deleted => problem.with(DELETED_MEMBER, at),
            Some(_) | None => problem,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::reply::Body;

    fn body(problem: &Problem) -> Vec<u8> {
        let Body::Bytes(body) = problem.reply(Some("r-1")).body else { panic!("a body") };
        body.to_vec()
    }

    fn sent(problem: &Problem) -> Received {
        Received::read(&body(problem)).unwrap()
    }

    #[test]
    fn what_is_sent_reads_back() {
        let problem = Problem::field("limit", "a number").with("given", "x");
        let received = sent(&problem);
        assert_eq!((received.title.as_str(), received.status), (problem.kind.title(), Some(400)));
        assert_eq!(
            (received.detail.as_str(), received.field.as_deref()),
            ("`limit`: a number", Some("limit"))
        );
        assert_eq!(
            (received.reason(), sent(&Problem::new(problem.kind, "why")).reason()),
            ("a number", "why")
        );
        assert_eq!((received.request_id.as_deref(), &received.members["given"]), (Some("r-1"), &"x".into()));
        for kind in ProblemKind::ALL {
            assert_eq!(Problem::read(&body(&Problem::new(*kind, "why"))), Some(Problem::new(*kind, "why")));
        }
    }

    #[test]
    fn a_deletion_says_when_it_was() {
        let at: Timestamp = "2026-01-31T12:00:00.007Z".parse().unwrap();
        let problem = Problem::deleted(at);
        assert_eq!(sent(&problem).deleted(), Some(at));
        assert_eq!(Problem::read(&body(&problem)), Some(problem));
        // The sentence in `detail` is for people, and the member has another meaning in a problem of another kind.
        let said = "this was deleted on 2026-01-31T12:00:00.007Z";
        assert_eq!(sent(&Problem::new(ProblemKind::Deleted, said)).deleted(), None);
        let other = Problem::new(ProblemKind::Expired, said).with(DELETED_MEMBER, at.to_string());
        assert_eq!(sent(&other).deleted(), None);
    }

    #[test]
    fn documents_of_others_have_no_slug() {
        for body in [r#"{"message":"Not Found"}"#, r#"{"type":"about:blank","title":"Gone"}"#, "{}"] {
            let received = Received::read(body.as_bytes()).unwrap();
            assert_eq!((received.slug(), Problem::read(body.as_bytes())), ("", None), "{body}");
        }
        for body in ["", "<html>", "[]", "null"] {
            assert_eq!(Received::read(body.as_bytes()), None, "{body}");
        }
    }
}
