//! `credlink delete`: deletes a proof for good.

use credlink_core::link::plain_path;
use credlink_core::proof_id::ProofId;

use crate::args::{Connection, Delete};
use crate::client::{Client, Purpose};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::subject::Subject;

/// The state of a proof before its deletion.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The proof was there.
    Proof,
    /// The proof was already deleted.
    Deleted,
    /// The proof had expired.
    Expired,
    /// The proof had lost its record.
    Lost,
    /// The proof could not be read.
    Damaged,
    /// There was no proof that the credential may know of.
    Nothing,
}

/// Deletes a proof, and says whether there was one.
pub fn delete(connection: &Connection, args: &Delete, printer: &Printer) -> Result<Exit, Trouble> {
    let subject = Subject::read(&args.subject)?;
    let no_proof = || {
        let mut detail =
            "only a proof can be deleted here: name it by its file, its hash or its id".to_owned();
        if let Subject::Manifest(id) = &subject {
            detail.push_str(&format!(
                ". A manifest that no proof holds is deleted over the API, with DELETE /v1{}; `credlink withdraw` takes one from \
                 readers, and leaves its proofs",
                plain_path(id)
            ));
        }
        Trouble::new(TroubleKind::Usage, detail)
    };
    if matches!(subject, Subject::Manifest(_) | Subject::Url(_)) {
        return Err(no_proof());
    }
    let client = Client::open(connection, Purpose::Change)?;
    let id = subject.proof(&client, "proof id or SHA-256")?.ok_or_else(no_proof)?;
    let mut before = look(&client, &id)?;
    // This is done even if no proof can be read: an expired one is deleted now, and an interrupted deletion is
    // finished.
    client.delete(&id).map_err(|trouble| whose(trouble, connection))?;
    // If the record was lost, the tombstone of this deletion shows that there was a proof.
    if before == Before::Nothing && look(&client, &id)? == Before::Deleted {
        before = Before::Lost;
    }
    let was_there = match before {
        Before::Proof => Some(true),
        Before::Deleted | Before::Expired | Before::Lost | Before::Nothing => Some(false),
        Before::Damaged => None,
    };
    let deleted = before != Before::Nothing;
    let result = serde_json::json!({ "id": id, "deleted": deleted, "was_there": was_there });
    let words = || match before {
        Before::Proof => format!("{id}: deleted"),
        Before::Deleted => format!("{id}: it had been deleted before; nothing was left to delete"),
        Before::Expired => format!("{id}: deleted; it had expired, so nobody could read it"),
        Before::Lost => format!("{id}: deleted; its record was lost, and what was left of it is gone"),
        Before::Damaged => format!("{id}: deleted; what was there was damaged, and could not be read"),
        Before::Nothing => format!("{id}: {}", nothing(connection, &subject)),
    };
    printer.say(words, &result)?;
    Ok(if deleted { Exit::Done } else { Exit::Absent })
}

/// Returns the state of a proof. The answer to a `HEAD` request would not say why there is none.
fn look(client: &Client, id: &ProofId) -> Result<Before, Trouble> {
    match client.record(id) {
        Ok(_) => Ok(Before::Proof),
        Err(trouble) if trouble.is_unknown() => Ok(Before::Nothing),
        Err(trouble) if trouble.is_deletion() => Ok(Before::Deleted),
        Err(trouble) if trouble.is_absence() => Ok(Before::Expired),
        Err(trouble) if trouble.is_damage() => Ok(Before::Damaged),
        Err(trouble) => Err(trouble),
    }
}

/// Returns a message that there is nothing to delete, and where else the proof may be: the ID of a file's proof depends
/// on the tenant, and another tenant's private proof looks like none.
fn nothing(connection: &Connection, subject: &Subject) -> String {
    let is_folder = connection.data_dir.is_some();
    let tenant = &connection.tenant;
    let mut said = if is_folder {
        "there is no such proof".to_owned()
    } else {
        "there is no proof that may be deleted like this".to_owned()
    };
    let by_file = matches!(subject, Subject::File(_) | Subject::Hash(_));
    if by_file {
        said.push_str(&format!("; the one of the tenant `{tenant}` was looked for (--tenant)"));
    }
    if !is_folder {
        said.push_str("; where the server has tokens, a proof is deleted with one of its tenant (--token)");
    }
    said
}

/// Adds to the problem of another tenant's proof that the token decides which proofs may be deleted.
fn whose(trouble: Trouble, connection: &Connection) -> Trouble {
    match &connection.data_dir {
        _ if !trouble.is_of_another_tenant() => trouble,
        Some(_) => {
            let tenant = &connection.tenant;
            trouble.with(&format!("this was tried as the tenant `{tenant}`: name its own with --tenant"))
        }
        None => trouble.with(
            "the token decides whose proofs may be deleted (--token); of a file or a hash, --tenant says whose proof is meant",
        ),
    }
}
