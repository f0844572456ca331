//! `credlink delete`: a proof is gone, and stays gone.

use crate::args::{Connection, Delete};
use crate::client::{Client, Making};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::subject::Subject;
use crate::trouble::{Kind, Trouble};

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
    let was_there = client.has(&id)?;
    // Also where none can be read: an expired one goes now, and a deletion that was cut off is finished.
    client.delete(&id)?;
    let result = serde_json::json!({ "id": id, "deleted": true, "was_there": was_there });
    let words = || match was_there {
        Some(true) => format!("{id}: deleted"),
        Some(false) => {
            format!("{id}: there was no proof to be read; it is deleted, with whatever was left of it")
        }
        None => format!("{id}: deleted; what was there was damaged, and could not be read"),
    };
    printer.say(words, &result)?;
    Ok(Exit::Done)
}
