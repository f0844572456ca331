//! Which operation a request asks for: method, path and query, parsed once.

use http::Method;
use percent_encoding::percent_decode_str;

use super::problem::{Kind, Problem};
use super::query::Query;
use crate::access::{Scope, Visibility};
use crate::bounds::{
    DEFAULT_LINK_SECONDS, DEFAULT_PAGE, MAX_C2PA_MANIFEST_BYTES, MAX_LINK_SECONDS, MAX_PAGE, MAX_REVISIONS,
    MAX_TARGET_BYTES,
};
use crate::job::JobName;
use crate::legacy::LegacyId;
use crate::link::Signature;
use crate::manifest_id::ManifestId;
use crate::manifest_key::ManifestKey;
use crate::object::ObjectKey;
use crate::proof_id::ProofId;
use crate::rules::store::visibility;
use crate::tenant::Tenant;

/// The form in which an object is read: the parameter `form` of the query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The content, in a coding that the client takes.
    #[default]
    Content,
    /// `form=stored`: the bytes as a provider keeps them, and their attributes in a header, for who keeps a copy.
    Stored,
}

/// An operation of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `GET, HEAD` of a record, an earlier record, a tenant's manifest or a front.
    Read {
        /// Which object.
        key: ObjectKey,
        /// The signature of a signed link, if the request carries one.
        signature: Option<Signature>,
        /// In which form.
        form: Form,
    },
    /// `GET, HEAD` of a manifest at its plain address: which tenant's that is, the front says ([`crate::front`]).
    ReadPlainManifest {
        /// The manifest's id.
        id: ManifestId,
        /// The signature of a signed link, if the request carries one.
        signature: Option<Signature>,
        /// In which form.
        form: Form,
    },
    /// `GET, HEAD` of a proof by the id that it had in the store that it was taken over from.
    ReadAlias(LegacyId),
    /// `POST /v1/proofs`.
    StoreProof,
    /// `GET /v1/proofs`.
    ListProofs {
        /// The cursor of an earlier page.
        after: Option<String>,
        /// How many at most.
        limit: usize,
    },
    /// `PUT /v1/proofs/{id}`.
    SupersedeProof(ProofId),
    /// `DELETE /v1/proofs/{id}`.
    DeleteProof(ProofId),
    /// `POST /v1/proofs/batch-delete`.
    BatchDelete,
    /// `GET /v1/proofs/{id}/url`.
    SignLink {
        /// Which proof.
        id: ProofId,
        /// How long the link is good for, in seconds.
        expires_in: u64,
    },
    /// `GET /v1/aliases`.
    ListAliases {
        /// The cursor of an earlier page.
        after: Option<String>,
        /// How many at most.
        limit: usize,
    },
    /// `PUT /v1/aliases/{legacy id}`.
    BindAlias(LegacyId),
    /// `DELETE /v1/aliases/{legacy id}`.
    WithdrawAlias {
        /// Which id.
        id: LegacyId,
        /// The proof that it has to name.
        proof: ProofId,
    },
    /// `GET /v1/manifests`.
    ListManifests {
        /// The cursor of an earlier page.
        after: Option<String>,
        /// How many at most.
        limit: usize,
    },
    /// `POST /v1/manifests`.
    StoreManifest {
        /// The readers that it is stored for.
        visibility: Visibility,
        /// The tenant that shall own it, if the request names one.
        tenant: Option<Tenant>,
        /// `true` if it is copied from another store.
        imported: bool,
    },
    /// `DELETE /v1/manifests/{id}`, `DELETE /v1/tenants/{tenant}/manifests/{id}`.
    DeleteManifest {
        /// The manifest's id.
        id: ManifestId,
        /// The tenant that the path names: the caller's where it names none.
        tenant: Option<Tenant>,
        /// `true` if it is to be deleted only where nobody but an import has stored it.
        imported: bool,
    },
    /// `PUT /v1/manifests/{id}/front`.
    DecideFront(ManifestId),
    /// `PUT /v1/manifests/{id}/visibility`, `PUT /v1/tenants/{tenant}/manifests/{id}/visibility`.
    ChangeVisibility {
        /// The manifest's id.
        id: ManifestId,
        /// The tenant that the path names: the caller's where it names none.
        tenant: Option<Tenant>,
    },
    /// `POST /v1/migrations`.
    BeginMigration,
    /// `GET /v1/migrations/{job}`.
    ReadMigration {
        /// Which job.
        job: JobName,
        /// Where the counting goes on: what an earlier answer said.
        after: Option<String>,
    },
    /// `DELETE /v1/migrations/{job}`.
    RemoveMigration {
        /// Which job.
        job: JobName,
        /// Whether it is removed although it is not over.
        abandon: bool,
    },
    /// `GET /v1/health`.
    Health,
    /// `GET /v1/stats`.
    Stats,
    /// `GET /v1/openapi.json`.
    OpenApi,
    /// `OPTIONS` of a path that takes these methods.
    Options(&'static str),
}

