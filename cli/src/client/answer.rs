//! An answer, and the judgement on who has given it: a gateway, a portal or a web server answers to everything.

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

use crate::error::{Kind, Named, Trouble};

/// An answer, from wherever it came.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body, with no content coding.
    pub body: Bytes,
}

/// The trouble that an answer tells of: one with a status of failure, or one that leads elsewhere.
pub(super) fn refusal(answer: &Answer, named: Named) -> Trouble {
    let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
    match location.filter(|_| answer.status.is_redirection()) {
        Some(location) => {
            let detail =
                format!("{}: it leads to {location}; name the address there with --url", answer.status);
            Trouble::new(Kind::NotCredLink, detail)
        }
        None => Trouble::answered(answer.status, &answer.body, named),
    }
}

/// The trouble with an answer that is not CredLink's.
pub(super) fn not_credlink(answer: &Answer, named: Named) -> Trouble {
    let detail = format!("{}, and not as CredLink answers: {}", answer.status, named.is_it_there());
    Trouble::new(Kind::NotCredLink, detail)
}

impl Answer {
    /// The body as JSON of the expected form.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Trouble> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Trouble::new(Kind::NotCredLink, format!("the server that answered is not CredLink: {error}"))
        })
    }

    /// The `ETag`.
    pub fn etag(&self) -> Option<&str> {
        self.headers.get(ETAG)?.to_str().ok()
    }

    /// The readers of what was asked for, as its `Cache-Control` says of what is stored.
    pub(super) fn readers(&self) -> Option<Visibility> {
        readers(&self.headers)
    }

    /// Returns `true` if this is served to who asked, and not to everybody.
    pub fn is_private(&self) -> bool {
        self.readers() == Some(Visibility::Private)
    }

    /// The same, if it is what was asked for: a gateway, a portal or a web server answers to everything.
    pub(super) fn that(self, is_wanted: impl FnOnce(&Self) -> bool) -> Result<Self, Trouble> {
        if is_wanted(&self) { Ok(self) } else { Err(not_credlink(&self, Named::Server)) }
    }

    /// Returns `true` if CredLink's API itself answers. The edge, and a bucket that an answer leads to, do not say who they are:
    /// what they answer is judged by its content.
    pub(super) fn is_credlinks(&self) -> bool {
        self.headers.contains_key(MARK)
    }

    /// Returns `true` if CredLink says that what was asked for is done.
    pub(super) fn is_done(&self) -> bool {
        self.status == StatusCode::NO_CONTENT && self.is_credlinks()
    }

    /// Returns `true` if the body is a record, or CredLink says so of one that cannot be read.
    pub(super) fn is_record(&self) -> bool {
        self.status == StatusCode::OK && (Record::parse(&self.body).is_ok() || self.is_credlinks())
    }

    /// Returns `true` if the body is the manifest store of this id, or of any, or CredLink says so of one that cannot be read.
    pub(super) fn is_manifest(&self, id: Option<&ManifestId>) -> bool {
        let is_it = |store: ManifestStore| id.is_none_or(|id| store.active == *id);
        self.is_c2pa() && (self.is_credlinks() || ManifestStore::parse(&self.body).is_ok_and(is_it))
    }

    /// Returns `true` if the body is a C2PA manifest store.
    pub fn is_c2pa(&self) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == C2PA_TYPE.as_bytes())
    }
}
