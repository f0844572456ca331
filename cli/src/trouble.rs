//! Why a command could not do its work: the server's problem document, or one of the same form that was made here.

use std::fmt;
use std::path::Path;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::exit::Exit;

/// What can go wrong on this side. The slug ends the stable `type`, as with the server's problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing answers.
    Unreachable,
    /// Something answers that is not CredLink.
    NotCredLink,
    /// A file cannot be read or written.
    File,
    /// A folder cannot be opened.
    Folder,
    /// No manifest was found.
    NoManifest,
    /// The input is not what it has to be.
    Usage,
    /// The server cannot start.
    Server,
    /// A provider failed under a command that works on it.
    Provider,
    /// There is no such object.
    NoObject,
    /// A migration's job cannot be worked on.
    Job,
    /// What a migration shall read cannot be opened.
    Source,
}

impl Kind {
    const fn about(self) -> (&'static str, &'static str) {
        match self {
            Self::Unreachable => ("unreachable", "No server answers"),
            Self::NotCredLink => ("not-credlink", "The answer is not CredLink's"),
            Self::File => ("file", "A file cannot be used"),
            Self::Folder => ("folder", "The folder cannot be used"),
            Self::NoManifest => ("no-manifest", "No manifest was found"),
            Self::Usage => ("usage", "This cannot be done like this"),
            Self::Server => ("server", "The server cannot run"),
            Self::Provider => ("provider", "A provider failed"),
            Self::NoObject => ("no-object", "There is no such object"),
            Self::Job => ("job", "The job cannot be worked on"),
            Self::Source => ("source", "The source cannot be opened"),
        }
    }
}

/// A problem, and the exit code that it leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Trouble(Box<Document>);

/// The document (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Document {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default)]
    detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(flatten)]
    members: Map<String, Value>,
}

impl Trouble {
    /// A problem of this side.
    pub fn new(kind: Kind, detail: impl fmt::Display) -> Self {
        let (slug, title) = kind.about();
        Self(Box::new(Document {
            kind: kind_of(slug),
            title: title.to_owned(),
            status: None,
            detail: detail.to_string(),
            field: None,
            request_id: None,
            members: Map::new(),
        }))
    }

    /// A file that cannot be used: which, for what, and why.
    pub fn file(path: &Path, doing: &str, error: &dyn fmt::Display) -> Self {
        Self::new(Kind::File, format!("{} cannot be {doing}: {error}", path.display()))
    }

    /// What an answer with a status of failure says.
    pub fn answered(status: StatusCode, body: &[u8]) -> Self {
        // The answer to HEAD has no body; a proxy in between may send one of its own.
        let without = || Self::new(Kind::NotCredLink, format!("{status}, without a problem document"));
        let mut trouble =
            serde_json::from_slice(body).map_or_else(|_| without(), |document| Self(Box::new(document)));
        trouble.0.status = Some(status.as_u16());
        trouble
    }

    /// Whether it says that nothing is there (any more).
    pub fn is_absence(&self) -> bool {
        matches!(self.0.status, Some(404 | 410)) || self.0.kind == kind_of(Kind::NoObject.about().0)
    }

    /// Returns `true` if the answer says that stored content is damaged (502).
    pub fn is_damage(&self) -> bool {
        self.0.status == Some(502)
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        if self.is_absence() {
            return Exit::Absent;
        }
        let is_usage = self.0.kind == kind_of(Kind::Usage.about().0);
        if is_usage { Exit::Usage } else { Exit::Failed }
    }
}

/// The `type` of a problem of this side.
fn kind_of(slug: &str) -> String {
    format!("urn:credlink:problem:cli:{slug}")
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Document { title, detail, field, request_id, .. } = &*self.0;
        write!(f, "{title}: {detail}")?;
        match field {
            Some(field) if !detail.contains(&format!("`{field}`")) => write!(f, " (`{field}`)")?,
            _ => {}
        }
        match request_id {
            Some(id) => write!(f, "\n  request {id}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_the_server_is_told_in_full() {
        let body = br#"{"type":"urn:credlink:problem:binding-mismatch","title":"The manifest belongs to another file",
            "status":422,"detail":"it binds another","field":"media_hash","request_id":"r-1","bound":"x"}"#;
        let trouble = Trouble::answered(StatusCode::UNPROCESSABLE_ENTITY, body);
        assert_eq!(
            trouble.to_string(),
            "The manifest belongs to another file: it binds another (`media_hash`)\n  request r-1"
        );
        assert_eq!(trouble.exit(), Exit::Failed);
        assert!(serde_json::to_string(&trouble).unwrap().contains(r#""bound":"x""#));
    }

    #[test]
    fn absence_and_usage_have_codes_of_their_own() {
        let gone = Trouble::answered(StatusCode::GONE, br#"{"type":"x","title":"This was deleted"}"#);
        assert_eq!(gone.exit(), Exit::Absent);
        assert_eq!(Trouble::answered(StatusCode::BAD_GATEWAY, b"<html>").exit(), Exit::Failed);
        assert_eq!(Trouble::new(Kind::Usage, "no").exit(), Exit::Usage);
        assert_eq!(Trouble::new(Kind::Unreachable, "no").exit(), Exit::Failed);
    }
}