impl Route {
    /// The scope that a caller needs, `None` where reading is public (or decided by the object: see
    /// [`crate::rules::retrieve`]).
    #[must_use]
    pub const fn scope(&self) -> Option<Scope> {
        match self {
            Self::Read { .. }
            | Self::ReadPlainManifest { .. }
            | Self::ReadAlias(_)
            | Self::Health
            | Self::OpenApi
            | Self::Options(_) => None,
            Self::StoreProof
            | Self::SupersedeProof(_)
            | Self::SignLink { .. }
            | Self::StoreManifest { .. }
            | Self::ChangeVisibility { .. } => Some(Scope::Store),
            Self::DeleteProof(_) | Self::BatchDelete | Self::DeleteManifest { .. } => Some(Scope::Delete),
            Self::ListProofs { .. }
            | Self::ListAliases { .. }
            | Self::BindAlias(_)
            | Self::WithdrawAlias { .. }
            | Self::ListManifests { .. }
            | Self::ReadMigration { .. } => Some(Scope::Admin),
            // Sums over all tenants.
            Self::Stats | Self::BeginMigration | Self::RemoveMigration { .. } | Self::DecideFront(_) => {
                Some(Scope::Operator)
            }
        }
    }

    /// Bytes of memory that the answer may take for what is stored, beside the body: a manifest whose visibility changes is read
    /// and written again.
    #[must_use]
    pub const fn rewritten_bytes(&self) -> usize {
        match self {
            Self::ChangeVisibility { .. } => 2 * MAX_C2PA_MANIFEST_BYTES,
            _ => 0,
        }
    }

    /// Whether it reads what may be public, which the object decides, or what is public by itself. Only such an answer may be
    /// read by scripts of other sites ([`super::cors`]).
    #[must_use]
    pub const fn is_public_read(&self) -> bool {
        matches!(
            self,
            Self::Read { .. } | Self::ReadPlainManifest { .. } | Self::ReadAlias(_) | Self::OpenApi
        )
    }

    /// The scope that a path needs whatever its ids and parameters are: that of its routes. Where one of them is malformed there
    /// is no route, and the credential is looked at all the same.
    #[must_use]
    pub fn scope_of(method: &Method, path: &str, query: &str) -> Option<Scope> {
        let segments: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        match segments.as_slice() {
            ["proofs"] if is_read => {
                let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
                let by_hash = names.into_iter().any(|name| name == "media_hash");
                (!by_hash).then_some(Scope::Admin)
            }
            ["proofs", _, "url"] if is_read => Some(Scope::Store),
            ["aliases" | "manifests"] | ["migrations", _] if is_read => Some(Scope::Admin),
            ["aliases", _] if !is_read => Some(Scope::Admin),
            ["proofs", _] if *method == Method::PUT => Some(Scope::Store),
            ["manifests"] if *method == Method::POST => Some(Scope::Store),
            ["manifests", _, "visibility"] | ["tenants", _, "manifests", _, "visibility"]
                if *method == Method::PUT =>
            {
                Some(Scope::Store)
            }
            ["manifests", _, "front"] if *method == Method::PUT => Some(Scope::Operator),
            ["proofs" | "manifests", _] | ["tenants", _, "manifests", _] if *method == Method::DELETE => {
                Some(Scope::Delete)
            }
            ["migrations", _] if *method == Method::DELETE => Some(Scope::Operator),
            _ => None,
        }
    }

