//! `credlink withdraw`: makes a manifest private to its tenant, or public again. The proofs that name it stay.

use credlink_core::access::Visibility;
use credlink_core::manifest_id::ManifestId;
use credlink_core::record::Record;
use credlink_core::tenant::Tenant;

use crate::args::{Connection, Withdraw};
use crate::client::{Client, Purpose};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::subject::Subject;

/// Withdraws a manifest, or publishes it again. Repeating either is no error.
pub fn withdraw(connection: &Connection, args: &Withdraw, printer: &Printer) -> Result<Exit, Trouble> {
    let subject = Subject::read(&args.subject)?;
    let client = Client::open(connection, Purpose::Change)?;
    let (tenant, id) = manifest(&client, &subject)?;
    let visibility = if args.undo { Visibility::Public } else { Visibility::Private };
    client
        .change_visibility(tenant.as_ref(), &id, visibility)
        .map_err(|trouble| whose(trouble, connection))?;
    // If no tenant was named, it is the credential's: in a folder the tenant of the command, over HTTP the token's.
    let tenant = tenant.or_else(|| connection.data_dir.is_some().then(|| connection.tenant.clone()));
    let owner = tenant.as_ref().map_or_else(
        || "the tenant of the token (without tokens, `default`)".to_owned(),
        |tenant| format!("the tenant `{tenant}`"),
    );
    let words = || match visibility {
        Visibility::Private => {
            format!("{id}: withdrawn; only {owner} and holders of signed links can read it")
        }
        Visibility::Public => format!("{id}: published; everybody can read the manifest of {owner}"),
    };
    printer
        .say(words, &serde_json::json!({ "manifest_id": id, "tenant": tenant, "visibility": visibility }))?;
    Ok(Exit::Done)
}

/// Returns the manifest that was named, or that of the proof that was named, and its tenant if that is known.
fn manifest(client: &Client, subject: &Subject) -> Result<(Option<Tenant>, ManifestId), Trouble> {
    let proof = match (subject, subject.proof(client, "proof id, manifest id or SHA-256")?) {
        (Subject::Manifest(id), _) => return Ok((client.named_tenant().cloned(), id.clone())),
        (_, Some(proof)) => proof,
        (_, None) => {
            let detail = "only a manifest can be withdrawn: name it by its id, or by its file, its hash or its \
                          proof's id";
            return Err(Trouble::new(TroubleKind::Usage, detail));
        }
    };
    let answer = client.record(&proof).map_err(|trouble| trouble.asked_as(client.tenant()))?;
    let record =
        Record::parse(&answer.body).map_err(|error| Trouble::new(TroubleKind::NotCredLink, error))?;
    // The proof may be another tenant's public one. The caller's own manifest with the same ID is not meant then.
    let id = record.manifest.id.ok_or_else(|| {
        let detail = format!(
            "the manifest of {proof} stands in its record, and everybody who may read that reads it: delete the proof \
             (`credlink delete`), and store it anew with --private"
        );
        Trouble::new(TroubleKind::Usage, detail)
    })?;
    Ok((Some(record.tenant), id))
}

/// Adds to a problem which tenant's manifest is meant.
fn whose(trouble: Trouble, connection: &Connection) -> Trouble {
    match &connection.data_dir {
        Some(_) if trouble.is_of_another_tenant() => trouble
            .with(&format!("this was tried as the tenant `{}`: name its own with --tenant", connection.tenant)),
        None if trouble.is_of_another_tenant() => trouble.with(
            "the token decides whose manifests may be withdrawn (--token); of a file or a hash, --tenant says whose proof is meant",
        ),
        _ if !trouble.is_unknown() => trouble,
        Some(_) => trouble
            .with(&format!("the manifests of the tenant `{}` were looked at (--tenant)", connection.tenant)),
        None => trouble.with(
            "its tenant alone withdraws it: where the server has tokens, with one of that tenant (--token)",
        ),
    }
}
