//! `credlink files delete` and `abort`.

use credlink_core::file::{FileId, UploadId};
use serde_json::json;

use crate::client::{Client, Failed};
use crate::error::Trouble;
use crate::exit::Exit;
use crate::printer::Printer;

/// Deletes files, each by itself, and goes on after one that cannot be deleted. Deleting a file again is no error.
pub(super) fn delete(client: &Client, ids: &[FileId], printer: &Printer) -> Result<Exit, Trouble> {
    let mut exits = Vec::new();
    for id in ids {
        match client.delete_file(id) {
            Ok(()) => {
                printer.say(|| format!("{id}: deleted"), &json!({ "id": id, "deleted": true }))?;
                exits.push(Exit::Done);
            }
            Err(Failed { trouble, .. }) if ids.len() == 1 || trouble.is_about_all_files() => {
                return Err(trouble);
            }
            Err(Failed { trouble, .. }) => {
                printer.problem_of(id.to_string().as_ref(), &trouble);
                exits.push(trouble.exit());
            }
        }
    }
    let failed = exits.iter().filter(|exit| **exit != Exit::Done).count();
    if failed > 0 {
        printer.remark(&format!("{failed} of {} files were not deleted", ids.len()));
    }
    Ok(match exits.first() {
        Some(first) if exits.iter().all(|exit| exit == first) => *first,
        _ => Exit::Failed,
    })
}

/// Ends an upload.
pub(super) fn abort(client: &Client, id: &UploadId, printer: &Printer) -> Result<Exit, Trouble> {
    client.abort(id)?;
    printer.say(
        || format!("{id}: aborted; what had arrived is removed"),
        &json!({ "upload": id, "aborted": true }),
    )?;
    Ok(Exit::Done)
}