    /// Every [`name`](Self::name) that there is.
    pub const NAMES: [&'static str; 26] = [
        "read_proof",
        "read_alias",
        "read_revision",
        "read_manifest",
        "store_proof",
        "list_proofs",
        "supersede_proof",
        "delete_proof",
        "batch_delete",
        "sign_link",
        "list_aliases",
        "bind_alias",
        "withdraw_alias",
        "list_manifests",
        "store_manifest",
        "delete_manifest",
        "show_front",
        "decide_front",
        "change_visibility",
        "begin_migration",
        "show_migration",
        "remove_migration",
        "health",
        "stats",
        "openapi",
        "options",
    ];

    /// A short name of bounded variety, for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Read { key: ObjectKey::Record(_), .. } => "read_proof",
            Self::Read { key: ObjectKey::Revision(..), .. } => "read_revision",
            Self::Read { key: ObjectKey::Manifest(_), .. } | Self::ReadPlainManifest { .. } => {
                "read_manifest"
            }
            // Not `read_`: what it answers with is no proof.
            Self::Read { key: ObjectKey::Front(_), .. } => "show_front",
            // No path names one of the others.
            Self::Read {
                key: ObjectKey::Alias(_) | ObjectKey::Hold(..) | ObjectKey::Removed(..) | ObjectKey::Identity,
                ..
            } => "none",
            Self::ReadAlias(_) => "read_alias",
            Self::StoreProof => "store_proof",
            Self::ListProofs { .. } => "list_proofs",
            Self::SupersedeProof(_) => "supersede_proof",
            Self::DeleteProof(_) => "delete_proof",
            Self::BatchDelete => "batch_delete",
            Self::SignLink { .. } => "sign_link",
            Self::ListAliases { .. } => "list_aliases",
            Self::BindAlias(_) => "bind_alias",
            Self::WithdrawAlias { .. } => "withdraw_alias",
            Self::ListManifests { .. } => "list_manifests",
            Self::StoreManifest { .. } => "store_manifest",
            Self::DeleteManifest { .. } => "delete_manifest",
            Self::DecideFront(_) => "decide_front",
            Self::ChangeVisibility { .. } => "change_visibility",
            Self::BeginMigration => "begin_migration",
            // Not `read_`: what it answers with is no proof.
            Self::ReadMigration { .. } => "show_migration",
            Self::RemoveMigration { .. } => "remove_migration",
            Self::Health => "health",
            Self::Stats => "stats",
            Self::OpenApi => "openapi",
            Self::Options(_) => "options",
        }
    }

    /// Reads a request line of the API. Paths that only read are also taken without `/v1`, as the CDN domain has them.
    ///
    /// # Errors
    /// A path that does not exist (404), a method that the path does not take (405), or an id or a parameter that is
    /// malformed (400).
    pub fn parse(method: &Method, path: &str, query: &str) -> Result<Self, Problem> {
        let Some(rest) = path.strip_prefix("/v1/") else { return Self::parse_public(method, path, query) };
        check_length(path, query)?;
        let segments: Vec<&str> = rest.split('/').collect();
        match segments.as_slice() {
            ["proofs"] => Self::proofs(method, query),
            ["proofs", "batch-delete"] => {
                one(method, Method::POST, "POST, OPTIONS", || Ok(Self::BatchDelete))
            }
            ["proofs", id, "url"] => read_only(method, || {
                let query = Query::parse(query)?;
                query.only(&["expires_in"])?;
                let expires_in = query.number("expires_in", 1, MAX_LINK_SECONDS)?;
                Ok(Self::SignLink {
                    id: proof_id(id)?,
                    expires_in: expires_in.unwrap_or(DEFAULT_LINK_SECONDS),
                })
            }),
            ["proofs", id] => match *method {
                Method::GET | Method::HEAD => proof(id, query),
                Method::PUT => Ok(Self::SupersedeProof(proof_id(id)?)),
                Method::DELETE => Ok(Self::DeleteProof(proof_id(id)?)),
                _ => other(method, "GET, HEAD, PUT, DELETE, OPTIONS"),
            },
            ["aliases"] => read_only(method, || {
                let (after, limit) = page(query)?;
                Ok(Self::ListAliases { after, limit })
            }),
            ["aliases", id] => match *method {
                Method::PUT => Ok(Self::BindAlias(legacy_id(id)?)),
                Method::DELETE => {
                    let query = Query::parse(query)?;
                    query.only(&["proof"])?;
                    let missing = || Problem::field("proof", "it is missing: the proof that the id names");
                    Ok(Self::WithdrawAlias {
                        id: legacy_id(id)?,
                        proof: proof_id(query.get("proof").ok_or_else(missing)?)?,
                    })
                }
                _ => other(method, "PUT, DELETE, OPTIONS"),
            },
            ["manifests"] => match *method {
                Method::GET | Method::HEAD => {
                    let (after, limit) = page(query)?;
                    Ok(Self::ListManifests { after, limit })
                }
                Method::POST => {
                    let query = Query::parse(query)?;
                    query.only(&["tenant", "visibility", "imported"])?;
                    let tenant = query.get("tenant").map(tenant_named).transpose()?;
                    let imported = switch(&query, "imported")?;
                    Ok(Self::StoreManifest { visibility: readers(&query)?, tenant, imported })
                }
                _ => other(method, "GET, HEAD, POST, OPTIONS"),
            },
            ["manifests", id] => match *method {
                Method::GET | Method::HEAD => plain(id, query),
                Method::DELETE => {
                    let imported = only_imported(query)?;
                    Ok(Self::DeleteManifest { id: manifest_id(id)?, tenant: None, imported })
                }
                _ => other(method, "GET, HEAD, DELETE, OPTIONS"),
            },
            ["manifests", id, "front"] => match *method {
                Method::GET | Method::HEAD => read(ObjectKey::Front(manifest_id(id)?), query),
                Method::PUT => Ok(Self::DecideFront(manifest_id(id)?)),
                _ => other(method, "GET, HEAD, PUT, OPTIONS"),
            },
            ["manifests", id, "visibility"] => one(method, Method::PUT, "PUT, OPTIONS", || {
                Ok(Self::ChangeVisibility { id: manifest_id(id)?, tenant: None })
            }),
            ["tenants", tenant, "manifests", id, "visibility"] => {
                one(method, Method::PUT, "PUT, OPTIONS", || {
                    let ManifestKey { id, tenant } = manifest_key(tenant, id)?;
                    Ok(Self::ChangeVisibility { id, tenant: Some(tenant) })
                })
            }
            ["tenants", tenant, "manifests", id] => match *method {
                Method::GET | Method::HEAD => read(ObjectKey::Manifest(manifest_key(tenant, id)?), query),
                Method::DELETE => {
                    let ManifestKey { id, tenant } = manifest_key(tenant, id)?;
                    let imported = only_imported(query)?;
                    Ok(Self::DeleteManifest { id, tenant: Some(tenant), imported })
                }
                _ => other(method, "GET, HEAD, DELETE, OPTIONS"),
            },
            ["migrations"] => one(method, Method::POST, "POST, OPTIONS", || Ok(Self::BeginMigration)),
            ["migrations", job] => {
                let name = || decode("job", job)?.parse().map_err(|error| Problem::field("job", error));
                match *method {
                    Method::GET | Method::HEAD => {
                        let query = Query::parse(query)?;
                        query.only(&["after"])?;
                        Ok(Self::ReadMigration { job: name()?, after: query.get("after").map(str::to_owned) })
                    }
                    Method::DELETE => {
                        let query = Query::parse(query)?;
                        query.only(&["abandon"])?;
                        Ok(Self::RemoveMigration { job: name()?, abandon: switch(&query, "abandon")? })
                    }
                    _ => other(method, "GET, HEAD, DELETE, OPTIONS"),
                }
            }
            ["stats"] => read_only(method, || Ok(Self::Stats)),
            ["openapi.json"] => read_only(method, || Ok(Self::OpenApi)),
            segments => Self::in_both(method, segments, query),
        }
    }

    /// Reads a request line of the CDN domain, whose paths only read and have no version.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_public(method: &Method, path: &str, query: &str) -> Result<Self, Problem> {
        check_length(path, query)?;
        let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        match segments.as_slice() {
            ["proofs", id] => read_only(method, || proof(id, query)),
            ["manifests", id] => read_only(method, || plain(id, query)),
            ["tenants", tenant, "manifests", id] => {
                read_only(method, || read(ObjectKey::Manifest(manifest_key(tenant, id)?), query))
            }
            segments => Self::in_both(method, segments, query),
        }
    }

    /// The paths that the API and the CDN domain read alike.
    fn in_both(method: &Method, segments: &[&str], query: &str) -> Result<Self, Problem> {
        match segments {
            ["proofs", "by-hash", hash] => read_only(method, || {
                let query = Query::parse(query)?;
                // A mistyped `tenant` would find another tenant's proof.
                query.only(&["tenant", "expires", "key", "life", "signature", "form"])?;
                by_hash(hash, &query)
            }),
            ["proofs", id, revision] => read_only(method, || {
                read(ObjectKey::Revision(proof_id(id)?, revision_number(revision)?), query)
            }),
            ["health"] => read_only(method, || Ok(Self::Health)),
            _ => Err(Problem::new(
                Kind::NoSuchRoute,
                "there is no such path; GET /v1/openapi.json lists those that there are",
            )),
        }
    }

    fn proofs(method: &Method, query: &str) -> Result<Self, Problem> {
        match *method {
            Method::POST => Ok(Self::StoreProof),
            Method::GET | Method::HEAD => {
                let query = Query::parse(query)?;
                if let Some(hash) = query.get("media_hash") {
                    // Not those of a list: a client that asks for both misunderstands one of them.
                    query.only(&["media_hash", "tenant", "expires", "key", "life", "signature", "form"])?;
                    return by_hash(hash, &query);
                }
                query.only(&["media_hash", "after", "limit"])?;
                let (after, limit) = page_of(&query)?;
                Ok(Self::ListProofs { after, limit })
            }
            _ => other(method, "GET, HEAD, POST, OPTIONS"),
        }
    }
}

