//! The note in a data folder: the deployment that the folder is a part of. The last server that opened the folder wrote
//! it, or a command that changed or made the folder for several tenants.
//!
//! A command that works on the folder directly, without the server's variables, would change only one half of the
//! deployment: a deleted proof would stay readable in the second provider and at the edge. So a server leaves a note,
//! and a command refuses to work if its own variables say less, or something else. The note holds names and no secret.
//!
//! ```json
//! {"version":1,"objects":"data folder","fallback":"r2://credlink","index":"data folder","queue":"data folder","edge":"https://…","tenants":"several"}
//! ```
//!
//! A note without `tenants` describes a deployment with one tenant.

mod error;
mod parts;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use credlink_disk::{bounded_file, private};

use crate::configuration::{Configuration, IndexChoice, QueueChoice};
use crate::provider::ProviderSettings;

pub use error::NoteError;

/// The name of the file in the data folder.
const FILE: &str = "deployment.json";
/// The maximum length of a note, in bytes.
const MAX_BYTES: usize = 65_536;
/// The version of the format.
const VERSION: u32 = 1;
/// The place of a part that is in the data folder itself.
const HERE: &str = "data folder";

/// The parts of a deployment, each given by its place.
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
    /// Only `default`.
    #[default]
    One,
    /// More than one tenant.
    Several,
}

impl Tenants {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
    fn is_one(&self) -> bool {
        *self == Self::One
    }
}

impl Note {
    /// Returns the parts of the deployment that `configuration` describes over the data folder `folder`.
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

    /// Returns the parts of a deployment that consists of the data folder alone, with one tenant.
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

    /// Returns `true` if `folder` was last used with several tenants. A program that opens the folder without the
    /// variables of a deployment works as that server would.
    ///
    /// # Errors
    /// Returns an error if the note cannot be read.
    pub fn has_tenants(folder: &Path) -> Result<bool, NoteError> {
        Ok(Self::read(folder)?.is_some_and(|there| there.tenants == Tenants::Several))
    }

    /// Refuses to work on `folder` with one tenant if it was last used with several.
    ///
    /// # Errors
    /// Returns an error if it was, or if the note cannot be read.
    pub fn check_one_tenant(folder: &Path) -> Result<(), NoteError> {
        let Some(there) = Self::read(folder)? else { return Ok(()) };
        Self { tenants: Tenants::One, ..there }.check(folder)
    }

    /// Refuses to work on `folder` alone if it was last used as a part of a larger deployment. Several tenants are no
    /// reason to refuse; [`has_tenants`](Self::has_tenants) reports them.
    ///
    /// # Errors
    /// Returns an error if it was, or if the note cannot be read.
    pub fn check_alone(folder: &Path) -> Result<(), NoteError> {
        let Some(there) = Self::read(folder)? else { return Ok(()) };
        Self { tenants: there.tenants, ..Self::of_the_folder_alone() }.check(folder)
    }

    /// Returns the note in `folder`, if there is one.
    ///
    /// # Errors
    /// Returns an error if the note cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, NoteError> {
        let path = folder.join(FILE);
        let text = match bounded_file::read(&path, MAX_BYTES) {
            Ok(text) => text,
            // A path that is not a folder holds no deployment. Opening it will report that.
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

    /// Leaves the note in `folder`, for later commands.
    ///
    /// # Errors
    /// Returns an error if the file system refuses.
    pub fn leave(&self, folder: &Path) -> Result<(), NoteError> {
        let path = folder.join(FILE);
        if matches!(Self::read(folder), Ok(Some(there)) if there == *self) {
            private::keep_private(&path);
            return Ok(());
        }
        let text = serde_json::to_vec(self).unwrap_or_default();
        private::write(&path, &text).map_err(|source| NoteError::Io { path, source })
    }

    /// Notes in `folder` that there are several tenants, if `configuration` says so and is about to change something
    /// there. A later program that opened the folder without being told would ignore the plain addresses that are
    /// claimed now.
    ///
    /// # Errors
    /// Returns an error if the file system refuses.
    pub fn leave_tenants(folder: &Path, configuration: &Configuration) -> Result<(), NoteError> {
        if !configuration.has_tenants {
            return Ok(());
        }
        match Self::read(folder)? {
            Some(there) => Self { tenants: Tenants::Several, ..there }.leave(folder),
            None => Self::of(folder, configuration).leave(folder),
        }
    }

    /// Refuses to work on `folder` with these parts if it was last used with others. Parts in addition to those are
    /// allowed, since the next server has them too.
    ///
    /// # Errors
    /// Returns an error if the parts differ, or if the note cannot be read.
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

    /// Refuses a data folder whose objects were kept elsewhere when it was last used.
    ///
    /// # Errors
    /// Returns an error if they were, or if the note cannot be read.
    pub fn has_objects(folder: &Path) -> Result<(), NoteError> {
        match Self::read(folder)? {
            Some(there) if there.objects != HERE => Self::check_alone(folder),
            _ => Ok(()),
        }
    }
}

/// Returns the place of a provider, independent of the working directory of the process.
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
