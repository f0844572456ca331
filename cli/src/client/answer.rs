//! An answer, and the judgement of its origin: a gateway, a portal or a web server answers any request.

use bytes::Bytes;
use credlink_client::readers;
use credlink_core::access::Visibility;
use credlink_core::c2pa::ManifestStore;
use credlink_core::http::mark::MARK;
use credlink_core::manifest_id::ManifestId;
use credlink_core::media_type::C2PA_TYPE;
use credlink_core::record::Record;
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::{Named, Trouble, TroubleKind};

/// An answer, over HTTP or from a folder.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body, without a content coding.
    pub body: Bytes,
}

/// Returns the problem that an answer reports with an error status or a redirect.
pub(super) fn refusal(answer: &Answer, named: Named) -> Trouble {
    let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
    match location.filter(|_| answer.status.is_redirection()) {
        Some(location) => {
            let detail =
                format!("{}: it leads to {location}; name the address there with --url", answer.status);
            Trouble::new(TroubleKind::NotCredLink, detail)
        }
        None => Trouble::answered(answer.status, &answer.body, named),
    }
}

/// Returns the problem of an answer that is not CredLink's.
pub(super) fn not_credlink(answer: &Answer, named: Named) -> Trouble {
    let detail = format!("{}, and not as CredLink answers: {}", answer.status, named.is_it_there());
    Trouble::new(TroubleKind::NotCredLink, detail)
}

impl Answer {
    /// Parses the body as JSON of the expected form.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Trouble> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Trouble::new(
                TroubleKind::NotCredLink,
                format!("the server that answered is not CredLink: {error}"),
            )
        })
    }

    /// Returns the `ETag`.
    pub fn etag(&self) -> Option<&str> {
        self.headers.get(ETAG)?.to_str().ok()
    }

    /// Returns the visibility of the requested object, which the `Cache-Control` of a stored object shows.
    pub(super) fn readers(&self) -> Option<Visibility> {
        readers(&self.headers)
    }

    /// Returns `true` if the object is served to this caller, but not to everybody.
    pub fn is_private(&self) -> bool {
        self.readers() == Some(Visibility::Private)
    }

    /// Returns the answer if it is the wanted one: a gateway, a portal or a web server answers any request.
    pub(super) fn that(self, is_wanted: impl FnOnce(&Self) -> bool) -> Result<Self, Trouble> {
        if is_wanted(&self) { Ok(self) } else { Err(not_credlink(&self, Named::Server)) }
    }

    /// Returns `true` if CredLink's API itself answers. The edge, and a bucket that an answer leads to, do not identify
    /// themselves, so their answers are judged by their content.
    pub(super) fn is_credlinks(&self) -> bool {
        self.headers.contains_key(MARK)
    }

    /// Returns `true` if CredLink says that the requested change is made.
    pub(super) fn is_done(&self) -> bool {
        self.status == StatusCode::NO_CONTENT && self.is_credlinks()
    }

    /// Returns `true` if the body is a record. A body that cannot be parsed is one if CredLink itself sent it.
    pub(super) fn is_record(&self) -> bool {
        self.status == StatusCode::OK && (Record::parse(&self.body).is_ok() || self.is_credlinks())
    }

    /// Returns `true` if the body is the manifest store with this ID, or with any ID for `None`. A body that cannot be
    /// parsed is one if CredLink itself sent it.
    pub(super) fn is_manifest(&self, id: Option<&ManifestId>) -> bool {
        let is_it = |store: ManifestStore| id.is_none_or(|id| store.active == *id);
        self.is_c2pa() && (self.is_credlinks() || ManifestStore::parse(&self.body).is_ok_and(is_it))
    }

    /// Returns `true` if the body has the media type of a C2PA manifest store.
    pub fn is_c2pa(&self) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == C2PA_TYPE.as_bytes())
    }
}
