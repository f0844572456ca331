//! The bytes of files: `/media/{file}/{name}`, and the part of such a request that waits for nothing.
//!
//! The file's record decides: who may read, which object has the bytes, and for how long they may be kept. It takes one
//! look-up in the cache, and the bytes another one.

use std::rc::Rc;

use credlink_core::access::Caller;
use credlink_core::file::MediaPath;
use credlink_core::file_record::ServedFile;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::{Body, Reply};
use credlink_core::http::route::{Media, Route};
use credlink_core::rules::delivery::{Delivery, deliver};
use credlink_core::rules::file_access::may;
use credlink_core::time::Timestamp;

use crate::answer::Answer;
use crate::configuration::Configuration;
use crate::entry::{Content, Entry, Stored};
use crate::file::{self, Known, Sight};
use crate::keep;
use crate::log::{CacheState, Course};
use crate::request::Asked;
use crate::runtime::now;
use crate::source::MAX_OBJECT_BYTES;

/// A request for bytes of a file.
pub struct Wanted<'a> {
    /// The request.
    pub asked: &'a Asked,
    /// The Worker's configuration.
    pub configuration: &'a Rc<Configuration>,
    /// The address.
    pub path: &'a MediaPath,
    /// `true` if the browser should save the file instead of showing it.
    pub is_download: bool,
}

/// The next step with a file that may be read.
pub enum Next {
    /// This is the answer.
    Answer(Reply),
    /// The bytes are needed for the answer.
    Bytes(Delivery, Reply),
    /// The API decides, or has the bytes.
    Api,
}

/// Describes the answer that the entry `said` of a file's record gives, or returns the URL of the entry with the bytes;
/// `None` if the entry is not enough.
pub fn hit(lines: &str, said: &str) -> Option<String> {
    with_wanted(lines, |wanted, course| {
        let (sight, age) = wanted.fresh(said)?;
        let (answer, cache) = match sight {
            Sight::Public(file) => match wanted.next(&file, false, true) {
                Ok(Next::Bytes(delivery, _)) => {
                    let is_kept = delivery.cache.seconds() > 0;
                    return is_kept.then(|| keep::url(&wanted.asked.origin, &delivery.key));
                }
                Ok(Next::Answer(reply)) => {
                    (Ok(Answer { age: Some(age), ..Answer::of(reply) }), CacheState::Hit)
                }
                Ok(Next::Api) => return None,
                Err(problem) => (Err(problem), CacheState::Hit),
            },
            Sight::Gone(absence) => (Err(wanted.gone(absence.problem())), CacheState::Absent),
            Sight::Hidden if wanted.configuration.origin.is_none() => {
                (Err(wanted.gone(None)), CacheState::Absent)
            }
            Sight::Hidden | Sight::ByLink(_) | Sight::Damaged | Sight::Unreachable => return None,
        };
        Some(wanted.describe(answer, Course { cache, ..course }))
    })
}

/// Describes the answer with bytes whose entry is `of_bytes`; `None` if the entry is not enough.
pub fn hit_bytes(lines: &str, said: &str, of_bytes: &str) -> Option<String> {
    with_wanted(lines, |wanted, course| {
        let (Sight::Public(file), age) = wanted.fresh(said)? else { return None };
        let Ok(Next::Bytes(delivery, reply)) = wanted.next(&file, false, true) else { return None };
        let stored = fitting(Entry::parse(of_bytes)?, &delivery, wanted.asked.now)?;
        let (size, length) = (stored.size, delivery.bytes);
        let answer = Answer { size, length, age: Some(age), ..Answer::of(reply) };
        Some(wanted.describe(Ok(answer), Course { cache: CacheState::Hit, ..course }))
    })
}

/// Calls `answer` with the request that the lines describe, if it is one for bytes of a file without a link to verify.
fn with_wanted(lines: &str, answer: impl FnOnce(&Wanted<'_>, Course) -> Option<String>) -> Option<String> {
    let configuration = &Configuration::known()?;
    let asked = &Asked::read(lines).ok()?;
    let route = Route::parse_public(&asked.method, &asked.path, &asked.query).ok()?;
    let course = Course { route: Some(route.name()), ..Course::default() };
    let Route::Media(Media::Read { path, signature, download }) = &route else { return None };
    if signature.is_some() && configuration.checks_links() {
        return None;
    }
    answer(&Wanted { asked, configuration, path, is_download: *download }, course)
}

/// Returns the stored object of an entry that has the bytes of a delivery.
pub fn fitting(entry: Entry, delivery: &Delivery, now: Timestamp) -> Option<Stored> {
    let is_fresh = entry.age(now) / 1_000 < delivery.cache.seconds();
    let Content::Object(stored) = entry.content else { return None };
    let facts = stored.facts().ok()?;
    let is_same = facts.sha256 == delivery.sha256 && facts.length == delivery.bytes && facts.coding.is_none();
    (is_fresh && is_same).then_some(stored)
}

impl Wanted<'_> {
    /// Returns what a fresh entry of the record says, and the seconds since its last check.
    fn fresh(&self, said: &str) -> Option<(Sight, u64)> {
        let entry = Entry::parse(said)?;
        let age = entry.age(self.asked.now) / 1_000;
        let key = file::key(&self.path.file);
        match file::known(entry, &key, &self.configuration.lifetimes, self.asked.now, false) {
            Known::Fresh(sight) => Some((sight, age)),
            Known::Stale(_) | Known::Old(_) | Known::Nothing => None,
        }
    }

    /// Decides the next step with a file. `has_link` is `true` if the request has a valid link, and `may_have_credential`
    /// if it may have one that only the API can check.
    pub fn next(
        &self,
        file: &ServedFile<'_>,
        has_link: bool,
        may_have_credential: bool,
    ) -> Result<Next, Problem> {
        let (name, Asked { method, headers, now, .. }) = (&self.path.name, self.asked);
        // Of a public file, this can only be an original that its owner gets.
        if may(&Caller::anonymous(), &file.guarded(), name.action(), has_link).is_err() {
            return if may_have_credential { Ok(Next::Api) } else { Err(self.gone(None)) };
        }
        let delivery = deliver(file, name, headers, *now)?;
        let reply = delivery.respond(method, headers, file.created, self.is_download)?;
        Ok(match reply.body {
            Body::Stored { .. } if delivery.bytes > MAX_OBJECT_BYTES as u64 => Next::Api,
            Body::Stored { .. } => Next::Bytes(delivery, reply),
            Body::Empty | Body::Bytes(_) => Next::Answer(reply),
        })
    }

    /// Returns the problem of a file that is not there, or was deleted.
    pub fn gone(&self, problem: Option<Problem>) -> Problem {
        let absent = || Problem::new(ProblemKind::NotFound, format!("no file has the id {}", self.path.file));
        problem.unwrap_or_else(absent)
    }

    fn describe(&self, answer: Result<Answer, Problem>, course: Course) -> String {
        let answer = answer.unwrap_or_else(|problem| Answer::of(problem.reply(Some(&self.asked.id))));
        answer.describe(self.asked, course, now())
    }
}
