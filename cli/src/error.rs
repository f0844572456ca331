//! The reason why a command failed: the server's problem document, or one of the same form that was made here.

use std::fmt;
use std::path::Path;

use credlink_core::http::problem::{ProblemKind as Problem, Received, TYPE_PREFIX};
use credlink_core::tenant::Tenant;
use http::StatusCode;
use serde::Serialize;
use serde_json::Map;

use crate::exit::Exit;
use crate::lines::Lines;

/// The kinds of problems that arise on this side. The slug ends the stable `type`, as in the server's problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// Nothing answers.
    Unreachable,
    /// An answer ended too early.
    CutOff,
    /// Something other than CredLink answers.
    NotCredLink,
    /// A file cannot be read or written.
    File,
    /// A folder cannot be opened.
    Folder,
    /// No manifest was found.
    NoManifest,
    /// The file that was found is not a manifest.
    BadManifest,
    /// The input is not valid.
    Usage,
    /// The server cannot start.
    Server,
    /// A provider failed during a command that works on it.
    Provider,
    /// A source or a destination does not permit what a migration asks of it.
    Refused,
    /// There is no such object.
    NoObject,
    /// There is no such proof.
    NoProof,
    /// The job of a migration cannot be worked on.
    Job,
    /// The source of a migration cannot be opened.
    Source,
    /// The server has rejected a file that was sent to it.
    Rejected,
    /// A file that was sent is not ready after the time that the user waits for it.
    NotReady,
    /// The reader of what was printed is gone.
    Unread,
}

impl TroubleKind {
    const fn about(self) -> (&'static str, &'static str) {
        match self {
            Self::Unreachable => ("unreachable", "No server answers"),
            Self::CutOff => ("cut-off", "The answer was cut off"),
            Self::NotCredLink => ("not-credlink", "The answer is not CredLink's"),
            Self::File => ("file", "A file cannot be used"),
            Self::Folder => ("folder", "The folder cannot be used"),
            Self::NoManifest => ("no-manifest", "No manifest was found"),
            Self::BadManifest => ("bad-manifest", "The manifest cannot be read"),
            Self::Usage => ("usage", "This cannot be done this way"),
            Self::Server => ("server", "The server cannot run"),
            Self::Provider => ("provider", "A provider failed"),
            Self::Refused => ("refused", "An operator has to act"),
            Self::NoObject => ("no-object", "There is no such object"),
            Self::NoProof => ("no-proof", "There is no such proof"),
            Self::Job => ("job", "The job cannot be worked on"),
            Self::Source => ("source", "The source cannot be opened"),
            Self::Rejected => ("rejected", "The file was rejected"),
            Self::NotReady => ("not-ready", "The file is not ready yet"),
            Self::Unread => ("unread", "The reader has closed the pipe"),
        }
    }
}

/// A problem. It determines the exit code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Trouble(Box<Received>);

/// The thing that the user named by its address, which decides what the user is asked after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The server, with `--url`.
    Server,
    /// A record or a manifest, with its whole URL.
    Thing,
}

impl Named {
    /// Returns the question to ask if something else is at the address.
    pub const fn is_it_there(self) -> &'static str {
        match self {
            Self::Server => "is --url its address?",
            Self::Thing => "is this the URL of a record or a manifest of CredLink?",
        }
    }

    /// Returns the question to ask if the address refuses the caller.
    const fn does_it_know_who_asks(self) -> &'static str {
        match self {
            Self::Server => "does it want a token (--token), or is --url another address?",
            Self::Thing => "does it want a token (--token), or is it another thing's URL?",
        }
    }

    /// Returns the hint to give if the server has no such path.
    const fn has_no_version(self) -> &'static str {
        match self {
            Self::Server => "; --url is the address without /v1",
            Self::Thing => "",
        }
    }
}

