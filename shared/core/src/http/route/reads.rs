//! Reading objects: records, manifests and fronts, through the API and on the CDN domain.

use super::Route;
use super::documents;
use super::media;
use super::operation::Operation;
use super::path::{Endpoint, Given, Path, READ_ONLY};
use super::segment::{decode, manifest_id, manifest_key, proof_id, revision_number};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::legacy::LegacyId;
use crate::link::Signature;
use crate::manifest_id::ManifestId;
use crate::object::ObjectKey;
use crate::proof_id::ProofId;
use crate::tenant::Tenant;

/// The form in which an object is read, from the query parameter `form`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The content, in a content coding that the client accepts.
    #[default]
    Content,
    /// `form=stored`: the stored bytes, with their attributes in a header, for a client that mirrors the store.
    Stored,
}

/// A read of an object. The object decides whether it is public (see [`crate::rules::retrieve`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    /// `GET, HEAD` of a record, an earlier record, a tenant's manifest or a front.
    Object {
        /// The object's key.
        key: ObjectKey,
        /// The signature of a signed link, if the request carries one.
        signature: Option<Signature>,
        /// The form in which the object is read.
        form: Form,
    },
    /// `GET, HEAD` of a manifest at its plain address, where the front says which tenant's it is ([`crate::front`]).
    PlainManifest {
        /// The manifest's ID.
        id: ManifestId,
        /// The signature of a signed link, if the request carries one.
        signature: Option<Signature>,
        /// The form in which the manifest is read.
        form: Form,
    },
    /// `GET, HEAD` of a proof by its legacy ID.
    Alias(LegacyId),
}

const READ_PROOF: Operation = Operation::public_read("read_proof");
const READ_REVISION: Operation = Operation::public_read("read_revision");
const READ_MANIFEST: Operation = Operation::public_read("read_manifest");
const READ_ALIAS: Operation = Operation::public_read("read_alias");
// The name does not begin with `read_`, because the answer is not a proof.
const SHOW_FRONT: Operation = Operation::public_read("show_front");
/// A read of an object that no path names.
const READ_NOTHING: Operation = Operation::public_read("none");

pub(super) const OPERATIONS: &[Operation] =
    &[READ_PROOF, READ_REVISION, READ_MANIFEST, READ_ALIAS, SHOW_FRONT];

/// The paths of the API that only read objects, and are the same on the CDN domain.
pub(super) const PATHS: &[Path] = &[BY_HASH, REVISION];

/// The paths of the CDN domain, which only read and have no version. A program that takes only these does not link the
/// rest of the API.
pub(super) const PUBLIC_PATHS: &[Path] = &[
    Path { segments: &["proofs", "*"], allow: READ_ONLY, endpoints: &[PROOF] },
    Path { segments: &["manifests", "*"], allow: READ_ONLY, endpoints: &[PLAIN_MANIFEST] },
    Path { segments: &["tenants", "*", "manifests", "*"], allow: READ_ONLY, endpoints: &[TENANT_MANIFEST] },
    BY_HASH,
    REVISION,
    media::BYTES,
    documents::HEALTH,
];

const BY_HASH: Path = Path {
    segments: &["proofs", "by-hash", "*"],
    allow: READ_ONLY,
    endpoints: &[Endpoint::get(READ_PROOF, |Given { ids: [hash, ..], query }| {
        let query = Query::parse(query)?;
        // A mistyped `tenant` would find another tenant's proof.
        query.only(&["tenant", "expires", "key", "life", "signature", "form"])?;
        by_hash(hash, &query)
    })],
};

const REVISION: Path = Path {
    segments: &["proofs", "*", "*"],
    allow: READ_ONLY,
    endpoints: &[Endpoint::get(READ_REVISION, |Given { ids: [id, revision, _], query }| {
        object(ObjectKey::Revision(proof_id(id)?, revision_number(revision)?), query)
    })],
};

