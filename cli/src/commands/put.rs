//! `credlink put`: stores the proof of a file.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credlink_core::access::Visibility;
use credlink_core::bounds::MAX_SIGNATURE_BYTES;
use credlink_core::c2pa::ManifestStore;
use credlink_core::manifest::ManifestType;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::tenant::Tenant;
use credlink_verify::media::Media;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::args::{Connection, Put};
use crate::client::{Client, Purpose, Store};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::input::{self, Input, STANDARD_INPUT};
use crate::manifest::{self, FoundManifest};
use crate::printer::Printer;

/// The server's answer to a request that stores a proof.
#[derive(Deserialize)]
struct Stored {
    id: ProofId,
    deduplicated: bool,
    identical: bool,
    expires: String,
    visibility: Visibility,
    url: String,
    manifest_url: Option<String>,
}

/// Hashes the file, finds its manifest and stores both.
pub fn put(connection: &Connection, args: Put, printer: &Printer) -> Result<Exit, Trouble> {
    let inputs = [Some(args.file.as_path()), args.manifest.as_deref(), args.signature.as_deref()];
    if inputs.into_iter().flatten().filter(|path| *path == Path::new(STANDARD_INPUT)).count() > 1 {
        return Err(Trouble::new(TroubleKind::Usage, "only one of the files can be `-`, standard input"));
    }
    let is_for_few = args.private;
    let has_own_terms = !args.tags.is_empty() || args.expires_in.is_some();
    let media = input::media(&args.file)?;
    let manifest = manifest::find(&media, args.media_type.as_deref(), args.manifest.as_deref())?;
    let store = Store {
        tenant: connection.tenant_is_named.then(|| connection.tenant.clone()),
        media_hash: media.hash,
        media_type: args.media_type.or_else(|| media.detected_type().media_type().map(str::to_owned)),
        manifest_base64: STANDARD.encode(&manifest.bytes),
        manifest_type: manifest.kind.as_str(),
        signature: args.signature.as_deref().map(signature).transpose()?,
        expires_in: args.expires_in,
        tags: tags(args.tags)?,
        visibility: args.private.then_some("private"),
    };
    let client = Client::open(connection, Purpose::Store)?;
    let answer = client.store(&store).map_err(|trouble| {
        let trouble = trouble.of_manifest(&manifest.source);
        if trouble.is_conflict() {
            trouble.with(&format!("it was offered for {}", media.name().display()))
        } else {
            trouble
        }
    })?;
    let stored: Stored = answer.read()?;
    let tenant = tenant(&client, &stored, &media)?;
    let mut object: Map<String, Value> = answer.read()?;
    object.insert("file".to_owned(), media.name().display().to_string().into());
    object.insert("manifest_source".to_owned(), manifest.source.clone().into());
    object.insert("tenant".to_owned(), tenant.as_ref().map(ToString::to_string).into());
    let is_withdrawn = is_withdrawn(&client, &manifest, &stored, tenant.as_ref());
    object.insert("manifest_withdrawn".to_owned(), is_withdrawn.into());
    let shown = Shown {
        file: media.name(),
        manifest: &manifest,
        stored: &stored,
        tenant: tenant.as_ref(),
        is_withdrawn: is_withdrawn == Some(true),
        is_folder: connection.data_dir.is_some(),
    };
    printer.say(|| shown.words(), &object)?;
    if tenant.as_ref() != Some(client.tenant()) {
        let (owner, option) = match &tenant {
            Some(tenant) => (format!("the tenant `{tenant}`"), format!("--tenant {tenant}")),
            None => ("another tenant".to_owned(), "its name as --tenant".to_owned()),
        };
        printer.remark(&format!(
            "it is a proof of {owner}, as the token says: to find it by its file, give {option}"
        ));
    }
    if stored.deduplicated && has_own_terms {
        printer.remark("the proof that is there keeps its tags and its time; nothing was changed");
    }
    let is_exposed = is_for_few && stored.visibility == Visibility::Public;
    if is_exposed {
        printer.remark(
            "everybody can read it: the proof exists already and is public, and nothing was changed. To make it \
             private, delete it and store it again; its C2PA manifest alone is made private by `credlink withdraw`",
        );
    }
    Ok(if stored.identical && !is_exposed { Exit::Done } else { Exit::Absent })
}

