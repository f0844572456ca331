//! A client of the API, over HTTP or in this process. Every command is written once, on top of it.

mod answer;
mod failed;
mod files;
mod folder;
mod http;

use std::collections::BTreeMap;

use ::http::Method;
use ::http::header::LOCATION;
use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::front::Front;
use credlink_core::hash::MediaHash;
use credlink_core::legacy::LegacyId;
use credlink_core::link::{exact_path, path, plain_path};
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::args::Connection;
use crate::error::{Named, Trouble, TroubleKind};
pub use answer::Answer;
use answer::{not_credlink, refusal};
pub use failed::{Cause, Failed};
pub use files::{Address, Announcement, FilePage, Upload};
pub use folder::{Folder, Purpose};
use http::Http;

/// A client of one CredLink.
pub struct Client {
    transport: Transport,
    tenant: Tenant,
    tenant_is_named: bool,
}

enum Transport {
    Http(Http),
    Folder(Box<Folder>),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Question {
    method: Method,
    /// The path and query, from `/v1`, or a whole URL.
    target: String,
    /// A JSON document.
    body: Option<Bytes>,
}

/// The body of a request that stores a proof.
#[derive(Debug, Serialize)]
pub struct Store {
    /// The tenant that the proof shall belong to, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
    /// The hash of the file.
    pub media_hash: MediaHash,
    /// The media type of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifest, in base64 even if it is JSON: whitespace around the object is part of its bytes.
    pub manifest_base64: String,
    /// The media type of the manifest.
    pub manifest_type: &'static str,
    /// The detached signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The lifetime of the proof, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// The tags of the proof.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// `private`, or `None` for a public proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<&'static str>,
}

/// A page of a listing.
#[derive(Debug, Deserialize)]
pub struct Page {
    /// The proofs, as the server describes them.
    pub proofs: Vec<serde_json::Value>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

impl Client {
    /// Opens the CredLink that `connection` names, for `purpose`.
    pub fn open(connection: &Connection, purpose: Purpose) -> Result<Self, Trouble> {
        let transport = match &connection.data_dir {
            Some(folder) => Transport::Folder(Box::new(Folder::open(folder, &connection.tenant, purpose)?)),
            None => {
                let may_be_a_folder = purpose != Purpose::Files;
                Transport::Http(Http::open(connection.url(), connection.token(), may_be_a_folder)?)
            }
        };
        Ok(Self { transport, tenant: connection.tenant.clone(), tenant_is_named: connection.tenant_is_named })
    }

    /// The tenant whose proofs are meant.
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Returns `true` if there may be tenants other than `default`, and `None` if only the server knows.
    pub fn has_tenants(&self) -> Option<bool> {
        match &self.transport {
            Transport::Http(_) => None,
            Transport::Folder(folder) => Some(folder.has_tenants()),
        }
    }

    /// Returns the ID of the proof of a file.
    pub fn id_of(&self, hash: &MediaHash) -> ProofId {
        ProofId::derive(&self.tenant, hash)
    }

    /// Stores a proof.
    pub fn store(&self, store: &Store) -> Result<Answer, Trouble> {
        let body = serde_json::to_vec(store).map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
        self.ask(Question { method: Method::POST, target: "/v1/proofs".to_owned(), body: Some(body.into()) })
    }

    /// Fetches a record.
    pub fn record(&self, id: &ProofId) -> Result<Answer, Trouble> {
        self.object(Method::GET, &ObjectKey::Record(*id))?.that(Answer::is_record)
    }

    /// Fetches the record that a legacy ID leads to.
    pub fn record_of_legacy(&self, id: &LegacyId) -> Result<Answer, Trouble> {
        let question = Question { method: Method::GET, target: format!("/v1/proofs/{id}"), body: None };
        let answer = match &self.transport {
            Transport::Http(http) => http.ask_where(question),
            Transport::Folder(folder) => folder.ask(question),
        }?;
        let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        match location.and_then(|location| location.parse().ok()) {
            Some(proof) if answer.status.is_redirection() => self.record(&proof),
            _ => Err(refusal(&answer, Named::Server)),
        }
    }

    /// Fetches the manifest of `tenant` from that tenant's own address. Another tenant may store other bytes under the
    /// same ID.
    pub fn manifest_of(&self, tenant: &Tenant, id: &ManifestId) -> Result<Answer, Trouble> {
        let key = ObjectKey::Manifest(ManifestKey::new(tenant, id));
        self.get(format!("/v1{}", exact_path(&key)))?.that(|answer| answer.is_manifest(Some(id)))
    }

    /// Fetches the manifest of the named tenant or, if none was named, the one that the plain address serves.
    pub fn manifest(&self, id: &ManifestId) -> Result<Answer, Trouble> {
        if self.tenant_is_named { self.manifest_of(&self.tenant, id) } else { self.plain_manifest(id) }
    }

    /// Fetches the manifest of the named tenant or, if there is none, the one that the plain address serves, whichever
    /// tenant's it is.
    pub fn any_manifest(&self, id: &ManifestId) -> Result<Answer, Trouble> {
        match self.manifest(id) {
            Err(trouble) if self.tenant_is_named && trouble.is_absence() => self.plain_manifest(id),
            answer => answer,
        }
    }

