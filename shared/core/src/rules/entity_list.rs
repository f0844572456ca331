//! The lists of files that entities have: attaching, detaching, reordering, replacing, and "only this one".
//!
//! Each operation is one decision from the list at hand to the next one, which one conditional commit then writes. If
//! another commit was first, the decision is made again from its list.

mod body;

use http::HeaderMap;

use crate::collection::Collection;
use crate::file::{FileId, FileList, ListPlace};
use crate::hash::Digest;
use crate::http::conditional::{check_removal, check_write};
use crate::http::problem::{Problem, ProblemKind};
use crate::row::{FileRow, ListRow, State};
use crate::tenant::Tenant;

pub use body::{ChangeBody, ListBody, OnlyBody, ReplaceBody};

/// A change to a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListChange {
    /// Puts a file at a place, from 0, or at the end. A file that is in the list already is moved.
    Attach(FileId, Option<u32>),
    /// Takes a file out.
    Detach(FileId),
    /// Makes the list exactly this: reorders, attaches and detaches at once.
    Put(FileList),
    /// Puts a new file in the place of an old one.
    Replace {
        /// The file that leaves.
        old: FileId,
        /// The file that takes its place.
        new: FileId,
    },
    /// Makes this file the only one.
    Only(FileId),
}

/// The outcome of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The next list.
    pub list: FileList,
    /// The files that come into the list.
    pub attached: Vec<FileId>,
    /// The files that leave the list.
    pub detached: Vec<FileId>,
}

impl Changed {
    /// Returns `true` if nothing has to be committed: the list is already what was asked for.
    #[must_use]
    pub fn is_nothing(&self, before: &FileList) -> bool {
        self.list == *before
    }
}