/// A read of a proof by its ID or its legacy ID.
pub(super) const PROOF: Endpoint = Endpoint::get(READ_PROOF, |Given { ids: [id, ..], query }| {
    let text = decode("id", id)?;
    let error = match text.parse() {
        Ok(id) => return object(ObjectKey::Record(id), query),
        Err(error) => error,
    };
    let legacy = text.parse().map_err(|legacy| Problem::field("id", format!("{error}; {legacy}")))?;
    // The redirect does not depend on the parameters, as long as they are well formed.
    if !query.is_empty() {
        let query = Query::parse(query)?;
        Signature::read(&query)?;
        form(&query)?;
    }
    Ok(Route::Reads(Reads::Alias(legacy)))
});

/// A read of a manifest at its plain address.
pub(super) const PLAIN_MANIFEST: Endpoint = Endpoint::get(READ_MANIFEST, |Given { ids: [id, ..], query }| {
    let id = manifest_id(id)?;
    let query = Query::parse(query)?;
    Ok(Route::Reads(Reads::PlainManifest { id, signature: Signature::read(&query)?, form: form(&query)? }))
});

/// A read of a manifest at its tenant's own address.
pub(super) const TENANT_MANIFEST: Endpoint =
    Endpoint::get(READ_MANIFEST, |Given { ids: [tenant, id, _], query }| {
        object(ObjectKey::Manifest(manifest_key(tenant, id)?), query)
    });

/// A read of the front of a plain address.
pub(super) const FRONT: Endpoint = Endpoint::get(SHOW_FRONT, |Given { ids: [id, ..], query }| {
    object(ObjectKey::Front(manifest_id(id)?), query)
});

impl Reads {
    pub(super) const fn operation(&self) -> Operation {
        match self {
            Self::Object { key: ObjectKey::Record(_), .. } => READ_PROOF,
            Self::Object { key: ObjectKey::Revision(..), .. } => READ_REVISION,
            Self::Object { key: ObjectKey::Manifest(_), .. } | Self::PlainManifest { .. } => READ_MANIFEST,
            Self::Object { key: ObjectKey::Front(_), .. } => SHOW_FRONT,
            Self::Object {
                key:
                    ObjectKey::Alias(_)
                    | ObjectKey::Hold(..)
                    | ObjectKey::Removed(..)
                    | ObjectKey::Identity
                    | ObjectKey::Media(_),
                ..
            } => READ_NOTHING,
            Self::Alias(_) => READ_ALIAS,
        }
    }
}

fn object(key: ObjectKey, query: &str) -> Result<Route, Problem> {
    // Nearly every read has no query.
    if query.is_empty() {
        return Ok(Route::Reads(Reads::Object { key, signature: None, form: Form::Content }));
    }
    let query = Query::parse(query)?;
    Ok(Route::Reads(Reads::Object { key, signature: Signature::read(&query)?, form: form(&query)? }))
}

/// Returns the read of a proof by its media hash, in the namespace of the tenant that the query names.
pub(super) fn by_hash(hash: &str, query: &Query<'_>) -> Result<Route, Problem> {
    let hash = decode("media_hash", hash)?.parse().map_err(|error| Problem::field("media_hash", error))?;
    let tenant: Tenant = match query.get("tenant") {
        None => Tenant::default(),
        Some(name) => name.parse().map_err(|error| Problem::field("tenant", error))?,
    };
    let key = ObjectKey::Record(ProofId::derive(&tenant, &hash));
    Ok(Route::Reads(Reads::Object { key, signature: Signature::read(query)?, form: form(query)? }))
}

fn form(query: &Query<'_>) -> Result<Form, Problem> {
    match query.get("form") {
        None => Ok(Form::Content),
        Some("stored") => Ok(Form::Stored),
        Some(other) => Err(Problem::field("form", format!("`stored` or nothing, not `{other}`"))),
    }
}
