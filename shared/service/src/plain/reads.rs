//! Reads at an address that leads elsewhere: the plain address of a manifest, and the legacy ID of a proof.

use credlink_core::access::Caller;
use credlink_core::http::problem::ProblemKind;
use credlink_core::http::route::Form;
use credlink_core::legacy::LegacyId;
use credlink_core::link::Signature;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::rules::alias::alias_absent;
use credlink_core::rules::retrieve::Lookup;
use credlink_core::tenant::Tenant;
use http::HeaderValue;
use http::header::CACHE_CONTROL;

use credlink_ports::Ports;

use crate::aliases::redirect;
use crate::error::Error;
use crate::handler::{Answer, Call};
use crate::request_body::RequestBody;
use crate::retrieve::retrieve;
use crate::service::Service;

/// Reads a manifest at its plain address: the manifest that its front names, or the caller's own if the caller may not
/// read that one. The stored form is always read from the tenant `default`, whose keys contain no tenant.
pub(super) async fn read_plain_manifest<P: Ports, B: RequestBody>(
    service: &Service<P>,
    call: Call<'_, B>,
    id: &ManifestId,
    form: Form,
    signature: Option<&Signature>,
) -> Result<Answer, Error> {
    let default = ManifestKey::new(&Tenant::default(), id);
    let fronted = match form {
        Form::Content => service.fronted(id).await?,
        Form::Stored => Some(default.clone()),
    };
    let own = ObjectKey::Manifest(ManifestKey::new(&call.caller.tenant, id));
    let found = match fronted {
        None => Err(call.lookup(service, &ObjectKey::Manifest(default), form, signature).absent().into()),
        Some(manifest) => {
            let key = ObjectKey::Manifest(manifest);
            let lookup = call.lookup(service, &key, form, signature);
            let found = retrieve(service, &Lookup { is_plain: service.settings.has_tenants, ..lookup }).await;
            if key == own { return found } else { found }
        }
    };
    match found {
        Err(Error::Problem(problem))
            if problem.kind == ProblemKind::NotFound && call.caller.authenticated =>
        {
            let lookup = call.lookup(service, &own, form, signature);
            let mut answer = retrieve(service, &lookup).await?;
            // Only this caller is served this manifest at this address.
            answer.reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
            Ok(answer)
        }
        found => found,
    }
}

/// Reads a proof by its legacy ID: answers with its target, if the caller may read it. It is documented as a part of
/// `readProof`, whose path it shares.
pub(super) async fn read_alias<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    id: &LegacyId,
) -> Result<Answer, Error> {
    match service.alias(id).await? {
        Some(row) => redirect(service, caller, &row).await,
        None => Err(alias_absent(id).into()),
    }
}