    fn plain_manifest(&self, id: &ManifestId) -> Result<Answer, Trouble> {
        self.get(format!("/v1{}", plain_path(id)))?.that(|answer| answer.is_manifest(Some(id)))
    }

    /// Fetches the record or the manifest at a URL.
    pub fn at(&self, url: &str) -> Result<Answer, Trouble> {
        let is_either = |answer: &Answer| {
            if answer.is_c2pa() { answer.is_manifest(None) } else { answer.is_record() }
        };
        let question = Question { method: Method::GET, target: url.to_owned(), body: None };
        let answer = self.ask_of(question, Named::Thing)?;
        if is_either(&answer) { Ok(answer) } else { Err(not_credlink(&answer, Named::Thing)) }
    }

    /// Returns the visibility of the manifest that `tenant` stores, and `None` if the answer does not say.
    pub fn readers(&self, tenant: &Tenant, id: &ManifestId) -> Result<Option<Visibility>, Trouble> {
        let target = format!("/v1{}", exact_path(&ObjectKey::Manifest(ManifestKey::new(tenant, id))));
        match self.ask(Question { method: Method::HEAD, target, body: None }) {
            Ok(answer) => Ok(answer.readers()),
            // The answer to a `HEAD` has no problem document, which the answer to a `GET` has.
            Err(_) => self.manifest_of(tenant, id).map(|answer| answer.readers()),
        }
    }

    /// Deletes a proof. It is not an error if there is none.
    pub fn delete(&self, id: &ProofId) -> Result<(), Trouble> {
        self.object(Method::DELETE, &ObjectKey::Record(*id))?.that(Answer::is_done).map(drop)
    }

    /// Returns the tenant, if it was named.
    pub fn named_tenant(&self) -> Option<&Tenant> {
        self.tenant_is_named.then_some(&self.tenant)
    }

    /// Makes a manifest of `tenant` public or private. With `None`, it is a manifest of the credential's tenant.
    pub fn change_visibility(
        &self,
        tenant: Option<&Tenant>,
        id: &ManifestId,
        visibility: Visibility,
    ) -> Result<(), Trouble> {
        let path = match tenant {
            Some(tenant) => exact_path(&ObjectKey::Manifest(ManifestKey::new(tenant, id))),
            None => plain_path(id),
        };
        let wanted = serde_json::json!({ "visibility": visibility });
        self.put(format!("/v1{path}/visibility"), &wanted)?.that(Answer::is_done).map(drop)
    }

    /// Fetches the front of a manifest ID, which says which tenant's manifest the plain address serves.
    pub fn front(&self, id: &ManifestId) -> Result<Answer, Trouble> {
        let is_front = |answer: &Answer| {
            answer.is_credlinks() || Front::parse(&answer.body).is_ok_and(|front| front.manifest_id == *id)
        };
        self.get(format!("/v1{}/front", plain_path(id)))?.that(is_front)
    }

    /// Decides which tenant's manifest the plain address of an ID serves. With `None`, the next tenant that stores a
    /// public one gets the address.
    pub fn decide_front(&self, id: &ManifestId, tenant: Option<&Tenant>) -> Result<Answer, Trouble> {
        self.put(format!("/v1{}/front", plain_path(id)), &serde_json::json!({ "tenant": tenant }))
    }

    /// Fetches a page of the tenant's proofs.
    pub fn list(&self, after: Option<&str>, limit: usize) -> Result<Page, Trouble> {
        let after = after.map(|after| format!("&after={}", utf8_percent_encode(after, NON_ALPHANUMERIC)));
        let page = self.get(format!("/v1/proofs?limit={limit}{}", after.unwrap_or_default()))?;
        page.that(Answer::is_credlinks)?.read()
    }

    /// Fetches the statistics.
    pub fn stats(&self) -> Result<Answer, Trouble> {
        self.get("/v1/stats".to_owned())?.that(Answer::is_credlinks)
    }

    fn get(&self, target: String) -> Result<Answer, Trouble> {
        self.ask(Question { method: Method::GET, target, body: None })
    }

    fn put(&self, target: String, body: &serde_json::Value) -> Result<Answer, Trouble> {
        self.ask(Question { method: Method::PUT, target, body: Some(body.to_string().into()) })
    }

    fn object(&self, method: Method, key: &ObjectKey) -> Result<Answer, Trouble> {
        self.ask(Question { method, target: format!("/v1{}", path(key)), body: None })
    }

    fn ask(&self, question: Question) -> Result<Answer, Trouble> {
        self.ask_of(question, Named::Server)
    }

    fn ask_of(&self, question: Question, named: Named) -> Result<Answer, Trouble> {
        let is_change = !question.method.is_safe();
        let answer = match &self.transport {
            Transport::Http(http) => http.ask(question),
            Transport::Folder(folder) => folder.ask(question),
        }?;
        if !answer.status.is_success() {
            return Err(refusal(&answer, named));
        }
        // Nothing but CredLink's mark proves that a change was made: a captive portal answers 200 to everything.
        if is_change && !answer.is_credlinks() {
            return Err(not_credlink(&answer, named));
        }
        Ok(answer)
    }
}
