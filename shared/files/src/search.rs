//! Finding files: by their owner, their collection or their entity, page by page.
//!
//! Owners and collections have listings of the index, oldest file first. The files of an entity are those of its lists, in the
//! order of the names of the collections, and within a list in its order: a page has the files that the caller may read, and
//! nothing tells of the others. A page of a listing may be short, while another one follows.

use std::fmt;
use std::str::FromStr;

use credlink_core::access::Caller;
use credlink_core::file::{CollectionName, EntityRef, FileId, ListPlace, OwnerId};
use credlink_core::http::problem::Problem;
use credlink_core::http::reply::Reply;
use credlink_core::row::Row;
use credlink_core::rules::file_access::Action;
use credlink_core::rules::file_search::FileSearch;
use credlink_core::tenant::Tenant;
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use serde_json::{Value, json};

use credlink_ports::cursor::Cursor;
use credlink_ports::limits::milliseconds;
use credlink_ports::{FilesOf, Index as _, Listing, Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::Error;

use crate::files::Files;
use crate::objects::READS_AT_ONCE;
use crate::rows;

/// The most pages of the index that are read for one page of an answer, if the files of an owner are searched for those of a
/// collection.
const MAX_PAGES: usize = 4;

/// The bytes of an answer after which no further file is added to it. A record has up to 25,000, and a function answers with
/// up to 4,400,000.
const FULL_ANSWER_BYTES: usize = 2_000_000;

/// A file that was found, and the cursor of the page behind it.
struct Match {
    file: FileId,
    cursor: String,
}

/// The files that were found for one page.
struct Matches {
    files: Vec<Match>,
    /// The cursor of the next page, if there is one.
    next: Option<String>,
}

/// A position in the lists of an entity: a file, and the collection of its list. The number of its place would tell how many files
/// are before it, of which a reader may know nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    file: FileId,
    collection: CollectionName,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.file, self.collection)
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (file, collection) = text.split_at_checked(32).ok_or(())?;
        Ok(Self { file: file.parse().map_err(drop)?, collection: collection.parse().map_err(drop)? })
    }
}

impl Position {
    /// Returns the place at which a list is continued: behind the file, wherever it stands now, or at the beginning if it has left
    /// the list, so that nothing is left out.
    fn resumes(&self, files: &[FileId]) -> usize {
        files.iter().position(|file| *file == self.file).map_or(0, |place| place + 1)
    }
}

/// Returns the refusal of a cursor that is not one of this search.
fn no_cursor() -> Problem {
    Problem::field("after", "it has to be the `next` of an earlier page")
}

impl<Q: Quarantine> Files<Q> {
    /// Answers `GET /v1/files`.
    ///
    /// # Errors
    /// Fails with 400 for a cursor of another search, and with 404 if there is no such collection and it has no files. Also
    /// fails if a provider or the index fails.
    pub(crate) async fn find_files<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        search: FileSearch,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Reply, Error> {
        let matches = match search {
            FileSearch::Entity { entity, collection, owner } => {
                let purpose = format!("{} {entity}", caller.tenant);
                let places = self.places(entity, collection)?;
                let all = self.in_lists(service, caller, &places, (after, &purpose)).await?;
                return self.page(service, caller, all, owner.as_ref(), limit).await;
            }
            FileSearch::Owner { owner, collection } => {
                let listed = FilesOf::Owner(owner);
                let name = collection.as_ref();
                let found = in_listing(service, &caller.tenant, listed, name, after, limit).await?;
                self.unless_misspelt(found, name, after)?
            }
            FileSearch::Collection(name) => {
                let listed = FilesOf::Collection(name.clone());
                let found = in_listing(service, &caller.tenant, listed, None, after, limit).await?;
                self.unless_misspelt(found, Some(&name), after)?
            }
            FileSearch::Tenant => {
                in_listing(service, &caller.tenant, FilesOf::Tenant, None, after, limit).await?
            }
        };
        self.page(service, caller, matches, None, limit).await
    }

    /// Returns what was found, unless it is nothing and no collection has the name: then the name is most likely misspelt. A
    /// collection that was taken out of the configuration may still have files.
    fn unless_misspelt(
        &self,
        found: Matches,
        name: Option<&CollectionName>,
        after: Option<&str>,
    ) -> Result<Matches, Problem> {
        let is_nothing = found.files.is_empty() && found.next.is_none() && after.is_none();
        match name.filter(|name| is_nothing && self.collection(name).is_none()) {
            Some(name) => Err(self.no_collection(name)),
            None => Ok(found),
        }
    }

    /// Returns the lists of an entity in the order in which they are searched: the list in `collection`, or one for each
    /// collection.
    fn places(
        &self,
        entity: EntityRef,
        collection: Option<CollectionName>,
    ) -> Result<Vec<ListPlace>, Problem> {
        let Some(collection) = collection else {
            // The names are sorted.
            let place =
                |name: &CollectionName| ListPlace { entity: entity.clone(), collection: name.clone() };
            return Ok(self.settings.collections.names().map(place).collect());
        };
        let place = ListPlace { entity, collection };
        self.rules(&place)?;
        Ok(vec![place])
    }

