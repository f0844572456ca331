//! What a data folder is a part of: a note of the deployment that the last server over it opened, or that of a command which has
//! changed something there, or made the folder, for several tenants.
//!
//! A command that works on the folder directly, and does not have the server's variables, would change one half of the
//! deployment: a deletion would stay readable in the second provider and at the edge. So a server leaves a note, and a
//! command refuses where its own variables say less, or something else. The note holds names and no secret.
//!
//! ```json
//! {"version":1,"objects":"data folder","fallback":"r2://credlink","index":"data folder","queue":"data folder","edge":"https://…","tenants":"several"}
//! ```
//!
//! A note without `tenants` is that of a deployment with one tenant.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use credlink_disk::{bounded_file, private};

use crate::configuration::{Configuration, IndexChoice, QueueChoice};
use crate::provider::ProviderSettings;

/// The file in the data folder.
const FILE: &str = "deployment.json";
/// Longest that it can be, in bytes.
const MAX_BYTES: usize = 65_536;
/// The version of the format.
const VERSION: u32 = 1;
/// The place of what stands in the data folder itself.
const HERE: &str = "data folder";

/// The parts of a deployment, each by its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    version: u32,
    objects: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<String>,
    index: String,
    queue: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    edge: Option<String>,
    #[serde(default, skip_serializing_if = "Tenants::is_one")]
    tenants: Tenants,
}

/// The tenants of a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tenants {
    /// `default` alone.
    #[default]
    One,
    /// More.
    Several,
}

impl Tenants {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
    fn is_one(&self) -> bool {
        *self == Self::One
    }
}

