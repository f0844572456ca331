//! The manifest in a body.

use std::borrow::Cow;

use bytes::Bytes;

use super::body::StoreBody;
use crate::bounds::{MAX_C2PA_MANIFEST_BYTES, MAX_JSON_MANIFEST_BYTES};
use crate::c2pa::C2paError;
use crate::encoding::from_base64;
use crate::excerpt::excerpt;
use crate::http::problem::{Problem, ProblemKind};
use crate::manifest::{Manifest, ManifestError, ManifestType};
use crate::media_type::{C2PA_TYPE, JSON_TYPE};
use crate::rules::body::LONG_MEMBER;

/// Returns the problem of a manifest that was refused, for this member or body.
#[must_use]
pub fn manifest_problem(field: &str, error: &ManifestError) -> Problem {
    match error {
        ManifestError::C2pa(C2paError::TooLong(_)) => {
            Problem::too_large(&format!("`{field}`: a C2PA manifest store"), MAX_C2PA_MANIFEST_BYTES)
                .at(field)
        }
        ManifestError::JsonTooLong(_) => {
            Problem::too_large(&format!("`{field}`: a JSON manifest"), MAX_JSON_MANIFEST_BYTES).at(field)
        }
        other => Problem::new(ProblemKind::InvalidManifest, format!("`{field}`: {other}")).at(field),
    }
}

/// Returns the manifest of a body, from the member that holds it.
pub(super) fn manifest(body: &StoreBody<'_>) -> Result<Manifest, Problem> {
    let kind = match body.manifest_type.as_deref() {
        None => None,
        Some(C2PA_TYPE) => Some(ManifestType::C2pa),
        Some(JSON_TYPE) => Some(ManifestType::Json),
        Some(other) => {
            let allowed = format!("`{C2PA_TYPE}` or `{JSON_TYPE}`, not `{}`", excerpt(other));
            return Err(Problem::field("manifest_type", allowed));
        }
    };
    match (body.manifest, body.manifest_base64) {
        (None, None) => {
            Err(Problem::field("manifest", "it is missing; give `manifest` or `manifest_base64`"))
        }
        (Some(_), Some(_)) => {
            Err(Problem::field("manifest", "give `manifest` or `manifest_base64`, not both"))
        }
        (Some(_), None) if kind == Some(ManifestType::C2pa) => {
            Err(Problem::field("manifest", "a C2PA manifest store is binary: give it as `manifest_base64`"))
        }
        (Some(json), None) => {
            let bytes = Bytes::copy_from_slice(json.get().as_bytes());
            Manifest::json(bytes).map_err(|error| manifest_problem("manifest", &error))
        }
        (None, Some(text)) => {
            let no_base64 = |why: &dyn std::fmt::Display| {
                Problem::field(LONG_MEMBER, format!("this is not base64 (RFC 4648, section 4): {why}"))
            };
            let text =
                unescaped(text.get()).ok_or_else(|| no_base64(&"it is not a string of those characters"))?;
            let bytes = from_base64(&text).map_err(|error| no_base64(&error))?;
            drop(text);
            Manifest::of_type(kind.unwrap_or(ManifestType::C2pa), bytes)
                .map_err(|error| manifest_problem(LONG_MEMBER, &error))
        }
    }
}

/// Returns the content of a JSON string, copied only if something in it is escaped: some writers escape each slash.
/// Returns `None` if the value is not a string, or an escape does not stand for a character of base64.
fn unescaped(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(inner.into());
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        rest = match escape.strip_prefix('/') {
            Some(rest) => {
                text.push('/');
                rest
            }
            None => {
                let (code, rest) = escape.strip_prefix('u')?.split_at_checked(4)?;
                text.push(u32::from_str_radix(code, 16).ok().and_then(char::from_u32)?);
                rest
            }
        };
    }
    text.push_str(rest);
    Some(text.into())
}
