//! The records of files: which files everybody may read, and which a signed link opens.
//!
//! Only what decides about the bytes of a public file is cached ([`ServedFile`]); the record itself, which has parts that
//! are its owner's alone, is not. A private file is never answered here, not even by a link: the API serves it, which
//! keeps account of such reads.

use std::rc::Rc;

use credlink_core::access::Visibility;
use credlink_core::bounds::MAX_FILE_RECORD_BYTES;
use credlink_core::file::{Access, FileId};
use credlink_core::file_record::ServedFile;
use credlink_core::http::problem::Problem;
use credlink_core::object::{Attributes, Facts, MediaKey, ObjectKey};
use credlink_core::time::Timestamp;
use js_sys::ArrayBuffer;

use crate::configuration::Configuration;
use crate::entry::{Absence, Content, Entry, tag};
use crate::flight::{Brought, Flights};
use crate::keep::Keeper;
use crate::lifetime::{Freshness, Lifetimes};
use crate::log;
use crate::outcome::Outcome;
use crate::runtime;

thread_local! {
    /// The loads of records in progress.
    pub static LOADS: Flights<Sight> = const { Flights::new() };
}

/// A file's record, without what is its owner's.
type File = Rc<ServedFile<'static>>;

/// The part of a file that the edge may know.
#[derive(Clone)]
pub enum Sight {
    /// A file that everybody may read.
    Public(File),
    /// A file that a signed link opens. It is cached for nobody.
    ByLink(File),
    /// The file was deleted, which everybody may know.
    Gone(Absence),
    /// R2 has no record, or one of a file that only the API may serve. No reader is told which.
    Hidden,
    /// The record in R2 is not what was stored.
    Damaged,
    /// R2 does not answer.
    Unreachable,
}

/// The use of an entry of the cache.
pub enum Known {
    /// The entry is the answer.
    Fresh(Sight),
    /// The file is the answer, and its record is checked afterwards.
    Stale(File),
    /// The record is checked first.
    Old(File),
    /// The entry is of no use.
    Nothing,
}

/// Returns the key of a file's record.
pub const fn key(id: &FileId) -> ObjectKey {
    ObjectKey::Media(MediaKey::File(*id))
}

/// Decides how an entry for the record under `key` is used at `now`. `has_link` is `true` if the request has a valid link.
pub fn known(entry: Entry, key: &ObjectKey, lifetimes: &Lifetimes, now: Timestamp, has_link: bool) -> Known {
    let age = entry.age(now);
    match entry.content {
        Content::File(line) => {
            let Some(file) = ServedFile::from_line(&line).map(Rc::new) else { return Known::Nothing };
            match lifetimes.of_object(key, age) {
                Freshness::Fresh => Known::Fresh(Sight::Public(file)),
                Freshness::Stale => Known::Stale(file),
                Freshness::Old => Known::Old(file),
                Freshness::Spent => Known::Nothing,
            }
        }
        Content::Nothing(absence) if lifetimes.of_absence(age) == Freshness::Fresh => {
            match absence.problem() {
                Some(_) => Known::Fresh(Sight::Gone(absence)),
                // A link may open a file that is absent for everyone else.
                None if has_link => Known::Nothing,
                None => Known::Fresh(Sight::Hidden),
            }
        }
        Content::Nothing(_) | Content::Object(_) | Content::Alias(_) => Known::Nothing,
    }
}

/// A load of one record, shared by one request and all that join it.
pub struct RecordLoad {
    /// The Worker's configuration.
    pub configuration: Rc<Configuration>,
    /// The cache that receives the record.
    pub keeper: Keeper,
    /// The ID of the request that started the load.
    pub request_id: String,
    /// The file.
    pub id: FileId,
    /// `true` if the request has a valid link to a part of the file.
    pub has_link: bool,
}

impl RecordLoad {
    /// Returns the name under which requests share the load.
    pub fn name(&self) -> String {
        format!("{} {}", self.id, self.has_link)
    }

    /// Runs the load. The future beside the result then caches that result.
    pub async fn run(self) -> (Brought<Sight>, impl Future<Output = ()>) {
        let checked = runtime::now();
        let what = self.ask().await;
        let lifetimes = &self.keeper.lifetimes;
        let seconds = match what {
            Sight::Public(_) => lifetimes.record.fresh,
            Sight::Gone(_) | Sight::Hidden => lifetimes.absent,
            Sight::ByLink(_) | Sight::Damaged | Sight::Unreachable => 0,
        };
        let kept = what.clone();
        let keeping = async move { self.keep(kept, checked).await };
        (Brought { what, good_for: seconds.saturating_mul(1_000) }, keeping)
    }

    async fn ask(&self) -> Sight {
        let Configuration { bucket, timeout, .. } = &*self.configuration;
        let hidden = (!self.has_link).then_some(Facts::PRIVATE);
        let key = key(&self.id).to_string();
        let loading = runtime::load_object(bucket, &key, None, MAX_FILE_RECORD_BYTES, hidden, *timeout);
        let loaded = match loading.await {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return Sight::Hidden,
            Err(error) => {
                self.complain("R2 does not answer", &error);
                return Sight::Unreachable;
            }
        };
        // Missing attributes make the object damaged. They do not tell whether the file is private.
        let attributes = serde_json::from_str::<Attributes>(&loaded.said()).unwrap_or_default();
        let facts = match Facts::read(&attributes) {
            Ok(facts) => facts,
            Err(error) => {
                self.complain("an object is damaged", &error);
                return Sight::Hidden;
            }
        };
        let is_public = facts.visibility == Visibility::Public;
        if facts.tombstone && is_public {
            return Sight::Gone(Absence::of(&Problem::deleted(facts.created)));
        }
        if facts.tombstone || !is_public && !self.has_link {
            return Sight::Hidden;
        }
        match self.read(&facts, loaded.stored()).await {
            Ok(file) => match file.access {
                Access::Public => Sight::Public(Rc::new(file)),
                // The API logs accesses.
                Access::Authenticated if self.has_link && !file.audited => Sight::ByLink(Rc::new(file)),
                Access::Authenticated | Access::Private => Sight::Hidden,
            },
            Err(why) => {
                self.complain("an object is damaged", &why);
                if is_public { Sight::Damaged } else { Sight::Hidden }
            }
        }
    }

