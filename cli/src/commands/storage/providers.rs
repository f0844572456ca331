//! The providers that places name, each of which is opened once.

use std::collections::HashMap;
use std::fmt::Display;
use std::path::PathBuf;

use credlink_deployment::configuration::Variables;
use credlink_deployment::data_folder::note::{Note, NoteError};
use credlink_deployment::provider::{OpenError, Provider, ProviderSettings};
use credlink_disk::folder::Folder;
use credlink_disk::presence::is_there;
use tokio::sync::Mutex;

use crate::args::Connection;
use crate::args::storage::StorageLocation;
use crate::error::{Trouble, TroubleKind};

/// The purpose for which providers are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// To read. Nothing is created in a folder.
    Look,
    /// To read and write.
    Write,
}

/// The providers of one run.
pub(super) struct Providers {
    folder: Option<PathBuf>,
    access: Access,
    open: Mutex<HashMap<String, Provider>>,
}

impl Providers {
    pub(super) fn new(connection: &Connection, access: Access) -> Self {
        Self { folder: connection.data_dir.clone(), access, open: Mutex::default() }
    }

    fn settings(&self, name: &str) -> Result<ProviderSettings, Trouble> {
        let source = Variables::environment();
        // As for `serve`, objects are in a folder if the variable is not set.
        let is_folder = name == "primary" && source.text("STORAGE_PROVIDER").is_none();
        let settings = ProviderSettings::named(&source, if is_folder { "folder" } else { name });
        let settings = settings.map_err(|error| {
            let roles = "primary or fallback means what STORAGE_PROVIDER or STORAGE_FALLBACK_PROVIDER names";
            let trouble = Trouble::new(TroubleKind::Usage, error);
            if ["s3", "r2", "folder", "primary", "fallback"].contains(&name) {
                trouble
            } else {
                trouble.with(roles)
            }
        });
        match settings? {
            ProviderSettings::Folder(_) if self.folder.is_some() => {
                Ok(ProviderSettings::Folder(self.folder.clone()))
            }
            settings => Ok(settings),
        }
    }

    /// Returns `true` if two names mean one provider, as `primary` and `s3` may. An object that is moved onto itself
    /// must not be deleted.
    pub(super) fn are_one(&self, a: &str, b: &str) -> Result<bool, Trouble> {
        Ok(id(&self.settings(a)?) == id(&self.settings(b)?))
    }

    /// Opens the provider of this name. `--data-dir` takes precedence over the variable that names the folder.
    pub(super) async fn named(&self, name: &str) -> Result<Provider, Trouble> {
        let mut open = self.open.lock().await;
        let settings = self.settings(name)?;
        // `primary` and `folder` may be the same folder, which can be opened only once.
        let id = id(&settings);
        if let Some(provider) = open.get(&id) {
            return Ok(provider.clone());
        }
        if let ProviderSettings::Folder(Some(path)) = &settings {
            let stands = is_there(path).map_err(|error| Trouble::new(TroubleKind::Folder, error))?;
            if !(stands && path.is_dir()) {
                return Err(Trouble::new(TroubleKind::Folder, format!("{} is no folder", path.display())));
            }
            // If the server of a data folder keeps its objects elsewhere, objects in the folder do not count.
            Note::has_objects(path).map_err(|error| elsewhere(&error))?;
        }
        let shared = settings.shared().await;
        let kind = |error: &OpenError| match error {
            OpenError::Folder(_) => TroubleKind::Folder,
            OpenError::NoFolder | OpenError::Client(_) => TroubleKind::Usage,
        };
        let opened = match (&settings, self.access) {
            (ProviderSettings::Folder(Some(path)), Access::Look) => {
                Folder::look(path).map(Provider::Folder).map_err(OpenError::from)
            }
            _ => settings.open(&shared, None),
        };
        let provider = opened.map_err(|error| match error {
            OpenError::NoFolder => Trouble::new(kind(&error), error).with("--data-dir names it here"),
            error => Trouble::new(kind(&error), error),
        })?;
        open.insert(id, provider.clone());
        Ok(provider)
    }
}

/// Returns the problem of a data folder whose objects are elsewhere, or in an unknown place.
fn elsewhere(error: &NoteError) -> Trouble {
    let trouble = Trouble::new(TroubleKind::Folder, error);
    let is_said = Variables::environment().text("STORAGE_FOLDER").is_some();
    match error {
        NoteError::Differs { .. } if is_said => trouble.with(
            "here --data-dir names the folder of the objects, and comes before STORAGE_FOLDER: leave it out",
        ),
        NoteError::Differs { .. } => {
            trouble.with("here --data-dir names the folder of the objects themselves")
        }
        _ => trouble,
    }
}

/// Returns a text that differs between providers.
fn id(settings: &ProviderSettings) -> String {
    match settings {
        ProviderSettings::Folder(path) => format!("folder {path:?}"),
        ProviderSettings::Bucket(bucket) => {
            format!("bucket {} {:?} {}", bucket.kind, bucket.endpoint, bucket.bucket)
        }
    }
}

/// Returns the problem of a provider that failed.
pub(super) fn failed(error: impl Display) -> Trouble {
    Trouble::new(TroubleKind::Provider, error)
}

/// Returns the problem of a place without an object.
pub(super) fn absent(place: &StorageLocation) -> Trouble {
    Trouble::new(TroubleKind::NoObject, format!("there is nothing at {place}"))
}
