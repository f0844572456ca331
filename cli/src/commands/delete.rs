//! `credlink delete`: a proof is gone, and stays gone.

use credlink_core::proof_id::ProofId;

use crate::args::{Connection, Delete};
use crate::client::{Client, Making};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::subject::Subject;
use crate::trouble::{Kind, Trouble};

/// What there was before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A proof.
    Proof,
    /// One that was deleted before, has expired, or has lost its record.
    Ended,
    /// One that cannot be read.
    Damaged,
    /// None that the credential may know of.
    Nothing,
}

/// Deletes a proof, and says whether there was one.
pub fn delete(connection: &Connection, args: &Delete, printer: &Printer) -> Result<Exit, Trouble> {
    let subject = Subject::read(&args.subject)?;
    let no_proof = || {
        let detail = "what is deleted is a proof: name it by its file, its hash or its id";
        Trouble::new(Kind::Usage, detail)
    };
    if matches!(subject, Subject::Manifest(_) | Subject::Url(_)) {
        return Err(no_proof());
    }
    let client = Client::open(connection, Making::Refused)?;
    let id = subject.proof(&client)?.ok_or_else(no_proof)?;
    let mut before = look(&client, &id)?;
    // Also where none can be read: an expired one goes now, and a deletion that was cut off is finished.
    client.delete(&id)?;
    // A proof whose record was lost is known to have been there by what its deletion leaves.
    if before == Before::Nothing && look(&client, &id)? == Before::Ended {
        before = Before::Ended;
    }
    let was_there = match before {
        Before::Proof => Some(true),
        Before::Ended | Before::Nothing => Some(false),
        Before::Damaged => None,
    };
    let deleted = before != Before::Nothing;
    let result = serde_json::json!({ "id": id, "deleted": deleted, "was_there": was_there });
    let words = || match before {
        Before::Proof => format!("{id}: deleted"),
        Before::Ended => {
            format!("{id}: there was no proof to be read; it is deleted, with whatever was left of it")
        }
        Before::Damaged => format!("{id}: deleted; what was there was damaged, and could not be read"),
        Before::Nothing => format!("{id}: {}", nothing(connection, &subject)),
    };
    printer.say(words, &result)?;
    Ok(if deleted { Exit::Done } else { Exit::Absent })
}

/// What is there. The answer to a `HEAD` would not say why there is none.
fn look(client: &Client, id: &ProofId) -> Result<Before, Trouble> {
    match client.record(id) {
        Ok(_) => Ok(Before::Proof),
        Err(trouble) if trouble.is_unknown() => Ok(Before::Nothing),
        Err(trouble) if trouble.is_absence() => Ok(Before::Ended),
        Err(trouble) if trouble.is_damage() => Ok(Before::Damaged),
        Err(trouble) => Err(trouble),
    }
}

/// That there is nothing to delete, and where else there may be: the id of a file's proof depends on the tenant, and another
/// tenant's private one is not told from none.
fn nothing(connection: &Connection, subject: &Subject) -> String {
    let is_folder = connection.data_dir.is_some();
    let tenant = &connection.tenant;
    let mut said = if is_folder {
        "there is no such proof".to_owned()
    } else {
        "there is no proof that this credential may delete".to_owned()
    };
    let by_file = matches!(subject, Subject::File(_) | Subject::Hash(_));
    if by_file {
        said.push_str(&format!("; the one of the tenant `{tenant}` was looked for (--tenant)"));
    }
    if !is_folder {
        said.push_str("; a proof is deleted with a token of its tenant (--token)");
    }
    said
}
