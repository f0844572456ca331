//! Files that c2pa-rs signed, each in a way that occurs in practice.

use std::io::Cursor;
use std::path::Path;

use c2pa::{Builder, BuilderIntent, Context, EphemeralSigner, HashRange, Reader, Settings, ValidationState};
use serde::Serialize;
use serde_json::{Value, json};

/// The settings of the reader used for comparison: as `verify` promises, it uses no network and judges neither signers
/// nor identities.
const SETTINGS: &str = r#"{"core":{"decode_identity_assertions":false},
    "verify":{"verify_trust":false,"verify_timestamp_trust":false,"remote_manifest_fetch":false}}"#;

/// The location of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The manifest is embedded in the file.
    Embedded,
    /// The manifest is at a URL that the file's XMP names.
    Remote,
    /// The manifest is in a separate file.
    Sidecar,
}

/// A signed file, and its manifest.
#[derive(Clone)]
pub struct Signed {
    pub file: Vec<u8>,
    pub manifest: Vec<u8>,
}

pub fn definition(id: Option<&str>) -> Value {
    json!({
        "label": id,
        "title": "A signed file",
        "claim_generator_info": [{ "name": "credlink-test", "version": "1" }],
        "assertions": [{ "label": "c2pa.actions", "data": { "actions": [{
            "action": "c2pa.created",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"
        }] } }]
    })
}

fn builder(definition: Value) -> Builder {
    Builder::from_context(Context::new()).with_definition(definition).unwrap()
}

fn finish(mut builder: Builder, media_type: &str, file: &[u8]) -> c2pa::Result<Signed> {
    let mut signed = Cursor::new(Vec::new());
    let signer = EphemeralSigner::new("credlink-test")?;
    let manifest = builder.sign(&signer, media_type, &mut Cursor::new(file), &mut signed)?;
    Ok(Signed { file: signed.into_inner(), manifest })
}

/// Signs a file in one of these ways.
pub fn sign(media_type: &str, file: &[u8], way: Way, id: &str) -> c2pa::Result<Signed> {
    let mut builder = builder(definition(Some(id)));
    if way == Way::Remote {
        builder.set_remote_url(format!("http://127.0.0.1:1/v1/manifests/{id}"));
    }
    builder.set_no_embed(way != Way::Embedded);
    finish(builder, media_type, file)
}

/// Signs with further assertions.
pub fn with_assertion(media_type: &str, file: &[u8], label: &str, data: &Value) -> Signed {
    let mut builder = builder(definition(None));
    builder.add_assertion(label, data).unwrap();
    finish(builder, media_type, file).unwrap()
}

/// Signs an already signed file again, as an edit or an update, so that its store has several manifests.
pub fn again(media_type: &str, file: &[u8], intent: BuilderIntent) -> c2pa::Result<Signed> {
    let mut builder =
        builder(json!({ "claim_generator_info": [{ "name": "credlink-test", "version": "2" }] }));
    builder.set_intent(intent);
    finish(builder, media_type, file)
}

/// Signs with a compressed manifest.
pub fn compressed(media_type: &str, file: &[u8]) -> Signed {
    let settings = Settings::new().with_value("core.prefer_compress_manifests", true).unwrap();
    let context = Context::new().with_settings(settings).unwrap();
    finish(Builder::from_context(context).with_definition(definition(None)).unwrap(), media_type, file)
        .unwrap()
}

/// Signs an ISO base media file whose content is hashed in blocks of 1 KB.
pub fn in_blocks(media_type: &str, file: &[u8]) -> Signed {
    let settings = Settings::new().with_value("core.merkle_tree_chunk_size_in_kb", 1).unwrap();
    let context = Context::new().with_settings(settings).unwrap();
    finish(Builder::from_context(context).with_definition(definition(None)).unwrap(), media_type, file)
        .unwrap()
}

/// Signs a JPEG whose manifest is at `offset`, and whose hash excludes the range from `from` to the manifest's end.
pub fn leaving_out(jpeg: &[u8], from: usize, offset: usize) -> Signed {
    let compose = |manifest: &[u8]| [&jpeg[..offset], manifest, &jpeg[offset..]].concat();
    with_ranges("image/jpeg", |length| vec![(from, offset + length - from)], compose)
}

/// Signs a file into which `compose` puts the manifest, and whose hash excludes ranges that depend on the length of the
/// manifest.
pub fn with_ranges(
    media_type: &str,
    ranges: impl Fn(usize) -> Vec<(usize, usize)>,
    compose: impl Fn(&[u8]) -> Vec<u8>,
) -> Signed {
    let mut builder = signing();
    let place = builder.placeholder(media_type).unwrap();
    let ranges = ranges(place.len()).into_iter();
    let ranges = ranges.map(|(start, length)| HashRange::new(start as u64, length as u64)).collect();
    builder.set_data_hash_exclusions(ranges).unwrap();
    builder.update_hash_from_stream(media_type, &mut Cursor::new(compose(&place))).unwrap();
    composed(&builder, media_type, &compose)
}

/// Signs an ISO base media file, and excludes further boxes, which are given in JSON.
pub fn without_boxes(media_type: &str, boxes: &Value, compose: impl Fn(&[u8]) -> Vec<u8>) -> Signed {
    let mut builder = signing();
    // The binding must exist before something is added to it, and the placeholder must be long enough for all of it.
    builder.placeholder(media_type).unwrap();
    builder.add_bmff_hash_exclusions(&boxes.to_string()).unwrap();
    let place = builder.placeholder(media_type).unwrap();
    builder.update_hash_from_stream(media_type, &mut Cursor::new(compose(&place))).unwrap();
    composed(&builder, media_type, &compose)
}

/// Signs a file with a given binding.
pub fn with_binding(
    media_type: &str,
    label: &str,
    binding: &impl Serialize,
    compose: impl Fn(&[u8]) -> Vec<u8>,
) -> Signed {
    let mut builder = signing();
    builder.add_assertion(label, binding).unwrap();
    composed(&builder, media_type, &compose)
}

fn signing() -> Builder {
    let context = Context::new().with_signer(EphemeralSigner::new("credlink-test").unwrap());
    Builder::from_context(context).with_definition(definition(None)).unwrap()
}

fn composed(builder: &Builder, media_type: &str, compose: &impl Fn(&[u8]) -> Vec<u8>) -> Signed {
    let file = compose(&builder.sign_embeddable(media_type).unwrap());
    let manifest = c2pa::jumbf_io::load_jumbf_from_memory(media_type, &file).unwrap();
    Signed { file, manifest }
}

/// Signs a fragmented video, `init.mp4` and `1.m4s` in a folder, and returns the signed head.
pub fn fragmented(folder: &Path) -> Vec<u8> {
    let signer = EphemeralSigner::new("credlink-test").unwrap();
    let out = folder.join("signed");
    builder(definition(None))
        .sign_fragmented_files(&signer, folder.join("init.mp4").as_path(), Path::new("*.m4s"), out.as_path())
        .unwrap();
    std::fs::read(out.join(folder.file_name().unwrap()).join("init.mp4")).unwrap()
}

/// The reader's own verdict on a file and a manifest, or `None` if it cannot read them.
pub fn verdict(media_type: &str, file: &[u8], manifest: Option<&[u8]>) -> Option<ValidationState> {
    let reader = Reader::from_context(Context::new().with_settings(SETTINGS).unwrap());
    let stream = Cursor::new(file.to_vec());
    let read = match manifest {
        None => reader.with_stream(media_type, stream),
        Some(manifest) => reader.with_manifest_data_and_stream(manifest, media_type, stream),
    };
    read.ok().map(|reader| reader.validation_state())
}
