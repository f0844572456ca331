//! The bytes of files, through the API and on the CDN domain.

use super::Route;
use super::operation::Operation;
use super::parameter::switch;
use super::path::{Endpoint, Given, Path, READ_ONLY};
use super::segment::{file_id, media_name};
use crate::file::MediaPath;
use crate::http::query::Query;
use crate::link::Signature;

/// A read of a file's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// `GET, HEAD /media/{file}/{name}`. The file's record decides whether it is public.
    Read {
        /// The address.
        path: MediaPath,
        /// The signature of a signed link, if the request carries one.
        signature: Option<Signature>,
        /// `true` if the browser should save the file instead of showing it.
        download: bool,
    },
}

const READ: Operation = Operation::public_read("read_media");

pub(super) const OPERATIONS: &[Operation] = &[READ];

/// The path of the API, which is the same on the CDN domain.
pub(super) const BYTES: Path = Path {
    segments: &["media", "*", "*"],
    allow: READ_ONLY,
    endpoints: &[Endpoint::get(READ, |Given { ids: [file, name, _], query }| {
        let query = Query::parse(query)?;
        let path = MediaPath { file: file_id(file)?, name: media_name(name)? };
        let (signature, download) = (Signature::read(&query)?, switch(&query, "download")?);
        Ok(Route::Media(Media::Read { path, signature, download }))
    })],
};

pub(super) const PATHS: &[Path] = &[BYTES];

impl Media {
    pub(super) const fn operation(&self) -> Operation {
        match self {
            Self::Read { .. } => READ,
        }
    }
}
