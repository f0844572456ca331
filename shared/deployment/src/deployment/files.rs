//! The files of a deployment: on one machine, whose data folder takes their bytes, or among functions, over a bucket.

mod opened;
mod shared;

use std::io;
use std::path::Path;
use std::sync::Arc;

use credlink_disk::quarantine::QuarantineFolder;
use credlink_disk::reserve::Reserve;
use credlink_files::{Files, FilesPorts, FilesSettings, Notices};
use credlink_hybrid::LegacyStore as _;
use credlink_ports::{ManifestReader, Ports as _, Renderer, RenditionSigner, Scanner};
use credlink_scanner::Clamd;

use super::{AnyIndex, AnyQuarantine, Deployment};
use crate::configuration::{FilesConfiguration, ScannerChoice};

use opened::Opened;
pub(super) use shared::SharedFiles;

/// The files of a deployment.
pub type DeployedFiles = Files<AnyQuarantine>;

/// The part of a program that makes files of uploads: the renderer of pictures, and the reader of manifests in files.
pub type Finaliser = (Arc<dyn Renderer>, Arc<dyn ManifestReader>);

/// A reason why a deployment cannot keep files.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The file system refuses.
    #[error("the folder for uploads in {folder} cannot be opened or made: {source}")]
    Io {
        /// The data folder.
        folder: String,
        /// The error.
        source: io::Error,
    },
    /// The scanner reads only buckets.
    #[error(
        "GuardDuty scans what is in a bucket, and uploads are in the data folder; CREDLINK_CLAMD names a scanner for them"
    )]
    GuardDuty,
}

/// The files of a deployment, or the reason why it has none.
#[derive(Debug)]
pub(super) enum Kept {
    /// None.
    No,
    /// None, for want of the keys of links.
    WithoutKeys,
    /// Some.
    Files(Box<DeployedFiles>),
}

impl Deployment {
    /// Keeps files from now on, whose bytes arrive in `folder`, the data folder. Files are kept if the index is a file of
    /// this machine, there are keys for links, and the cloud storage is not switched off. Otherwise the deployment stays as
    /// it is: whoever shares an index with other machines must be able to finalise what they received.
    ///
    /// # Errors
    /// Returns an error if the file system refuses.
    pub fn keeping_files(
        self,
        folder: &Path,
        configuration: &FilesConfiguration,
        (renderer, manifests): Finaliser,
        notices: Arc<dyn Notices>,
    ) -> Result<Self, FilesError> {
        let AnyIndex::Embedded(_) = &self.rows else { return Ok(self) };
        let Some(settings) = self.files_settings(configuration) else { return Ok(self) };
        let reserve = self.reserve.clone().unwrap_or_else(|| Reserve::at(folder));
        let (url, keys) = (settings.public_url.clone(), settings.link_keys.clone());
        let failed = |source| FilesError::Io { folder: folder.display().to_string(), source };
        let quarantine = QuarantineFolder::open(folder, url, keys, reserve).map_err(failed)?;
        let quarantine = AnyQuarantine::Folder(quarantine);
        let scanner = match configuration.scanner.clone() {
            None => None,
            Some(ScannerChoice::Clamd(address)) => Some(Arc::new(Clamd::new(address)) as Arc<dyn Scanner>),
            Some(ScannerChoice::GuardDuty) => return Err(FilesError::GuardDuty),
        };
        let files = Files::new(FilesPorts { quarantine, renderer, manifests, scanner, notices }, settings);
        let files = files.opening_originals(Arc::new(Opened::of(self.service.ports().objects())));
        Ok(Self { files: Kept::Files(Box::new(files)), ..self })
    }

    /// Returns the settings of files, or `None` if none can be kept: there are no keys for links, or the cloud storage is
    /// switched off.
    fn files_settings(&self, configuration: &FilesConfiguration) -> Option<FilesSettings> {
        if self.legacy().is_some_and(|legacy| legacy.is_cloud_storage_off()) {
            return None;
        }
        let settings = self.service.settings();
        Some(FilesSettings {
            collections: Arc::new(configuration.collections.clone()),
            link_keys: settings.link_keys.clone()?,
            public_url: settings.public_url.clone(),
            tenant_limits: configuration.tenant_limits,
            owner_limits: configuration.owner_limits,
            announcements_per_minute: configuration.uploads_per_minute,
            trusted_proxies: configuration.trusted_proxies.clone(),
            random: random_bytes,
            pause: |time| Box::pin(tokio::time::sleep(time)),
        })
    }

    /// Signs the renditions of files from now on, if the deployment keeps files.
    #[must_use]
    pub fn signing_renditions(self, signer: Arc<dyn RenditionSigner>) -> Self {
        let files = match self.files {
            Kept::Files(files) => Kept::Files(Box::new(files.signing_with(signer))),
            none @ (Kept::No | Kept::WithoutKeys) => none,
        };
        Self { files, ..self }
    }

    /// Returns the files, if the deployment keeps some.
    #[must_use]
    pub fn files(&self) -> Option<&DeployedFiles> {
        match &self.files {
            Kept::Files(files) => Some(files),
            Kept::No | Kept::WithoutKeys => None,
        }
    }
}

/// Returns 160 random bits of the operating system.
fn random_bytes() -> Result<[u8; 20], String> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}
