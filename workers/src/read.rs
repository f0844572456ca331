//! Reading: finds an object in the cache, in R2 or at the origin. The rules of access and the responses are
//! `credlink_core`'s.

use std::rc::Rc;

use credlink_core::access::Caller;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Reply;
use credlink_core::http::route::Form;
use credlink_core::link::Signature;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::rules::retrieve::Lookup;
use wasm_bindgen::JsValue;
use web_sys::Response;

use crate::admission::admit;
use crate::configuration::Configuration;
use crate::entry::{Content, Stored};
use crate::flight::{Flights, share};
use crate::keep::Keeper;
use crate::lifetime::Freshness;
use crate::log::{self, CacheState};
use crate::outcome::Outcome;
use crate::request::Asked;
use crate::runtime::{self, Bytes};
use crate::source::Load;
use crate::task;

thread_local! {
    static LOADS: Flights<Outcome> = const { Flights::new() };
}

/// Seconds after which a client may retry if no source could be reached.
pub const RETRY_SECONDS: u32 = 2;

/// Validity of a link that the edge signs for the origin, in seconds: longer than the difference between two clocks.
const OWN_LINK_SECONDS: u64 = 60;

/// A request for an object.
pub struct Read<'a> {
    /// The request.
    pub asked: &'a Asked,
    /// The Worker's configuration.
    pub configuration: &'a Rc<Configuration>,
    /// The context of the request, which outlives the response.
    pub context: &'a JsValue,
    /// The key of the object.
    pub key: &'a ObjectKey,
    /// The signature of a signed link, if there are keys to verify it with.
    pub signature: Option<&'a Signature>,
    /// The requested form.
    pub form: Form,
    /// The caller. The edge accepts no credentials except signed links.
    pub caller: &'a Caller,
    /// `true` if a manifest is requested at a plain address, and there are several tenants.
    pub is_plain: bool,
}

/// A reply, with the bytes of an object if it has one.
pub struct Answer {
    /// The reply that the rules prescribe.
    pub reply: Reply,
    /// The bytes that the reply describes.
    pub bytes: Option<Bytes>,
    /// Length of the stored bytes.
    pub size: u64,
    /// Length of the content.
    pub length: u64,
    /// Seconds since the last check, for an answer from the cache.
    pub age: Option<u64>,
}

impl Answer {
    /// Creates an answer without an object.
    pub const fn of(reply: Reply) -> Self {
        Self { reply, bytes: None, size: 0, length: 0, age: None }
    }
}

/// An object that was found; `age` is the number of seconds since its last check, if it came from the cache.
struct Seen {
    facts: Facts,
    size: u64,
    bytes: Bytes,
    age: Option<u64>,
}

/// The result of the search for an object, and the part that the cache played.
type Looked = (Result<Seen, Problem>, CacheState);

