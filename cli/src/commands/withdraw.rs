//! `credlink withdraw`: a manifest is its tenant's alone, or everybody's again, and the proofs that name it stay.

use credlink_core::access::Visibility;
use credlink_core::manifest_id::ManifestId;
use credlink_core::record::Record;

use crate::args::{Connection, Withdraw};
use crate::client::{Client, Making};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::subject::Subject;
use crate::trouble::{Kind, Trouble};

/// Withdraws a manifest, or publishes it again. The same again is no trouble.
pub fn withdraw(connection: &Connection, args: &Withdraw, printer: &Printer) -> Result<Exit, Trouble> {
    let subject = Subject::read(&args.subject)?;
    if matches!(subject, Subject::Url(_)) {
        let detail =
            "what is withdrawn is a manifest: name it by its id, or by its file, its hash or its proof's id";
        return Err(Trouble::new(Kind::Usage, detail));
    }
    let client = Client::open(connection, Making::Refused)?;
    let id = manifest(&client, &subject)?;
    let visibility = if args.undo { Visibility::Public } else { Visibility::Private };
    client.change_visibility(&id, visibility).map_err(|trouble| whose(trouble, connection))?;
    let words = || match visibility {
        Visibility::Private => {
            format!("{id}: withdrawn; only its tenant and holders of signed links can read it")
        }
        Visibility::Public => format!("{id}: published; everybody can read it"),
    };
    printer.say(words, &serde_json::json!({ "manifest_id": id, "visibility": visibility }))?;
    Ok(Exit::Done)
}

/// The manifest that was named, or the one of the proof that was.
fn manifest(client: &Client, subject: &Subject) -> Result<ManifestId, Trouble> {
    if let Subject::Manifest(id) = subject {
        return Ok(id.clone());
    }
    let no_proof = || Trouble::new(Kind::Usage, "what was named is no proof");
    let proof = subject.proof(client)?.ok_or_else(no_proof)?;
    let answer = client.record(&proof).map_err(|trouble| trouble.asked_as(client.tenant()))?;
    let record = Record::parse(&answer.body).map_err(|error| Trouble::new(Kind::NotCredLink, error))?;
    record.manifest.id.ok_or_else(|| {
        let detail = format!(
            "the manifest of {proof} stands in its record, and everybody who may read that reads it: delete the proof \
             (`credlink delete`), and store it anew with --private"
        );
        Trouble::new(Kind::Usage, detail)
    })
}

/// The same, with a word on whose manifest is meant.
fn whose(trouble: Trouble, connection: &Connection) -> Trouble {
    match &connection.data_dir {
        _ if !trouble.is_unknown() => trouble,
        Some(_) => trouble
            .with(&format!("the manifests of the tenant `{}` were looked at (--tenant)", connection.tenant)),
        None => trouble.with("a manifest is withdrawn with a token of its tenant (--token)"),
    }
}
