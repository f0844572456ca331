//! The manifest of a rendition.

use std::io::Cursor;
use std::sync::Arc;

use c2pa::validation_status::{CLAIM_SIGNATURE_MISMATCH, SIGNING_CREDENTIAL_UNTRUSTED};
use c2pa::{Builder, Context, Error, Ingredient, Reader, Signer};
use credlink_core::c2pa::tells_place;
use credlink_core::collection::ParentLocation;
use credlink_ports::{NotSigned, SignedRendition, SigningOrder, UnsignedRendition};
use serde_json::{Value, json};

use crate::parent::Parent;

/// Settings that keep the library off the network, write no thumbnails, and have each manifest checked once it is signed.
const SETTINGS: &str = r#"{
    "core": { "decode_identity_assertions": false, "allowed_network_hosts": [] },
    "verify": {
        "verify_trust": false, "verify_timestamp_trust": false, "remote_manifest_fetch": false, "ocsp_fetch": false,
        "verify_after_sign": true
    },
    "builder": { "thumbnail": { "enabled": false } }
}"#;

/// The name by which actions refer to the original.
const ORIGINAL: &str = "original";

fn context() -> c2pa::Result<Arc<Context>> {
    Ok(Context::new().with_settings(SETTINGS)?.into_shared())
}

/// Signs the renditions of a picture.
///
/// # Errors
/// Fails with [`NotSigned::Location`] if the manifests would tell a place, and with [`NotSigned::Unable`] if the original,
/// the certificate or the key cannot be used.
pub fn sign(
    original: &[u8],
    order: &SigningOrder,
    signer: &dyn Signer,
) -> Result<Vec<SignedRendition>, NotSigned> {
    let unable = |error: Error| NotSigned::Unable(error.to_string());
    let context = context().map_err(unable)?;
    let parent = Parent::read(&context, original, order.kind).map_err(unable)?;
    let is_allowed = match order.location {
        ParentLocation::Redact => !parent.tells_for_ever,
        ParentLocation::Refuse | ParentLocation::Bind => !parent.tells_place(),
    };
    if !is_allowed {
        return Err(NotSigned::Location);
    }
    let redactions: Vec<String> = parent.places.into_iter().chain(parent.pictures).collect();
    let mut signed = Vec::new();
    // The original is read and hashed once, for the first rendition.
    let mut ingredient = None;
    for rendition in &order.renditions {
        let mut builder = Builder::from_shared_context(&context)
            .with_definition(definition(rendition, &redactions))
            .map_err(unable)?;
        match &ingredient {
            Some(known) => {
                builder.add_ingredient(Ingredient::clone(known));
            }
            None => ingredient = Some(add_original(&mut builder, original, order).map_err(unable)?),
        }
        if !redactions.is_empty() {
            builder.definition.redactions = Some(redactions.clone());
        }
        builder.set_remote_url(&rendition.manifest_url).set_no_embed(true);
        let mut bytes = Cursor::new(Vec::new());
        let format = rendition.name.format.file_type().media_type();
        let source = &mut Cursor::new(&rendition.bytes);
        let manifest = builder.sign(signer, format, source, &mut bytes).map_err(unable)?;
        // Redacted or not, the store of a rendition tells no place.
        if tells_place(&manifest) {
            return Err(NotSigned::Location);
        }
        signed.push(SignedRendition {
            name: rendition.name.clone(),
            bytes: bytes.into_inner().into(),
            manifest: manifest.into(),
        });
    }
    Ok(signed)
}

/// Adds the original as the parent, and returns it for the next manifest.
fn add_original(builder: &mut Builder, original: &[u8], order: &SigningOrder) -> c2pa::Result<Ingredient> {
    let described = json!({
        "label": ORIGINAL,
        "title": ORIGINAL,
        "relationship": "parentOf",
        "informational_URI": order.proof_url,
    });
    let format = order.kind.media_type();
    let added =
        builder.add_ingredient_from_stream(described.to_string(), format, &mut Cursor::new(original))?;
    Ok(added.clone())
}

/// Returns the definition of a manifest. Scaling and transcoding are no editorial changes (C2PA 2.x, section 18.14.9), but
/// cutting is one.
fn definition(rendition: &UnsignedRendition, redactions: &[String]) -> Value {
    let mut actions = vec![json!({ "action": "c2pa.opened", "parameters": { "ingredientIds": [ORIGINAL] } })];
    actions.extend(redactions.iter().map(|redacted| {
        json!({ "action": "c2pa.redacted", "reason": "c2pa.PII.present", "parameters": { "redacted": redacted } })
    }));
    let done = [
        (rendition.is_cropped, "c2pa.cropped"),
        (rendition.is_scaled, "c2pa.resized.proportional"),
        (true, "c2pa.transcoded"),
    ];
    actions
        .extend(done.iter().filter(|(is_done, _)| *is_done).map(|(_, action)| json!({ "action": action })));
    json!({
        "label": rendition.manifest,
        "title": rendition.name.to_string(),
        "claim_generator_info": [{ "name": "CredLink", "version": env!("CARGO_PKG_VERSION") }],
        "assertions": [{
            "label": "c2pa.actions",
            "created": true,
            "data": { "actions": actions, "allActionsIncluded": true }
        }]
    })
}

/// The outcome of a trial of a certificate and its key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    /// A reader accepts the signed picture.
    Good,
    /// The signature was not made with the key of the certificate.
    OtherKey,
    /// A reader refuses the signed picture for another reason.
    Refused(String),
}

/// A picture of one pixel.
pub(crate) const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\0\0\0\nIDAT\x78\x9c\x63\x60\0\0\0\x02\
    \0\x01\x48\xaf\xa4\x71\0\0\0\0IEND\xae\x42\x60\x82";

/// Signs a picture of one pixel, and reads the result.
pub(crate) fn try_out(signer: &dyn Signer) -> Trial {
    let definition = json!({
        "claim_generator_info": [{ "name": "CredLink", "version": env!("CARGO_PKG_VERSION") }],
        "assertions": [{ "label": "c2pa.actions", "created": true, "data": { "actions": [{
            "action": "c2pa.created",
            "digitalSourceType": "http://c2pa.org/digitalsourcetype/empty"
        }] } }]
    });
    let settings = SETTINGS.replace(r#""verify_after_sign": true"#, r#""verify_after_sign": false"#);
    let tried = Context::new().with_settings(settings).map(Context::into_shared).and_then(|context| {
        let mut builder = Builder::from_shared_context(&context).with_definition(definition)?;
        builder.set_no_embed(true);
        let mut signed = Cursor::new(Vec::new());
        let manifest = builder.sign(signer, "image/png", &mut Cursor::new(PIXEL), &mut signed)?;
        let reader = Reader::from_shared_context(&context);
        reader.with_manifest_data_and_stream(&manifest, "image/png", Cursor::new(PIXEL))
    });
    match tried {
        Err(error) => Trial::Refused(error.to_string()),
        Ok(reader) => {
            let faults = reader.validation_status().unwrap_or_default().iter();
            let mut faults = faults.filter(|status| status.code() != SIGNING_CREDENTIAL_UNTRUSTED).peekable();
            match faults.peek() {
                None => Trial::Good,
                Some(fault) if fault.code() == CLAIM_SIGNATURE_MISMATCH => Trial::OtherKey,
                Some(_) => {
                    Trial::Refused(faults.map(|fault| fault.code().to_owned()).collect::<Vec<_>>().join(", "))
                }
            }
        }
    }
}