impl Read<'_> {
    /// Answers the request, and reports how the cache was involved.
    pub async fn answer(&self) -> (Result<Answer, Problem>, CacheState) {
        if let ObjectKey::Revision(id, _) = self.key {
            let (current, state) = self.look(&ObjectKey::Record(*id)).await;
            let admitted = current.and_then(|current| self.lookup().admit(&current.facts));
            if let Err(problem) = admitted {
                return (Err(self.own(problem)), state);
            }
        }
        let (seen, mut state) = self.look(self.key).await;
        let answer = seen.map_err(|problem| self.own(problem)).and_then(|seen| {
            let reply = self.lookup().respond(&seen.facts)?;
            let Seen { facts, size, bytes, age } = seen;
            Ok(Answer { reply, bytes: Some(bytes), size, length: facts.length, age })
        });
        // For an invalid link, the cache state would reveal whether the object exists.
        if answer.is_err() && self.signature.is_some() {
            state = CacheState::Uncached;
        }
        (answer, state)
    }

    /// Returns the facts of the object, or `None` if it does not exist, and the part that the cache played. Fails if no
    /// source can tell.
    pub async fn facts(&self) -> (Result<Option<Facts>, Problem>, CacheState) {
        let (seen, state) = self.look(self.key).await;
        let facts = match seen {
            Ok(seen) => Ok(Some(seen.facts)),
            Err(problem) if matches!(problem.kind, ProblemKind::NotFound | ProblemKind::Deleted) => Ok(None),
            Err(problem) => Err(problem),
        };
        (facts, state)
    }

    /// Rewrites an absence in the terms of the request.
    fn own(&self, problem: Problem) -> Problem {
        match problem.kind {
            ProblemKind::NotFound => self.lookup().absent(),
            _ => problem,
        }
    }

    /// Verifies the request's signed link; `None` if there is no link, or no key to verify it with.
    fn opens(&self) -> Option<Result<(), Problem>> {
        let (signature, keys) = (self.signature?, self.configuration.link_keys.as_ref()?);
        Some(signature.verify(keys, self.key, self.asked.now))
    }

    fn lookup(&self) -> Lookup<'_> {
        Lookup {
            key: self.key,
            form: self.form,
            method: &self.asked.method,
            headers: &self.asked.headers,
            signature: self.signature,
            link_keys: self.configuration.link_keys.as_ref(),
            caller: self.caller,
            now: self.asked.now,
            is_plain: self.is_plain,
        }
    }

    fn keeper(&self) -> Keeper {
        Keeper { domain: self.asked.origin.clone(), lifetimes: self.configuration.lifetimes }
    }

    /// Finds the object under `key`: in the cache while its entry may be served, else in R2 and at the origin.
    async fn look(&self, key: &ObjectKey) -> Looked {
        let kept = self.keeper().find(key).await.unwrap_or_else(|error| {
            log::failure(&self.asked.id, "the cache does not answer", &error.0);
            None
        });
        let Some((entry, response)) = kept else { return self.load(key, None).await };
        let age = entry.age(self.asked.now);
        let lifetimes = &self.configuration.lifetimes;
        let stored = match entry.content {
            // A signed link may open an object that is absent for everyone else.
            Content::Nothing(_) if self.signature.is_some() => return self.load(key, None).await,
            Content::Nothing(absence) => {
                return match lifetimes.of_absence(age) {
                    Freshness::Fresh => (Err(not_there(absence.problem())), CacheState::Absent),
                    Freshness::Stale | Freshness::Old | Freshness::Spent => self.load(key, None).await,
                };
            }
            Content::Object(stored) => stored,
            // No object has the path of a legacy ID.
            Content::Alias(_) => return self.load(key, None).await,
        };
        // An entry with invalid attributes counts as absent.
        let Ok(facts) = stored.facts() else { return self.load(key, None).await };
        let freshness =
            if facts.tombstone { lifetimes.of_absence(age) } else { lifetimes.of_object(key, age) };
        let held = Held { stored, facts, response, age };
        match freshness {
            Freshness::Fresh => {
                let state = if held.facts.tombstone { CacheState::Absent } else { CacheState::Hit };
                (Ok(held.seen()), state)
            }
            Freshness::Stale => {
                self.refresh(key, &held);
                (Ok(held.seen()), CacheState::Stale)
            }
            Freshness::Old => self.load(key, Some(held)).await,
            Freshness::Spent => self.load(key, None).await,
        }
    }

    /// Returns the parameters of a signed link to `key`, as the client sent them. A valid link to an earlier record
    /// does not open the current record, which the edge needs from the origin nonetheless: the edge then signs a link
    /// of its own.
    fn link(&self, key: &ObjectKey) -> String {
        // An invalid link is treated like none.
        let (Some(signature), Some(Ok(())), Some(keys)) =
            (self.signature, self.opens(), &self.configuration.link_keys)
        else {
            return String::new();
        };
        if key != self.key {
            return keys.sign(key, signature.life(), self.asked.now.plus_seconds(OWN_LINK_SECONDS));
        }
        let is_of_link =
            |part: &&str| part.split_once('=').is_some_and(|(name, _)| Signature::PARAMETERS.contains(&name));
        self.asked.query.split('&').filter(is_of_link).collect::<Vec<_>>().join("&")
    }

    /// Creates a load, and the name under which requests share it.
    fn new_load(&self, key: &ObjectKey, held: Option<&Held>) -> (String, Load) {
        let signature = self.link(key);
        let (is_held, known) = (held.is_some(), held.and_then(|held| held.stored.tag.clone()));
        // The result depends on the link and on the cached entry, so requests share a load only if both are the same.
        let name = format!("{key} {is_held} {} {signature}", known.as_deref().unwrap_or_default());
        let load = Load {
            configuration: Rc::clone(self.configuration),
            keeper: self.keeper(),
            context: self.context.clone(),
            request_id: self.asked.id.clone(),
            key: key.clone(),
            is_held,
            known,
            signature,
        };
        (name, load)
    }

    /// Checks a stale entry after the response, unless a check is already in progress.
    fn refresh(&self, key: &ObjectKey, held: &Held) {
        let (name, load) = self.new_load(key, Some(held));
        if LOADS.with(|loads| loads.is_under_way(&name)) {
            return;
        }
        let (context, milliseconds) = (self.context.clone(), self.patience());
        let refresh = task::promise(async move {
            // The load caches its result itself, and logs a failure.
            let _ = share(&LOADS, &name, &context, milliseconds, load.run()).await;
            Ok(JsValue::UNDEFINED)
        });
        runtime::go_on(self.context, &refresh);
    }

    /// Returns the longest duration of a load, in milliseconds: a timeout each for R2, the origin, and the target of
    /// the origin's redirect.
    fn patience(&self) -> u64 {
        self.configuration.timeout.saturating_mul(3)
    }

    async fn load(&self, key: &ObjectKey, held: Option<Held>) -> Looked {
        let (name, load) = self.new_load(key, held.as_ref());
        // A cached object was admitted before, joining a load costs nothing, and a signed link was issued by the
        // operator.
        let is_free = held.is_some()
            || LOADS.with(|loads| loads.is_under_way(&name))
            || self.opens().is_some_and(|opens| opens.is_ok());
        if let Err(refused) = admit(self.configuration, self.asked, is_free).await {
            return (Err(refused), CacheState::None);
        }
        let outcome = share(&LOADS, &name, self.context, self.patience(), load.run()).await;
        let outcome = outcome.unwrap_or_else(|error| {
            log::failure(&self.asked.id, "an object was waited for in vain", &format!("{key}: {error}"));
            Outcome::Unreachable
        });
        let forwarded = match (&held, &outcome) {
            (Some(_), _) => CacheState::Revalidated,
            (None, Outcome::Found(found)) if self.keeper().is_kept(&found.facts) => CacheState::Miss,
            (None, Outcome::Nothing(_)) if self.configuration.lifetimes.absent > 0 => CacheState::Miss,
            (None, _) => CacheState::Uncached,
        };
        match (outcome, held) {
            (Outcome::Found(found), _) => {
                let (facts, size) = (found.facts.clone(), found.stored.size);
                let bytes = Bytes::Held(found.bytes.clone());
                (Ok(Seen { facts, size, bytes, age: None }), forwarded)
            }
            (Outcome::Same(same), Some(held)) => {
                (Ok(Seen { facts: same.1.clone(), age: None, ..held.seen() }), forwarded)
            }
            (Outcome::Nothing(absence), _) => (Err(not_there(absence.problem())), forwarded),
            (Outcome::Refused(problem), _) => (Err(problem), forwarded),
            (Outcome::Damaged, _) => (Err(Problem::damaged()), forwarded),
            (Outcome::Unreachable, Some(held)) => (Ok(held.seen()), CacheState::Error),
            (Outcome::Unreachable | Outcome::Same(_), None) => {
                (Err(Problem::unavailable(RETRY_SECONDS)), forwarded)
            }
        }
    }
}

/// An object from the cache.
struct Held {
    stored: Stored,
    facts: Facts,
    response: Response,
    age: u64,
}

impl Held {
    fn seen(self) -> Seen {
        Seen {
            facts: self.facts,
            size: self.stored.size,
            bytes: Bytes::Cached(self.response),
            age: Some(self.age / 1_000),
        }
    }
}

/// Returns the problem of an absence; [`Read::own`] puts it into the terms of the request.
fn not_there(problem: Option<Problem>) -> Problem {
    problem.unwrap_or_else(|| Problem::new(ProblemKind::NotFound, ""))
}