/// The reasons why a data folder is not worked on.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// There is more to the deployment, or it is another one.
    #[error(
        "{} was last used with {}; here it would be with {}. Nothing is changed: the deployment would not hear of it, or would be \
         another one. Set the variables that the server has, or ask a server, with --url",
        folder.display(), Had(server), here.join(", ")
    )]
    Differs {
        /// The data folder.
        folder: PathBuf,
        /// The parts that it was last used with, by what says so.
        server: Vec<(&'static str, String)>,
        /// The parts here in their place.
        here: Vec<String>,
    },
    /// It is no note of this version.
    #[error(
        "{} is no note of a deployment that this program knows: {why}. Nothing is changed, as the deployment may have several tenants, or \
         objects elsewhere. Bring the file back, or move it away and start `credlink serve` with the variables that the last server had \
         (CREDLINK_TENANTS=several, where there are several tenants), which writes it anew", path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// A part of a deployment.
struct Part {
    /// The variable that says it, or that and its value.
    variable: &'static str,
    /// `true` if it is more than what a data folder has that is alone.
    is_more: bool,
    /// It in words.
    words: String,
}

impl Part {
    /// A part that may be missing; `none` says that in words.
    fn new(variable: &'static str, words: Option<String>, none: &str) -> Self {
        Self { variable, is_more: words.is_some(), words: words.unwrap_or_else(|| none.to_owned()) }
    }
}

/// The parts that the folder was last used with, in words.
struct Had<'a>(&'a [(&'static str, String)]);

impl fmt::Display for Had<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (variable, words)) in self.0.iter().enumerate() {
            write!(f, "{}{words} ({variable})", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Note {
    /// The parts of the deployment that `configuration` describes over the data folder `folder`.
    #[must_use]
    pub fn of(folder: &Path, configuration: &Configuration) -> Self {
        let place = |settings: &ProviderSettings| place(folder, settings);
        Self {
            version: VERSION,
            objects: place(&configuration.primary),
            fallback: configuration.fallback.as_ref().map(place),
            index: match &configuration.index {
                IndexChoice::DynamoDb(table) => format!("the table {table}"),
                IndexChoice::Embedded => HERE.to_owned(),
            },
            queue: match &configuration.queue {
                QueueChoice::Sqs(url) => url.clone(),
                QueueChoice::Embedded => HERE.to_owned(),
            },
            edge: configuration.edge.as_ref().map(|edge| edge.url.clone()),
            tenants: if configuration.has_tenants { Tenants::Several } else { Tenants::One },
        }
    }

    /// The parts of a deployment that is the data folder and nothing else, with one tenant.
    #[must_use]
    pub fn of_the_folder_alone() -> Self {
        let here = || HERE.to_owned();
        Self {
            version: VERSION,
            objects: here(),
            fallback: None,
            index: here(),
            queue: here(),
            edge: None,
            tenants: Tenants::One,
        }
    }

    /// Returns `true` if `folder` was last used with several tenants: for who opens the folder without the variables of a
    /// deployment, and works as that server would.
    ///
    /// # Errors
    /// The note cannot be read.
    pub fn has_tenants(folder: &Path) -> Result<bool, NoteError> {
        Ok(Self::read(folder)?.is_some_and(|there| there.tenants == Tenants::Several))
    }

    /// Refuses to work with one tenant on `folder`, where it was last used with several.
    ///
    /// # Errors
    /// It was.
    pub fn check_one_tenant(folder: &Path) -> Result<(), NoteError> {
        let Some(there) = Self::read(folder)? else { return Ok(()) };
        Self { tenants: Tenants::One, ..there }.check(folder)
    }

    /// Refuses to work on `folder` alone, where it was last used with more. That it had several tenants is
    /// no reason to refuse; [`has_tenants`](Self::has_tenants) tells it.
    ///
    /// # Errors
    /// It was.
    pub fn check_alone(folder: &Path) -> Result<(), NoteError> {
        let Some(there) = Self::read(folder)? else { return Ok(()) };
        Self { tenants: there.tenants, ..Self::of_the_folder_alone() }.check(folder)
    }

    /// The note in `folder`, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, NoteError> {
        let path = folder.join(FILE);
        let text = match bounded_file::read(&path, MAX_BYTES) {
            Ok(text) => text,
            // What is no folder holds no deployment; whoever opens it says so.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(source) => return Err(NoteError::Io { path, source }),
        };
        match serde_json::from_slice::<Self>(&text) {
            Ok(note) if note.version == VERSION => Ok(Some(note)),
            Ok(note) => {
                Err(NoteError::Unreadable { path, why: format!("it has the version {}", note.version) })
            }
            Err(error) => Err(NoteError::Unreadable { path, why: error.to_string() }),
        }
    }

    /// Leaves the note in `folder`, for commands that come later.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn leave(&self, folder: &Path) -> Result<(), NoteError> {
        let path = folder.join(FILE);
        if matches!(Self::read(folder), Ok(Some(there)) if there == *self) {
            private::keep_private(&path);
            return Ok(());
        }
        let text = serde_json::to_vec(self).unwrap_or_default();
        private::write(&path, &text).map_err(|source| NoteError::Io { path, source })
    }

    /// Leaves in `folder` that there are several tenants, where `configuration` says so and is about to change something there: whoever
    /// opens the folder later without being told would not look at the plain addresses that are claimed now.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn leave_tenants(folder: &Path, configuration: &Configuration) -> Result<(), NoteError> {
        if !configuration.has_tenants {
            return Ok(());
        }
        match Self::read(folder)? {
            Some(there) => Self { tenants: Tenants::Several, ..there }.leave(folder),
            None => Self::of(folder, configuration).leave(folder),
        }
    }

    /// Refuses to work on `folder` with these parts, where it was last used with others. Parts that it was used without may be
    /// there: the next server has them too.
    ///
    /// # Errors
    /// It was.
    pub fn check(&self, folder: &Path) -> Result<(), NoteError> {
        let Some(there) = Self::read(folder)? else { return Ok(()) };
        let (server, here): (Vec<_>, Vec<_>) = there
            .parts()
            .into_iter()
            .zip(self.parts())
            .filter(|(server, here)| server.is_more && server.words != here.words)
            .map(|(server, here)| ((server.variable, server.words), here.words))
            .unzip();
        if server.is_empty() {
            return Ok(());
        }
        Err(NoteError::Differs { folder: folder.to_owned(), server, here })
    }

    /// Refuses a data folder whose objects stood elsewhere when it was last used.
    ///
    /// # Errors
    /// They did.
    pub fn has_objects(folder: &Path) -> Result<(), NoteError> {
        match Self::read(folder)? {
            Some(there) if there.objects != HERE => Self::check_alone(folder),
            _ => Ok(()),
        }
    }

    /// Each part with the variable that says it.
    fn parts(&self) -> [Part; 6] {
        let said = |place: &str, what: &str| {
            let the = if place == HERE { "the " } else { "" };
            Some(format!("{what} {the}{place}"))
        };
        // Where objects are in one place, nothing waits in a queue.
        let queue = self.fallback.as_ref().and_then(|_| said(&self.queue, "the queue in"));
        let objects_variable =
            if self.objects.starts_with("dir:") { "STORAGE_FOLDER" } else { "STORAGE_PROVIDER" };
        [
            Part::new(objects_variable, said(&self.objects, "objects in"), "no objects"),
            Part::new(
                "STORAGE_FALLBACK_PROVIDER",
                self.fallback.as_deref().and_then(|place| said(place, "the second provider")),
                "no second provider",
            ),
            Part::new("CREDLINK_TABLE", said(&self.index, "the index in"), "no index"),
            Part::new("CREDLINK_QUEUE_URL", queue, "no queue"),
            Part::new(
                "CREDLINK_EDGE_URL",
                self.edge.as_deref().and_then(|url| said(url, "the edge at")),
                "no edge",
            ),
            Part::new(
                "CREDLINK_TENANTS=several",
                (self.tenants == Tenants::Several).then(|| "several tenants".to_owned()),
                "one tenant",
            ),
        ]
    }
}

/// Where a provider is, whatever the folder is called from where the process runs.
fn place(folder: &Path, settings: &ProviderSettings) -> String {
    let absolute = |path: &Path| {
        path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.into())
    };
    match settings {
        ProviderSettings::Folder(None) => HERE.to_owned(),
        ProviderSettings::Folder(Some(own)) if absolute(own) == absolute(folder) => HERE.to_owned(),
        ProviderSettings::Folder(Some(own)) => format!("dir:{}", absolute(own).display()),
        ProviderSettings::Bucket(_) => settings.place(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::Source;

    fn configuration(variables: &[(&str, &str)]) -> Configuration {
        let get =
            |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Configuration::read(&Source::new(get)).unwrap()
    }

    const WITH_R2: [(&str, &str); 7] = [
        ("STORAGE_FALLBACK_PROVIDER", "r2"),
        ("R2_BUCKET", "credlink"),
        ("R2_ACCOUNT_ID", "0123456789abcdef0123456789abcdef"),
        ("R2_ACCESS_KEY_ID", "id"),
        ("R2_SECRET_ACCESS_KEY", "a secret"),
        ("CREDLINK_EDGE_URL", "https://cdn.example.com"),
        ("CREDLINK_EDGE_TOKEN", "0123456789abcdef0123456789abcdef"),
    ];

    #[test]
    fn who_has_less_than_the_server_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let (alone, more) = (Note::of(path, &configuration(&[])), Note::of(path, &configuration(&WITH_R2)));
        assert_eq!(alone, Note::of_the_folder_alone());
        alone.check(path).unwrap();
        more.leave(path).unwrap();
        let text = std::fs::read_to_string(path.join(FILE)).unwrap();
        assert!(!text.contains("secret") && !text.contains("0123"), "{text}");
        more.check(path).unwrap();
        let refused = alone.check(path).unwrap_err().to_string();
        for part in [
            "the second provider r2://credlink (STORAGE_FALLBACK_PROVIDER)",
            "the edge at https://cdn.example.com (CREDLINK_EDGE_URL)",
            "here it would be with no second provider, no queue, no edge.",
        ] {
            assert!(refused.contains(part), "{refused}");
        }
        alone.leave(path).unwrap();
        more.check(path).unwrap();
    }

    #[test]
    fn who_has_one_tenant_where_the_server_had_several_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert!(!Note::has_tenants(path).unwrap());
        let several = Note::of(path, &configuration(&[("CREDLINK_TENANTS", "several")]));
        let one = Note::of(path, &configuration(&[]));
        several.leave(path).unwrap();
        let refused = one.check(path).unwrap_err().to_string();
        for part in ["several tenants (CREDLINK_TENANTS=several)", "here it would be with one tenant."] {
            assert!(refused.contains(part), "{refused}");
        }
        several.check(path).unwrap();
        // Who cannot say it works as the server does.
        Note::check_alone(path).unwrap();
        assert!(Note::has_tenants(path).unwrap());
        // Who says that there is one does not.
        assert_eq!(Note::check_one_tenant(path).unwrap_err().to_string(), refused);
        one.leave(path).unwrap();
        assert!(!Note::has_tenants(path).unwrap());
        Note::check_one_tenant(path).unwrap();
        several.check(path).unwrap();
        let text = std::fs::read_to_string(path.join(FILE)).unwrap();
        assert!(
            !text.contains("tenants"),
            "a folder with one tenant has the note that it had before there were more: {text}"
        );
    }

    #[test]
    fn objects_that_stand_elsewhere_are_known() {
        let (folder, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path();
        let elsewhere = configuration(&[("STORAGE_FOLDER", disk.path().to_str().unwrap())]);
        Note::of(path, &elsewhere).leave(path).unwrap();
        let refused = Note::of_the_folder_alone().check(path).unwrap_err().to_string();
        assert!(refused.contains("(STORAGE_FOLDER)"), "{refused}");
        let here = configuration(&[("STORAGE_FOLDER", path.to_str().unwrap())]);
        assert_eq!(Note::of(path, &here), Note::of_the_folder_alone());
    }

    #[test]
    fn what_cannot_be_read_is_no_permission() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{}", "[]", r#"{"version":2,"objects":"x","index":"x","queue":"x"}"#] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            assert!(Note::of_the_folder_alone().check(folder.path()).is_err(), "{text}");
            assert!(Note::has_tenants(folder.path()).is_err(), "{text}");
        }
    }
}