fn check_length(path: &str, query: &str) -> Result<(), Problem> {
    if path.len() + query.len() > MAX_TARGET_BYTES {
        let detail = format!("a path and query may have {MAX_TARGET_BYTES} bytes together");
        return Err(Problem::new(Kind::TargetTooLong, detail));
    }
    Ok(())
}

/// A manifest at its plain address.
fn plain(id: &str, query: &str) -> Result<Route, Problem> {
    let id = manifest_id(id)?;
    let query = Query::parse(query)?;
    Ok(Route::ReadPlainManifest { id, signature: Signature::read(&query)?, form: form(&query)? })
}

fn read(key: ObjectKey, query: &str) -> Result<Route, Problem> {
    // Nearly every read has no query.
    if query.is_empty() {
        return Ok(Route::Read { key, signature: None, form: Form::Content });
    }
    let query = Query::parse(query)?;
    Ok(Route::Read { key, signature: Signature::read(&query)?, form: form(&query)? })
}

fn form(query: &Query<'_>) -> Result<Form, Problem> {
    match query.get("form") {
        None => Ok(Form::Content),
        Some("stored") => Ok(Form::Stored),
        Some(other) => Err(Problem::field("form", format!("`stored` or nothing, not `{other}`"))),
    }
}

/// Returns `true` if only what nobody but an import has stored is to be deleted. A parameter that is mistyped must not delete more.
fn only_imported(query: &str) -> Result<bool, Problem> {
    let query = Query::parse(query)?;
    query.only(&["imported"])?;
    switch(&query, "imported")
}