/// Checks the `If-Match` of a change against the list at hand. A change that names the whole list must have one, so that
/// it does not undo what its sender never saw; the others may.
///
/// # Errors
/// 428 if `If-Match` is missing, 400 if it is malformed, and 412 with the list at hand if it does not hold.
pub fn check_condition(
    headers: &HeaderMap,
    change: &ListChange,
    tenant: &Tenant,
    place: &ListPlace,
    row: Option<&ListRow>,
) -> Result<(), Problem> {
    let digest: Digest = ListRow::digest(tenant, place, row);
    let checked = match change {
        ListChange::Put(_) => check_write(headers, &digest),
        _ => check_removal(headers, &digest),
    };
    checked.map_err(|problem| match problem.kind {
        // The other writer's list is the answer to the question that comes next.
        ProblemKind::PreconditionFailed => {
            let files = row.map(|row| row.files.files()).unwrap_or_default();
            problem.with("files", files.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        ProblemKind::PreconditionRequired => {
            let detail = format!(
                "`if-match`: whoever puts the whole list names the list that it replaces, by the `ETag` in the answer to GET \
                 /v1/entities/{place}; or `*` for whichever is current"
            );
            Problem { detail, ..problem }
        }
        _ => problem,
    })
}

/// Decides what `change` makes of `before`, the list at `place`.
///
/// # Errors
/// 409 if the list would have more files than the collection allows, or a file that is to leave is not in it.
pub fn change(
    before: &FileList,
    change: &ListChange,
    place: &ListPlace,
    collection: &Collection,
) -> Result<Changed, Problem> {
    let mut files = before.files().to_vec();
    match change {
        ListChange::Attach(file, position) => {
            files.retain(|other| other != file);
            let end = files.len();
            let at = position.and_then(|position| usize::try_from(position).ok()).unwrap_or(end).min(end);
            files.insert(at, *file);
        }
        ListChange::Detach(file) => {
            if !before.contains(file) {
                return Err(not_in_list(file, place));
            }
            files.retain(|other| other != file);
        }
        ListChange::Put(list) => files = list.files().to_vec(),
        ListChange::Replace { old, new } => {
            if !before.contains(old) {
                return Err(not_in_list(old, place));
            }
            files.retain(|other| other != new || other == old);
            for file in &mut files {
                if file == old {
                    *file = *new;
                }
            }
        }
        ListChange::Only(file) => files = vec![*file],
    }
    let most = collection.max_per_entity();
    // A list that is too long since the rules changed may be reordered and shortened.
    if files.len() > most && files.len() > before.files().len() {
        return Err(full(place, most));
    }
    let list = FileList::new(files).map_err(|error| Problem::field("files", error))?;
    let attached = list.files().iter().filter(|file| !before.contains(file)).copied().collect();
    let detached = before.files().iter().filter(|file| !list.contains(file)).copied().collect();
    Ok(Changed { list, attached, detached })
}

/// Checks that a file may come into the list at `place`. That the caller may change the file is checked before
/// ([`file_access`](super::file_access)).
///
/// # Errors
/// 409 if the file is being deleted, has another collection, or is in another list.
pub fn check_attachable(file: &FileRow, place: &ListPlace) -> Result<(), Problem> {
    let conflict = |detail: String| Err(Problem::new(ProblemKind::ListConflict, detail));
    let id = file.id;
    if file.state != State::Live {
        return conflict(format!("the file {id} is deleted"));
    }
    if file.collection != place.collection {
        return conflict(format!(
            "the file {id} belongs to the collection `{}`, and the list {place} to `{}`; upload the file again for that \
             collection",
            file.collection, place.collection
        ));
    }
    match &file.entity {
        Some(entity) if *entity != place.entity => conflict(format!(
            "the file {id} is in the list of {entity}; detach it there first, or upload it again: equal content is stored \
             once"
        )),
        _ => Ok(()),
    }
}

fn not_in_list(file: &FileId, place: &ListPlace) -> Problem {
    Problem::new(ProblemKind::ListConflict, format!("the file {file} is not in the list {place}"))
}

/// Returns the problem of a list that takes no more files.
#[must_use]
pub fn full(place: &ListPlace, most: usize) -> Problem {
    let files = if most == 1 { "one file".to_owned() } else { format!("{most} files") };
    let detail = format!("the list {place} takes {files} and is full; detach or replace one first");
    Problem::new(ProblemKind::ListFull, detail).with("limit", most)
}

#[cfg(test)]
mod tests {
    use http::header::IF_MATCH;
    use proptest::prelude::*;

    use super::*;
    use crate::collection::Collections;
    use crate::file::Access;
    use crate::hash::MediaHash;
    use crate::http::conditional::entity_tag;
    use crate::time::Timestamp;

    fn id(byte: u8) -> FileId {
        FileId::from_random([byte; 20])
    }

    fn list(bytes: &[u8]) -> FileList {
        FileList::new(bytes.iter().copied().map(id).collect()).unwrap()
    }

    fn place() -> ListPlace {
        ListPlace { entity: "item/1".parse().unwrap(), collection: "item-photo".parse().unwrap() }
    }

    fn collection(max: u32) -> Collection {
        let all = Collections::default();
        let photos = all.get(&place().collection).unwrap().clone();
        Collection { max_per_entity: Some(max), ..photos }
    }

    #[test]
    fn every_change_is_one_decision() {
        use ListChange::{Attach, Detach, Only, Put, Replace};
        let ids = |bytes: &[u8]| bytes.iter().copied().map(id).collect::<Vec<_>>();
        let at = |byte, position| Attach(id(byte), position);
        for (before, asked, after, attached, detached) in [
            (&[][..], at(1, None), &[1][..], &[1][..], &[][..]),
            (&[1, 2], at(3, None), &[1, 2, 3], &[3], &[]),
            (&[1, 2], at(3, Some(0)), &[3, 1, 2], &[3], &[]),
            (&[1, 2], at(3, Some(1)), &[1, 3, 2], &[3], &[]),
            (&[1, 2], at(3, Some(9)), &[1, 2, 3], &[3], &[]),
            (&[1, 2, 3], at(3, Some(0)), &[3, 1, 2], &[], &[]),
            (&[1, 2, 3], at(1, None), &[2, 3, 1], &[], &[]),
            (&[1, 2], Detach(id(1)), &[2], &[], &[1]),
            (&[1, 2, 3], Put(list(&[3, 1, 2])), &[3, 1, 2], &[], &[]),
            (&[1, 2, 3], Put(list(&[4, 1])), &[4, 1], &[4], &[2, 3]),
            (&[1], Put(list(&[])), &[], &[], &[1]),
            (&[1, 2], Replace { old: id(1), new: id(3) }, &[3, 2], &[3], &[1]),
            (&[1, 2], Replace { old: id(1), new: id(2) }, &[2], &[], &[1]),
            (&[1, 2], Replace { old: id(1), new: id(1) }, &[1, 2], &[], &[]),
            (&[1, 2], Only(id(3)), &[3], &[3], &[1, 2]),
            (&[1, 2], Only(id(2)), &[2], &[], &[1]),
            (&[], Only(id(2)), &[2], &[2], &[]),
        ] {
            let before = list(before);
            let changed = change(&before, &asked, &place(), &collection(3)).unwrap();
            assert_eq!(changed.list, list(after), "{asked:?}");
            assert_eq!((&changed.attached, &changed.detached), (&ids(attached), &ids(detached)), "{asked:?}");
            assert_eq!(changed.is_nothing(&before), list(after) == before);
        }
        for (before, asked, kind) in [
            (&[1, 2, 3][..], at(4, None), ProblemKind::ListFull),
            (&[1, 2], Put(list(&[1, 2, 3, 4])), ProblemKind::ListFull),
            (&[1, 2], Detach(id(3)), ProblemKind::ListConflict),
            (&[1, 2], Replace { old: id(3), new: id(4) }, ProblemKind::ListConflict),
        ] {
            let problem = change(&list(before), &asked, &place(), &collection(3)).unwrap_err();
            assert_eq!(problem.kind, kind, "{asked:?}");
        }
        let problem = change(&list(&[1]), &at(2, None), &place(), &collection(1)).unwrap_err();
        assert_eq!(
            problem.detail,
            "the list item/1/item-photo takes one file and is full; detach or replace one first"
        );
        // A list from the time of a larger maximum is still reordered and shortened.
        let long = list(&[1, 2, 3, 4]);
        assert!(change(&long, &Put(list(&[4, 3, 2, 1])), &place(), &collection(2)).is_ok());
        assert!(change(&long, &Detach(id(1)), &place(), &collection(2)).is_ok());
        assert!(change(&long, &at(5, None), &place(), &collection(2)).is_err());
    }

    #[test]
    fn nobody_undoes_what_he_did_not_see() {
        let tenant = Tenant::default();
        let row = ListRow {
            version: 3,
            tenant: tenant.clone(),
            entity: place().entity,
            collection: place().collection,
            files: list(&[1, 2]),
        };
        let put = ListChange::Put(list(&[]));
        let only = ListChange::Only(id(1));
        let check = |tag: Option<String>, change: &ListChange, row: Option<&ListRow>| {
            let mut headers = HeaderMap::new();
            if let Some(tag) = tag {
                headers.insert(IF_MATCH, tag.parse().unwrap());
            }
            check_condition(&headers, change, &tenant, &place(), row)
        };
        let tag = |row: Option<&ListRow>| Some(entity_tag(&ListRow::digest(&tenant, &place(), row), None));
        assert_eq!(check(None, &put, Some(&row)).unwrap_err().kind.status().as_u16(), 428);
        assert_eq!(check(None, &only, Some(&row)), Ok(()));
        for change in [&put, &only] {
            assert_eq!(check(tag(Some(&row)), change, Some(&row)), Ok(()));
            assert_eq!(check(tag(None), change, None), Ok(()));
            let problem = check(tag(None), change, Some(&row)).unwrap_err();
            assert_eq!(problem.kind.status().as_u16(), 412);
            let files: Vec<String> = [id(1), id(2)].map(|id| id.to_string()).into();
            assert_eq!(problem.members["files"], serde_json::json!(files));
        }
    }

    #[test]
    fn a_file_is_in_one_list_of_its_own_collection() {
        let file = FileRow {
            id: id(1),
            version: 1,
            state: State::Live,
            tenant: Tenant::default(),
            owner: None,
            collection: place().collection,
            entity: None,
            unattached: None,
            access: Access::Public,
            media_hash: MediaHash::of(b"x"),
            bytes: 1,
            record_sha256: Digest::of(b"x"),
            revision: 1,
            created: Timestamp::from_milliseconds(0),
            expires: None,
        };
        assert_eq!(check_attachable(&file, &place()), Ok(()));
        let here = FileRow { entity: Some(place().entity), ..file.clone() };
        assert_eq!(check_attachable(&here, &place()), Ok(()));
        for (other, part) in [
            (FileRow { entity: Some("item/2".parse().unwrap()), ..file.clone() }, "is in the list of item/2"),
            (
                FileRow { collection: "temp".parse().unwrap(), ..file.clone() },
                "belongs to the collection `temp`",
            ),
            (FileRow { state: State::Deleting(file.created), ..file.clone() }, "is deleted"),
        ] {
            let problem = check_attachable(&other, &place()).unwrap_err();
            assert_eq!(problem.kind, ProblemKind::ListConflict);
            assert!(problem.detail.contains(part), "{problem}");
        }
    }

    fn any_change() -> impl Strategy<Value = ListChange> {
        let any = 0_u8..6;
        prop_oneof![
            (any.clone(), proptest::option::of(0_u32..6)).prop_map(|(n, at)| ListChange::Attach(id(n), at)),
            any.clone().prop_map(|n| ListChange::Detach(id(n))),
            (any.clone(), any.clone())
                .prop_map(|(old, new)| ListChange::Replace { old: id(old), new: id(new) }),
            any.prop_map(|n| ListChange::Only(id(n))),
        ]
    }

    proptest! {
        /// After any changes in any order, each file is in the list once, the list is never too long, and the files
        /// that come and go account for the difference.
        #[test]
        fn lists_add_up(changes in proptest::collection::vec(any_change(), 0..30)) {
            let mut now = FileList::default();
            for asked in changes {
                let Ok(changed) = change(&now, &asked, &place(), &collection(4)) else { continue };
                prop_assert!(changed.list.files().len() <= 4);
                let mut expected: Vec<FileId> =
                    now.files().iter().filter(|file| !changed.detached.contains(file)).copied().collect();
                expected.extend(&changed.attached);
                expected.sort();
                let mut found = changed.list.files().to_vec();
                found.sort();
                prop_assert_eq!(found, expected);
                now = changed.list;
            }
        }
    }
}
