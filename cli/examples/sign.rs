//! Signs a picture whose C2PA manifest is kept outside of it, as a signing service does.
//!
//! `sign SOURCE DEST [URL]` writes the signed picture to DEST and its manifest to DEST.c2pa. The picture's XMP
//! (`dcterms:provenance`) points to the future address of the manifest: under URL, by default a local `credlink serve`.
//! It replaces what an earlier run has written, and leaves any other file at DEST or DEST.c2pa alone.
//! The certificate is made for this one run, so no reader has reason to trust it: it is for trying things out.

use std::error::Error;
use std::fs;
use std::io::{Cursor, ErrorKind, Write as _, stderr};
use std::path::Path;
use std::process::ExitCode;

use c2pa::{Builder, Context, EphemeralSigner};
use uuid::Uuid;

/// The name of this program in the manifests that it writes.
const NAME: &str = "credlink-example";

/// A signed picture and the manifest that belongs to it.
pub struct Signed {
    /// The picture's bytes, which the media hash is computed from.
    pub picture: Vec<u8>,
    /// The manifest store's bytes, which CredLink keeps.
    pub manifest: Vec<u8>,
}

/// Signs `picture` of the media type `format`. The manifest gets the label `manifest_id`, and the picture's XMP points
/// to `manifest_url`: both have to be known before anything is signed.
pub fn sign(
    picture: &[u8],
    format: &str,
    manifest_id: &str,
    manifest_url: &str,
) -> Result<Signed, Box<dyn Error>> {
    let definition = serde_json::json!({
        "label": manifest_id,
        "title": "A signed picture",
        "claim_generator_info": [{ "name": NAME, "version": "1" }],
        "assertions": [{
            "label": "c2pa.actions",
            "data": { "actions": [{
                "action": "c2pa.created",
                "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"
            }] }
        }]
    });
    let mut builder = Builder::from_context(Context::new()).with_definition(definition)?;
    builder.set_remote_url(manifest_url);
    builder.set_no_embed(true);
    let mut signed = Cursor::new(Vec::new());
    let signer = EphemeralSigner::new(NAME)?;
    let manifest = builder.sign(&signer, format, &mut Cursor::new(picture), &mut signed)?;
    Ok(Signed { picture: signed.into_inner(), manifest })
}

/// Returns the media type of a picture, by its name.
fn format(path: &Path) -> Result<&'static str, Box<dyn Error>> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("jpg" | "jpeg") => Ok("image/jpeg"),
        Some("png") => Ok("image/png"),
        Some("webp") => Ok("image/webp"),
        _ => Err(format!("{}: this example signs .jpg, .png and .webp files", path.display()).into()),
    }
}

/// Returns `true` if the file at `path` contains `text`, and `None` if there is no file.
fn holds(path: &str, text: &str) -> Result<Option<bool>, Box<dyn Error>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content.windows(text.len()).any(|window| window == text.as_bytes()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{path}: {error}").into()),
    }
}

/// Signs the picture at `source` into a new file.
fn run(source: &Path, dest: &str, url: &str) -> Result<(), Box<dyn Error>> {
    let kind = format(source)?;
    if format(Path::new(dest))? != kind {
        return Err(format!("{dest} becomes a file of type {kind}: name it like {}", source.display()).into());
    }
    let picture = fs::read(source).map_err(|error| format!("{}: {error}", source.display()))?;
    let manifest_id = format!("urn:c2pa:{}", Uuid::new_v4());
    let manifest_url = format!("{}/v1/manifests/{manifest_id}", url.trim_end_matches('/'));
    let manifest = format!("{dest}.c2pa");
    // The manifest is written first, so a run that was cut off may have left it alone.
    let has_manifest = holds(&manifest, NAME)?;
    let has_picture = holds(dest, "/v1/manifests/urn:c2pa:")?;
    let foreign = match (has_picture, has_manifest) {
        (None, None | Some(true)) | (Some(true), Some(true)) => None,
        (_, Some(false)) => Some(&*manifest),
        (Some(_), _) => Some(dest),
    };
    if let Some(file) = foreign {
        let why = format!(
            "{file} is there already, and was not made by this example: remove it, or name another file"
        );
        return Err(why.into());
    }
    let signed = sign(&picture, kind, &manifest_id, &manifest_url)?;
    // The manifest comes first, so that a run that is cut off in between can be repeated.
    fs::write(&manifest, signed.manifest).map_err(|error| format!("{manifest}: {error}"))?;
    fs::write(dest, signed.picture).map_err(|error| format!("{dest}: {error}"))?;
    Ok(())
}

#[cfg_attr(test, expect(dead_code, reason = "the test suite uses `sign` alone"))]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let signed = match arguments.as_slice() {
        [source, dest] => run(Path::new(source), dest, "http://127.0.0.1:8787"),
        [source, dest, url] => run(Path::new(source), dest, url),
        _ => Err("usage: sign SOURCE DEST [URL]".into()),
    };
    match signed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr is closed, the exit code has to do.
            let _ = writeln!(stderr(), "sign: {error}");
            ExitCode::FAILURE
        }
    }
}