    /// Returns the files of lists, behind the position `after`. It has a seal: a position that was made up, or is of another entity,
    /// would tell whether a file is in a list, and so would one of a file that the caller may no longer read.
    async fn in_lists<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        places: &[ListPlace],
        (after, purpose): (Option<&str>, &str),
    ) -> Result<Matches, Error> {
        let keys = &self.settings.link_keys;
        let position = |text: &str| {
            keys.unsealed(purpose, text).and_then(|text| text.parse().ok()).ok_or_else(no_cursor)
        };
        let after: Option<Position> = after.map(position).transpose()?;
        let mut files: Vec<Match> = Vec::new();
        for place in places {
            let start = after.as_ref().filter(|after| after.collection >= place.collection);
            if start.is_some_and(|after| after.collection > place.collection) {
                continue;
            }
            let Some(row) = rows::list(service, &caller.tenant, place).await? else { continue };
            let listed = row.files.files();
            let start = match start {
                Some(after) if self.may_read(service, caller, &after.file).await? => after.resumes(listed),
                _ => 0,
            };
            for file in listed.iter().skip(start) {
                let position = Position { file: *file, collection: place.collection.clone() };
                let cursor = keys.sealed(purpose, &position.to_string());
                files.push(Match { file: *file, cursor });
            }
        }
        Ok(Matches { files, next: None })
    }

    async fn may_read<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        file: &FileId,
    ) -> Result<bool, Error> {
        match self.readable(service, caller, file, Action::Read).await {
            Ok(_) => Ok(true),
            Err(Error::Problem(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Answers with a page of at most `limit` files that the caller may read, and that belong to `owner` if one is given. The
    /// cursor of the next page is that of a file on this one, so that it names nothing that the caller may not know.
    async fn page<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        matches: Matches,
        owner: Option<&OwnerId>,
        limit: usize,
    ) -> Result<Reply, Error> {
        let mut documents = stream::iter(matches.files)
            .map(async |Match { file, cursor }: Match| {
                match self.readable(service, caller, &file, Action::Read).await {
                    Ok(found) if owner.is_some() && found.record.owner.as_ref() != owner => Ok(None),
                    Ok(found) => Ok(Some((self.file_document(caller, &found.record), cursor))),
                    // Private to others, expired, or deleted a moment ago.
                    Err(Error::Problem(_)) => Ok(None),
                    Err(error) => Err(error),
                }
            })
            .buffered(READS_AT_ONCE);
        let (mut shown, mut bytes, mut last) = (Vec::new(), 0, None);
        let mut next = matches.next;
        while let Some(found) = documents.next().await {
            let Some((document, cursor)): Option<(Value, String)> = found? else { continue };
            if bytes >= FULL_ANSWER_BYTES || shown.len() == limit {
                next = last;
                break;
            }
            bytes += document.to_string().len();
            shown.push(document);
            last = Some(cursor);
        }
        let mut document = json!({ "files": shown });
        if let Some(next) = next {
            document["next"] = json!(next);
        }
        Ok(Reply::json(StatusCode::OK, &document))
    }
}

/// Returns the files of a listing of the index, and only those of `collection` if one is named.
async fn in_listing<P: Ports>(
    service: &Service<P>,
    tenant: &Tenant,
    of: FilesOf,
    collection: Option<&CollectionName>,
    after: Option<&str>,
    limit: usize,
) -> Result<Matches, Error> {
    let listing = Listing::Files(tenant.clone(), of.clone());
    let mut files: Vec<Match> = Vec::new();
    let mut next = after.map(str::to_owned);
    for _ in 0..MAX_PAGES {
        let page = service.ports().index().list(&listing, next.as_deref(), limit - files.len()).await?;
        let page = page.ok_or_else(no_cursor)?;
        let now = service.now();
        for row in page.items.into_iter().filter_map(Row::file) {
            if collection.is_none_or(|collection| row.collection == *collection) && !row.has_expired(now) {
                let at = milliseconds(row.created);
                let cursor = Cursor::Files(tenant.clone(), of.clone(), at, row.id).text();
                files.push(Match { file: row.id, cursor });
            }
        }
        next = page.next;
        if next.is_none() || files.len() >= limit {
            break;
        }
    }
    Ok(Matches { files, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_goes_on_behind_its_file() {
        let file = |byte| FileId::from_random([byte; 20]);
        let position = Position { file: file(2), collection: "item-photo".parse().unwrap() };
        let text = position.to_string();
        assert_eq!(text, format!("{}item-photo", file(2)));
        assert_eq!(text.parse(), Ok(position.clone()));
        assert_eq!(position.resumes(&[file(1), file(2), file(3)]), 2);
        assert_eq!(position.resumes(&[file(2), file(1), file(3)]), 1, "it was moved");
        assert_eq!(position.resumes(&[file(1), file(3)]), 0, "it was taken out");
        for bad in ["", "x", &text[..31], &text[..32], &format!("é{text}"), &format!("{text}#")] {
            assert_eq!(bad.parse::<Position>(), Err(()), "{bad}");
        }
    }
}