fn switch(query: &Query<'_>, name: &str) -> Result<bool, Problem> {
    match query.get(name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Problem::field(name, format!("`true` or `false`, not `{other}`"))),
    }
}

/// A proof by its id, or by the one that it had in the store that it was taken over from.
fn proof(segment: &str, query: &str) -> Result<Route, Problem> {
    let text = decode("id", segment)?;
    match (text.parse(), text.parse()) {
        (Ok(id), _) => read(ObjectKey::Record(id), query),
        (Err(_), Ok(legacy)) => {
            // The redirect is the same whatever the parameters are, if they are well formed.
            if !query.is_empty() {
                let query = Query::parse(query)?;
                Signature::read(&query)?;
                form(&query)?;
            }
            Ok(Route::ReadAlias(legacy))
        }
        (Err(error), Err(legacy)) => Err(Problem::field("id", format!("{error}; {legacy}"))),
    }
}

/// A proof by its media hash, in the name space of `tenant`.
fn by_hash(hash: &str, query: &Query<'_>) -> Result<Route, Problem> {
    let hash = decode("media_hash", hash)?.parse().map_err(|error| Problem::field("media_hash", error))?;
    let tenant: Tenant = match query.get("tenant") {
        None => Tenant::default(),
        Some(name) => name.parse().map_err(|error| Problem::field("tenant", error))?,
    };
    let key = ObjectKey::Record(ProofId::derive(&tenant, &hash));
    Ok(Route::Read { key, signature: Signature::read(query)?, form: form(query)? })
}