/// Returns the tenant that the proof belongs to. The token decides, and the ID is derived from the tenant. `None` means
/// another tenant, whose proof does not show its name.
fn tenant(client: &Client, stored: &Stored, media: &Media) -> Result<Option<Tenant>, Trouble> {
    if stored.id == client.id_of(&media.hash) {
        return Ok(Some(client.tenant().clone()));
    }
    match client.record(&stored.id) {
        Ok(answer) => Ok(Record::parse(&answer.body).ok().map(|record| record.tenant)),
        // The proof may be gone by now, or readable with another token only.
        Err(trouble) if trouble.is_absence() || trouble.is_refusal() => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// Collects the tags, and refuses a name that occurs twice.
fn tags(typed: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Trouble> {
    let mut tags = BTreeMap::new();
    for (name, value) in typed {
        if tags.insert(name.clone(), value).is_some() {
            return Err(Trouble::new(
                TroubleKind::Usage,
                format!("the tag `{name}` is there twice; a name has one value"),
            ));
        }
    }
    Ok(tags)
}

/// Returns `true` if the C2PA manifest of a public proof is private to its tenant, and `None` if that cannot be known.
fn is_withdrawn(
    client: &Client,
    manifest: &FoundManifest,
    stored: &Stored,
    tenant: Option<&Tenant>,
) -> Option<bool> {
    let is_of_a_public_proof = stored.identical && stored.visibility == Visibility::Public;
    if manifest.kind != ManifestType::C2pa || !is_of_a_public_proof {
        return None;
    }
    let id = ManifestStore::parse(&manifest.bytes).ok()?.active;
    // A failure here is no error, because the proof is stored.
    let readers = client.readers(tenant?, &id).ok()??;
    Some(readers == Visibility::Private)
}

/// The result, as a person reads it.
struct Shown<'a> {
    file: &'a Path,
    manifest: &'a FoundManifest,
    stored: &'a Stored,
    tenant: Option<&'a Tenant>,
    is_withdrawn: bool,
    is_folder: bool,
}

impl Shown<'_> {
    fn words(&self) -> Vec<String> {
        let Self { file, manifest, stored, tenant, .. } = self;
        let outcome = match (stored.deduplicated, stored.identical) {
            (false, _) => "stored",
            (true, true) => "there already, with the same manifest and signature",
            (true, false) => "there already, with ANOTHER manifest or signature: nothing was replaced",
        };
        let mut lines = vec![
            format!("{}: {outcome}", file.display()),
            format!("  id        {}", stored.id),
            format!("  tenant    {}", tenant.map_or("another one", Tenant::as_str)),
            format!(
                "  {}  {} ({})",
                if stored.identical { "manifest" } else { "offered " },
                manifest.source,
                manifest.kind.as_str()
            ),
            format!("  readers   {}", self.readers()),
            format!("  expires   {}", stored.expires),
            format!("  record    {}", stored.url),
        ];
        lines.extend(stored.manifest_url.as_ref().map(|url| format!("  C2PA      {url}")));
        if self.is_folder {
            lines.push("  served    as soon as `credlink serve` runs on this folder".to_owned());
        }
        lines
    }

    const fn readers(&self) -> &'static str {
        match self.stored.visibility {
            Visibility::Public if self.is_withdrawn => {
                "everybody (public); its C2PA manifest was withdrawn, and is for its tenant and holders of a signed \
                 link"
            }
            Visibility::Public => "everybody (public)",
            Visibility::Private => "its tenant and holders of a signed link (private)",
        }
    }
}

/// Returns the signature in a file: its text without the line end, or its bytes in base64 if they are not text.
fn signature(path: &Path) -> Result<String, Trouble> {
    let mut input = Input::open(path)?;
    let bytes = input.read_up_to(MAX_SIGNATURE_BYTES)?.ok_or_else(|| {
        let name = input.name().display();
        let detail = format!("{name} is not a signature: it has more than {MAX_SIGNATURE_BYTES} bytes");
        Trouble::new(TroubleKind::File, detail)
    })?;
    Ok(as_text(bytes))
}

fn as_text(bytes: Vec<u8>) -> String {
    let is_text = |text: &str| !text.chars().any(|c| c.is_control() && !c.is_whitespace());
    match String::from_utf8(bytes) {
        Ok(text) if is_text(&text) => text.trim_end().to_owned(),
        Ok(text) => STANDARD.encode(text),
        Err(error) => STANDARD.encode(error.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_text_or_become_it() {
        assert_eq!(as_text(b"MEUCIQ==\n".to_vec()), "MEUCIQ==");
        assert_eq!(as_text(b"-----BEGIN PGP-----\nx\n".to_vec()), "-----BEGIN PGP-----\nx");
        assert_eq!(as_text(vec![0x30, 0x45, 0xff]), "MEX/");
        assert_eq!(as_text(vec![0x30, 0x00]), "MAA=");
    }
}