    async fn read(&self, facts: &Facts, stored: Option<ArrayBuffer>) -> Result<ServedFile<'static>, String> {
        let stored =
            stored.ok_or_else(|| format!("it has more than {MAX_FILE_RECORD_BYTES} bytes as stored"))?;
        if facts.length > MAX_FILE_RECORD_BYTES as u64 {
            return Err(format!("it has {} bytes; {MAX_FILE_RECORD_BYTES} are the most", facts.length));
        }
        let is_packed = facts.coding.is_some();
        let digest = runtime::sha256(&stored, is_packed, facts.length).await.map_err(|error| error.0)?;
        if digest != Some(facts.sha256) {
            return Err(format!("its content does not have the SHA-256 {}", facts.sha256));
        }
        let text = runtime::text_of(&stored, is_packed, facts.length).await.map_err(|error| error.0)?;
        ServedFile::parse(&text.unwrap_or_default(), &self.id)
    }

    /// Caches what everybody may know. A failure replaces nothing.
    async fn keep(self, sight: Sight, checked: Timestamp) {
        let (key, keeper) = (key(&self.id), &self.keeper);
        let kept = match sight {
            Sight::Public(file) => {
                let entry = Entry::new(Content::File(file.to_line()), checked);
                let headers = entry.headers(&tag(&key), keeper.lifetimes.kept(&key));
                runtime::cache(&keeper.url(&key), &headers, None).await
            }
            Sight::Gone(absence) => keeper.keep(&key, &Outcome::Nothing(absence), checked).await,
            // The file may have been public when it was cached.
            Sight::Hidden | Sight::ByLink(_) => keeper.keep(&key, &Outcome::nothing(), checked).await,
            Sight::Damaged | Sight::Unreachable => Ok(()),
        };
        if let Err(error) = kept {
            self.complain("the cache does not keep an object", &error);
        }
    }

    fn complain(&self, message: &str, why: &dyn std::fmt::Display) {
        log::failure(&self.request_id, message, &format!("{}: {why}", key(&self.id)));
    }
}

#[cfg(test)]
mod tests {
    use credlink_core::http::problem::ProblemKind;

    use super::*;

    fn file() -> ServedFile<'static> {
        let (id, digits) = ("a".repeat(32), "0".repeat(64));
        let text = format!(
            r#"{{"version":1,"id":"{id}","tenant":"default","access":"public","blob":"{id}","media_hash":"sha256:{digits}",
            "type":"image/jpeg","bytes":7,"created":"2026-01-01T12:00:00Z","owner":"anna"}}"#
        );
        ServedFile::parse(&text, &id.parse().unwrap()).unwrap()
    }

    /// The use of an entry of this age, in a word.
    fn used(content: Content, seconds: i64, has_link: bool) -> &'static str {
        let now = Timestamp::from_milliseconds(1_000_000_000);
        let entry = Entry::new(content, Timestamp::from_milliseconds(1_000_000_000 - seconds * 1_000));
        let text = serde_json::to_string(&entry).unwrap();
        assert!(!text.contains("anna"), "{text}");
        let entry = Entry::parse(&text).unwrap();
        match known(entry, &key(&file().id), &Lifetimes::default(), now, has_link) {
            Known::Fresh(Sight::Public(found)) if *found == file() => "fresh",
            Known::Stale(found) if *found == file() => "stale",
            Known::Old(found) if *found == file() => "old",
            Known::Fresh(Sight::Gone(_)) => "gone",
            Known::Fresh(Sight::Hidden) => "hidden",
            Known::Nothing => "nothing",
            _ => "wrong",
        }
    }

    #[test]
    fn an_entry_is_used_by_its_age_and_by_what_the_request_has() {
        let absent = || Content::Nothing(Absence::of(&Problem::new(ProblemKind::NotFound, "")));
        let gone = || Content::Nothing(Absence::of(&Problem::deleted(Timestamp::from_milliseconds(0))));
        for (content, seconds, without, with_link) in [
            (Content::File(file().to_line()), 29, "fresh", "fresh"),
            (Content::File(file().to_line()), 30, "stale", "stale"),
            (Content::File(file().to_line()), 60, "old", "old"),
            (Content::File(file().to_line()), 3_600, "nothing", "nothing"),
            // A link may open what is hidden from everyone else, and not what was deleted.
            (absent(), 4, "hidden", "nothing"),
            (absent(), 5, "nothing", "nothing"),
            (gone(), 4, "gone", "gone"),
            (gone(), 5, "nothing", "nothing"),
        ] {
            assert_eq!(used(content.clone(), seconds, false), without, "{content:?}");
            assert_eq!(used(content.clone(), seconds, true), with_link, "{content:?}");
        }
    }
}
