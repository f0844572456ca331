//! `credlink files attach`, `detach`, `replace` and `order`: the list of an entity. Each is one commit of the server.

use credlink_core::file::{FileId, ListPlace};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Answer, Client, Failed};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// The most times that an order is decided anew, because somebody else changed the list meanwhile.
const ATTEMPTS: usize = 10;

/// A list, as far as it is looked at.
#[derive(Deserialize)]
struct Listed {
    files: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: FileId,
}

/// Puts a file into a list, or moves it.
pub(super) fn attach(
    client: &Client,
    place: &ListPlace,
    id: &FileId,
    position: Option<u32>,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let change = match position {
        Some(position) => json!({ "attach": id, "position": position }),
        None => json!({ "attach": id }),
    };
    tell(&client.change_list(place, &change)?, place, printer)
}

/// Takes a file out of a list.
pub(super) fn detach(
    client: &Client,
    place: &ListPlace,
    id: &FileId,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    tell(&client.change_list(place, &json!({ "detach": id }))?, place, printer)
}

/// Puts a file in the place of another one.
pub(super) fn replace(
    client: &Client,
    place: &ListPlace,
    (old, new): (&FileId, &FileId),
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let change = json!({ "replace": { "old": old, "new": new } });
    tell(&client.change_list(place, &change)?, place, printer)
}

/// Orders a list. If somebody else changes it meanwhile, the order is decided anew from the list as it is then.
pub(super) fn order(
    client: &Client,
    place: &ListPlace,
    ids: &[FileId],
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let mut attempts = 0;
    loop {
        let answer = client.entity_list(place)?;
        let listed: Vec<FileId> = answer.read::<Listed>()?.files.into_iter().map(|entry| entry.id).collect();
        let ordered = ordered(&listed, ids).map_err(|id| {
            let detail =
                format!("the file {id} is not in the list {place}; `credlink files attach` puts it there");
            Trouble::new(TroubleKind::Usage, detail)
        })?;
        let tag = answer.etag().ok_or_else(|| {
            Trouble::new(
                TroubleKind::NotCredLink,
                "the list has no ETag, so that its order cannot be changed safely",
            )
        })?;
        attempts += 1;
        match client.put_list(place, &ordered, tag) {
            Ok(answer) => return tell(&answer, place, printer),
            Err(Failed { trouble, .. }) if trouble.is_failed_condition() && attempts < ATTEMPTS => {}
            Err(failed) => return Err(failed.trouble),
        }
    }
}

/// Returns `listed` with `first` at its beginning, or the file that is not in it.
fn ordered(listed: &[FileId], first: &[FileId]) -> Result<Vec<FileId>, FileId> {
    let mut ordered = Vec::new();
    if let Some(id) = first.iter().find(|id| !listed.contains(id)) {
        return Err(*id);
    }
    for id in first.iter().chain(listed) {
        if !ordered.contains(id) {
            ordered.push(*id);
        }
    }
    Ok(ordered)
}

/// Prints a list after a change.
fn tell(answer: &Answer, place: &ListPlace, printer: &Printer) -> Result<Exit, Trouble> {
    let document: Value = answer.read()?;
    let Listed { files } = answer.read()?;
    let words = || {
        let mut lines = vec![format!("{place}: {} files", files.len())];
        lines.extend(files.iter().enumerate().map(|(number, entry)| format!("  {number:3}  {}", entry.id)));
        lines
    };
    printer.say(words, &document)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_files_come_first_and_nothing_leaves_the_list() {
        let id = |byte| FileId::from_random([byte; 20]);
        let listed = [id(1), id(2), id(3), id(4)];
        let ordered_by = |first: &[u8]| ordered(&listed, &first.iter().copied().map(id).collect::<Vec<_>>());
        assert_eq!(ordered_by(&[3]), Ok(vec![id(3), id(1), id(2), id(4)]));
        assert_eq!(ordered_by(&[4, 2]), Ok(vec![id(4), id(2), id(1), id(3)]));
        assert_eq!(ordered_by(&[2, 2]), Ok(vec![id(2), id(1), id(3), id(4)]));
        assert_eq!(ordered_by(&[1, 9]), Err(id(9)));
    }
}