impl Trouble {
    /// Creates a problem of this side.
    pub fn new(kind: TroubleKind, detail: impl fmt::Display) -> Self {
        let (slug, title) = kind.about();
        Self(Box::new(Received {
            kind: kind_of(slug),
            title: title.to_owned(),
            status: None,
            detail: detail.to_string(),
            field: None,
            request_id: None,
            members: Map::new(),
        }))
    }

    /// Creates the problem of a file that cannot be used, with its name, the intended use and the reason.
    pub fn file(path: &Path, doing: &str, error: &dyn fmt::Display) -> Self {
        Self::new(TroubleKind::File, format!("{} cannot be {doing}: {error}", path.display()))
    }

    /// Creates the problem that an answer with an error status reports. Nothing but a problem document of CredLink
    /// itself says anything about the requested object: a gateway, a proxy or a wrong address answers with statuses of
    /// its own (guarantee 7).
    pub fn answered(status: StatusCode, body: &[u8], named: Named) -> Self {
        let document = Received::read(body);
        let is_ours = |document: &Received| !document.slug().is_empty() && !document.title.is_empty();
        let Some(mut document) = document.filter(is_ours) else {
            let hint = match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => named.does_it_know_who_asks(),
                _ => named.is_it_there(),
            };
            let detail = format!("{status}, without a problem document of CredLink: {hint}");
            let mut trouble = Self::new(TroubleKind::NotCredLink, detail);
            trouble.0.status = Some(status.as_u16());
            return trouble;
        };
        document.status = Some(status.as_u16());
        let more = match () {
            () if document.is(Problem::Unauthenticated) => "; give one with --token or CREDLINK_TOKEN",
            () if document.is(Problem::NoSuchRoute) => named.has_no_version(),
            () => "",
        };
        document.detail.push_str(more);
        Self(Box::new(document))
    }

    /// Names `source`, where the manifest came from, instead of the field of the API, which the user does not know.
    pub fn of_manifest(mut self, source: &str) -> Self {
        let field = "manifest_base64";
        if self.0.field.as_deref() == Some(field) {
            self.0.detail = format!("{source}: {}", self.0.reason());
            self.0.field = None;
        }
        self
    }

    /// Adds the tenant whose proof was looked up by its file. Its ID depends on the tenant, so it is absent for that
    /// tenant alone.
    pub fn asked_as(mut self, tenant: &Tenant) -> Self {
        if self.is_unknown() {
            self.0
                .detail
                .push_str(&format!("; the proofs of the tenant `{tenant}` were asked for (--tenant)"));
        }
        self
    }

    /// Adds `more` to the detail.
    pub fn with(mut self, more: &str) -> Self {
        let joint = if self.0.detail.is_empty() { "" } else { "; " };
        self.0.detail.push_str(joint);
        self.0.detail.push_str(more);
        self
    }

    /// Replaces title and detail, if the server's words do not say what the problem means to the user.
    pub fn told_as(mut self, title: &str, detail: &str) -> Self {
        title.clone_into(&mut self.0.title);
        detail.clone_into(&mut self.0.detail);
        self
    }

    /// Adds a member, for programs.
    pub fn with_member(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// Returns `true` if the problem says that bytes of an upload are missing.
    pub fn is_incomplete(&self) -> bool {
        self.0.is(Problem::UploadIncomplete)
    }

    /// Returns `true` if the problem says that an upload takes no more bytes: it has ended, or goes on by itself.
    pub fn is_of_a_closed_upload(&self) -> bool {
        self.0.is(Problem::UploadConflict) || self.0.is(Problem::Expired)
    }

    /// Returns `true` if the problem says that something was changed since it was read.
    pub fn is_failed_condition(&self) -> bool {
        self.0.is(Problem::PreconditionFailed)
    }

    /// Returns `true` if the problem is not about one of the files of a command: the others would meet it as well.
    pub fn is_about_all_files(&self) -> bool {
        // A file has these for itself, or by its collection; the others are the same for all files of a command.
        const OWN: [&str; 6] = ["size", "type", "filename", "sha256", "position", "profile"];
        let of_a_shared_field = self.0.is(Problem::InvalidField)
            && self.0.field.as_deref().is_some_and(|field| !OWN.contains(&field));
        let kinds =
            [Problem::NoSuchRoute, Problem::NotConfigured, Problem::NotThisMachine, Problem::Misdirected];
        self.is_refusal()
            || of_a_shared_field
            || kinds.iter().any(|kind| self.0.is(*kind))
            || [TroubleKind::Unreachable, TroubleKind::CutOff, TroubleKind::NotCredLink]
                .iter()
                .any(|kind| self.is(*kind))
    }

    /// Returns `true` if CredLink itself says that the object is absent, or no longer there.
    pub fn is_absence(&self) -> bool {
        [Problem::NotFound, Problem::Deleted, Problem::Expired].iter().any(|kind| self.0.is(*kind))
            || self.is(TroubleKind::NoObject)
            || self.is(TroubleKind::NoProof)
    }

    /// Returns `true` if the problem says that the credential, or its absence, gives no access.
    pub fn is_refusal(&self) -> bool {
        [Problem::Unauthenticated, Problem::InsufficientScope, Problem::OtherTenant]
            .iter()
            .any(|kind| self.0.is(*kind))
    }

    /// Returns `true` if the problem says that the object was deleted.
    pub fn is_deletion(&self) -> bool {
        self.0.is(Problem::Deleted)
    }

    /// Returns `true` if the problem says that the object belongs to a tenant other than the caller's.
    pub fn is_of_another_tenant(&self) -> bool {
        self.0.is(Problem::OtherTenant)
    }

    /// Returns `true` if the problem says that no such object is known to have existed.
    pub fn is_unknown(&self) -> bool {
        self.0.is(Problem::NotFound)
    }

    /// Returns `true` if the problem says that a manifest conflicts with what is already stored.
    pub fn is_conflict(&self) -> bool {
        self.0.is(Problem::ManifestConflict) || self.0.is(Problem::VisibilityConflict)
    }

    /// Returns `true` if the problem says that stored content is damaged.
    pub fn is_damage(&self) -> bool {
        self.0.is(Problem::Damaged)
    }

    /// Returns `true` if the reader of the output is gone.
    pub fn is_unread(&self) -> bool {
        self.is(TroubleKind::Unread)
    }

    /// Returns the exit code.
    pub fn exit(&self) -> Exit {
        match () {
            () if self.is_absence() => Exit::Absent,
            () if self.is(TroubleKind::Usage) => Exit::Usage,
            () if self.is_unread() => Exit::Unread,
            () => Exit::Failed,
        }
    }

    /// Returns the problem as lines for a person. The first line begins with `start`.
    pub fn lines(&self, start: &str) -> Lines {
        let mut lines = Lines::from(format!("{start}{self}"));
        lines.extend(self.0.request_id.as_ref().map(|id| format!("  request {id}")));
        lines
    }

    /// Returns `true` if this is a problem of this side, and of the given kind.
    fn is(&self, kind: TroubleKind) -> bool {
        self.0.kind == kind_of(kind.about().0)
    }
}

/// Returns the `type` of a problem of this side.
fn kind_of(slug: &str) -> String {
    format!("{TYPE_PREFIX}cli:{slug}")
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Received { title, detail, field, .. } = &*self.0;
        // Some details begin by repeating the title.
        let again = detail.get(..title.len()).filter(|start| start.eq_ignore_ascii_case(title));
        match again.and_then(|start| detail.strip_prefix(start)) {
            Some(more) => write!(f, "{title}{more}")?,
            None if detail.is_empty() => write!(f, "{title}")?,
            None => write!(f, "{title}: {detail}")?,
        }
        match field {
            Some(field) if !detail.contains(&format!("`{field}`")) => write!(f, " (`{field}`)"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
