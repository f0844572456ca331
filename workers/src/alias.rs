//! Resolves a legacy ID to the proof that it names.
//!
//! Aliases are rows of the index, which the edge does not have: the edge asks the origin, and caches its redirect for
//! as long as the redirect allows. Without an origin, no legacy ID leads to a proof here.

use std::rc::Rc;

use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::rules::alias::{FRESH_SECONDS, alias_absent, alias_reply};
use credlink_core::time::Timestamp;
use wasm_bindgen::JsValue;

use crate::admission::admit;
use crate::answer::Answer;
use crate::configuration::Configuration;
use crate::entry::{Absence, Content, Entry};
use crate::flight::{Brought, Flights, share};
use crate::keep::Keeper;
use crate::lifetime::Freshness;
use crate::log::{self, CacheState};
use crate::read::RETRY_SECONDS;
use crate::request::Asked;
use crate::runtime::{self, Question};
use crate::source::problem_of;

thread_local! {
    static LOADS: Flights<Named> = const { Flights::new() };
}

/// Longest response of the origin that is read, in bytes: a redirect has no body, and a problem is short.
const MAX_ANSWER_BYTES: usize = 65_536;

/// The origin's answer about a legacy ID.
#[derive(Clone, Copy)]
enum Named {
    /// The ID names this proof.
    Proof(ProofId),
    /// The ID names no proof.
    Nothing,
    /// The origin did not answer, or not usably.
    Unknown,
}

/// A request for a legacy ID.
pub struct Alias<'a> {
    /// The request.
    pub asked: &'a Asked,
    /// The Worker's configuration.
    pub configuration: &'a Rc<Configuration>,
    /// The context of the request, which outlives the response.
    pub context: &'a JsValue,
    /// The requested ID.
    pub id: &'a LegacyId,
}

impl Alias<'_> {
    /// Answers the request, and reports how the cache was involved.
    pub async fn answer(&self) -> (Result<Answer, Problem>, CacheState) {
        let Some(origin) = &self.configuration.origin else {
            return (Err(alias_absent(self.id)), CacheState::None);
        };
        let lifetimes = self.configuration.lifetimes;
        let keeper = Keeper { domain: self.asked.origin.clone(), lifetimes };
        let kept = keeper.find_alias(self.id).await.unwrap_or_else(|error| {
            log::failure(&self.asked.id, "the cache does not answer", &error.0);
            None
        });
        let age = kept.as_ref().map_or(0, |entry| entry.age(self.asked.now));
        let held = match kept.map(|entry| entry.content) {
            Some(Content::Nothing(_)) if lifetimes.of_absence(age) == Freshness::Fresh => {
                return (Err(alias_absent(self.id)), CacheState::Absent);
            }
            Some(Content::Alias(proof)) => match lifetimes.of_alias(age) {
                Freshness::Fresh => return (Ok(answer(&proof, Some(age))), CacheState::Hit),
                Freshness::Stale | Freshness::Old => Some(proof),
                Freshness::Spent => None,
            },
            _ => None,
        };
        let name = self.id.to_string();
        let is_free = held.is_some() || LOADS.with(|loads| loads.is_under_way(&name));
        if let Err(refused) = admit(self.configuration, self.asked, is_free).await {
            return (Err(refused), CacheState::None);
        }
        let load = Load { asked_by: self.asked.id.clone(), id: self.id.clone(), keeper };
        let (url, timeout) = (format!("{origin}/v1/proofs/{}", self.id), self.configuration.timeout);
        let run = load.run(url, timeout);
        let named = share(&LOADS, &name, self.context, timeout, run).await.unwrap_or_else(|error| {
            log::failure(&self.asked.id, "a legacy id was waited for in vain", &format!("{name}: {error}"));
            Named::Unknown
        });
        let forwarded = match (held, named) {
            (Some(_), _) => CacheState::Revalidated,
            (None, Named::Proof(_)) => CacheState::Miss,
            (None, Named::Nothing) if lifetimes.absent > 0 => CacheState::Miss,
            (None, Named::Nothing | Named::Unknown) => CacheState::Uncached,
        };
        match (named, held) {
            (Named::Proof(proof), _) => (Ok(answer(&proof, None)), forwarded),
            (Named::Nothing, _) => (Err(alias_absent(self.id)), forwarded),
            (Named::Unknown, Some(proof)) => (Ok(answer(&proof, Some(age))), CacheState::Error),
            (Named::Unknown, None) => (Err(Problem::unavailable(RETRY_SECONDS)), forwarded),
        }
    }
}

/// Returns the redirect, which was last confirmed `age` milliseconds ago.
fn answer(proof: &ProofId, age: Option<u64>) -> Answer {
    Answer { age: age.map(|age| age / 1_000), ..Answer::of(alias_reply(proof)) }
}

/// A lookup at the origin, shared by one request and all that join it.
struct Load {
    asked_by: String,
    id: LegacyId,
    keeper: Keeper,
}

impl Load {
    async fn run(self, url: String, timeout: u64) -> (Brought<Named>, impl Future<Output = ()>) {
        let checked = runtime::now();
        let named = self.ask(&url, timeout).await;
        let seconds = match named {
            Named::Proof(_) => FRESH_SECONDS,
            Named::Nothing => self.keeper.lifetimes.absent,
            Named::Unknown => 0,
        };
        let brought = Brought { what: named, good_for: seconds.saturating_mul(1_000) };
        (brought, async move { self.keep(named, checked).await })
    }

    async fn ask(&self, url: &str, milliseconds: u64) -> Named {
        let headers = &format!("x-request-id:{}", self.asked_by);
        let (method, content, limit) = ("GET", None, MAX_ANSWER_BYTES);
        let question = Question { method, url, headers, content, limit, milliseconds };
        let answered = match runtime::ask_server(&question).await {
            Ok(answered) => answered,
            Err(error) => return self.unknown(&error),
        };
        match (answered.status(), answered.location().and_then(|location| location.parse().ok())) {
            (308, Some(proof)) => Named::Proof(proof),
            (308, None) => self.unknown(&"it sends to no proof"),
            (404, _)
                if problem_of(&answered).is_some_and(|problem| problem.kind == ProblemKind::NotFound) =>
            {
                Named::Nothing
            }
            (status, _) => self.unknown(&format!("its status is {status}")),
        }
    }

    fn unknown(&self, why: &dyn std::fmt::Display) -> Named {
        log::failure(&self.asked_by, "the origin does not answer", &format!("{}: {why}", self.id));
        Named::Unknown
    }

    /// Caches the result. A failed lookup replaces nothing.
    async fn keep(self, named: Named, checked: Timestamp) {
        let content = match named {
            Named::Proof(proof) => Content::Alias(proof),
            Named::Nothing => Content::Nothing(Absence::of(&alias_absent(&self.id))),
            Named::Unknown => return,
        };
        if let Err(error) = self.keeper.keep_alias(&self.id, &Entry::new(content, checked)).await {
            log::failure(&self.asked_by, "the cache does not keep a legacy id", &error.0);
        }
    }
}