/// The page of a listing whose path takes nothing else.
fn page(query: &str) -> Result<(Option<String>, usize), Problem> {
    let query = Query::parse(query)?;
    query.only(&["after", "limit"])?;
    page_of(&query)
}

/// Where a page begins, and how many it has at most.
fn page_of(query: &Query<'_>) -> Result<(Option<String>, usize), Problem> {
    let limit = query.number("limit", 1, MAX_PAGE as u64)?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DEFAULT_PAGE);
    Ok((query.get("after").map(str::to_owned), limit))
}

/// The tenant that a query names.
fn tenant_named(text: &str) -> Result<Tenant, Problem> {
    text.parse().map_err(|error| Problem::field("tenant", error))
}

/// The readers of a manifest that is stored by itself: everybody, where nothing is said.
fn readers(query: &Query<'_>) -> Result<Visibility, Problem> {
    query.get("visibility").map_or(Ok(Visibility::Public), |text| visibility("visibility", text))
}

fn read_only(method: &Method, route: impl FnOnce() -> Result<Route, Problem>) -> Result<Route, Problem> {
    match *method {
        Method::GET | Method::HEAD => route(),
        _ => other(method, "GET, HEAD, OPTIONS"),
    }
}

fn one(
    method: &Method,
    only: Method,
    allow: &'static str,
    route: impl FnOnce() -> Result<Route, Problem>,
) -> Result<Route, Problem> {
    if *method == only { route() } else { other(method, allow) }
}

fn other(method: &Method, allow: &'static str) -> Result<Route, Problem> {
    match *method {
        Method::OPTIONS => Ok(Route::Options(allow)),
        _ => Err(Problem::method_not_allowed(method.as_str(), allow)),
    }
}

fn decode(field: &str, segment: &str) -> Result<String, Problem> {
    let decoded = percent_decode_str(segment).decode_utf8();
    decoded.map(Into::into).map_err(|_| Problem::field(field, "it has to be UTF-8"))
}

fn proof_id(segment: &str) -> Result<ProofId, Problem> {
    decode("id", segment)?.parse().map_err(|error| Problem::field("id", error))
}

fn legacy_id(segment: &str) -> Result<LegacyId, Problem> {
    decode("id", segment)?.parse().map_err(|error| Problem::field("id", error))
}

fn manifest_id(segment: &str) -> Result<ManifestId, Problem> {
    decode("manifest_id", segment)?.parse().map_err(|error| Problem::field("manifest_id", error))
}

fn manifest_key(tenant: &str, id: &str) -> Result<ManifestKey, Problem> {
    let tenant = decode("tenant", tenant)?.parse().map_err(|error| Problem::field("tenant", error))?;
    Ok(ManifestKey { id: manifest_id(id)?, tenant })
}

fn revision_number(segment: &str) -> Result<u32, Problem> {
    let number = segment.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == segment);
    number.ok_or_else(|| {
        let allowed =
            format!("a revision is a whole number from 1 (a proof's life has at most {MAX_REVISIONS})");
        Problem::field("revision", allowed)
    })
}

#[cfg(test)]
mod tests;
