//! Reading: finds an object in the cache, in R2 or at the origin. The rules of access and the responses are
//! `credlink_core`'s.

use std::rc::Rc;

use credlink_core::access::Caller;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::route::Form;
use credlink_core::link::Signature;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::rules::retrieve::Lookup;
use wasm_bindgen::JsValue;
use web_sys::Response;

use crate::admission::admit;
use crate::answer::Answer;
use crate::configuration::Configuration;
use crate::entry::{Content, Entry, Stored};
use crate::flight::{Flights, share};
use crate::keep::{Keeper, entry_of};
use crate::lifetime::Freshness;
use crate::log::{self, CacheState};
use crate::outcome::Outcome;
use crate::request::Asked;
use crate::runtime::{self, Bytes, FirstLookup};
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
pub struct Wanted<'a> {
    /// The request.
    pub asked: &'a Asked,
    /// The Worker's configuration.
    pub configuration: &'a Rc<Configuration>,
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

/// A request for an object, and what is needed to wait for it.
pub struct Read<'a> {
    /// The request.
    pub wanted: Wanted<'a>,
    /// The context of the request, which outlives the response.
    pub context: &'a JsValue,
    /// The look-up in the cache that was made before.
    pub first: &'a FirstLookup,
}

/// An object that was found; `age` is the number of seconds since its last check, if it came from the cache.
struct Seen {
    facts: Facts,
    size: u64,
    bytes: Option<Bytes>,
    age: Option<u64>,
}

/// The result of the search for an object, and the part that the cache played.
type Looked = (Result<Seen, Problem>, CacheState);

/// The use of an entry of the cache for a request.
enum Verdict {
    /// The entry is the answer.
    Answer(Result<Kept, Problem>, CacheState),
    /// The object is the answer, and is checked afterwards.
    Stale(Kept),
    /// The object is checked first.
    Old(Kept),
    /// The entry is of no use.
    Load,
}

impl Wanted<'_> {
    /// Answers the request from an entry of the cache, unless anything else has to be asked or done for it.
    pub fn hit(&self, entry: Entry) -> Option<(Result<Answer, Problem>, CacheState)> {
        match self.judge(self.key, entry) {
            Verdict::Answer(found, state) => Some(self.answer((found.map(|kept| kept.seen(None)), state))),
            Verdict::Stale(_) | Verdict::Old(_) | Verdict::Load => None,
        }
    }

    /// Returns the answer to the request from the result of the search.
    fn answer(&self, (seen, mut state): Looked) -> (Result<Answer, Problem>, CacheState) {
        let answer = seen.map_err(|problem| self.own(problem)).and_then(|seen| {
            let reply = self.lookup().respond(&seen.facts)?;
            let Seen { facts, size, bytes, age } = seen;
            Ok(Answer { bytes, size, length: facts.length, age, ..Answer::of(reply) })
        });
        // For an invalid link, the cache state would reveal whether the object exists.
        if answer.is_err() && self.signature.is_some() {
            state = CacheState::Uncached;
        }
        (answer, state)
    }

    /// Decides how an entry of the cache, under `key`, is used.
    fn judge(&self, key: &ObjectKey, entry: Entry) -> Verdict {
        let age = entry.age(self.asked.now);
        let lifetimes = &self.configuration.lifetimes;
        let stored = match entry.content {
            Content::Object(stored) => stored,
            // A signed link may open an object that is absent for everyone else.
            Content::Nothing(_) if self.signature.is_some() => return Verdict::Load,
            Content::Nothing(absence) => {
                return match lifetimes.of_absence(age) {
                    Freshness::Fresh => {
                        Verdict::Answer(Err(not_there(absence.problem())), CacheState::Absent)
                    }
                    Freshness::Stale | Freshness::Old | Freshness::Spent => Verdict::Load,
                };
            }
            // No object has the path of a legacy ID, or of a file's record.
            Content::Alias(_) | Content::File(_) => return Verdict::Load,
        };
        // An entry with invalid attributes counts as absent.
        let Ok(facts) = stored.facts() else { return Verdict::Load };
        let freshness =
            if facts.tombstone { lifetimes.of_absence(age) } else { lifetimes.of_object(key, age) };
        let state = if facts.tombstone { CacheState::Absent } else { CacheState::Hit };
        let kept = Kept { stored, facts, age };
        match freshness {
            Freshness::Fresh => Verdict::Answer(Ok(kept), state),
            Freshness::Stale => Verdict::Stale(kept),
            Freshness::Old => Verdict::Old(kept),
            Freshness::Spent => Verdict::Load,
        }
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
}

impl Read<'_> {
    /// Answers the request, and reports how the cache was involved.
    pub async fn answer(&self) -> (Result<Answer, Problem>, CacheState) {
        if let ObjectKey::Revision(id, _) = self.wanted.key {
            let (current, state) = self.look(&ObjectKey::Record(*id)).await;
            let admitted = current.and_then(|current| self.wanted.lookup().admit(&current.facts));
            if let Err(problem) = admitted {
                return (Err(self.wanted.own(problem)), state);
            }
        }
        self.wanted.answer(self.look(self.wanted.key).await)
    }

    /// Returns the facts of the object, or `None` if it does not exist, and the part that the cache played. Fails if no
    /// source can tell.
    pub async fn facts(&self) -> (Result<Option<Facts>, Problem>, CacheState) {
        let (seen, state) = self.look(self.wanted.key).await;
        let facts = match seen {
            Ok(seen) => Ok(Some(seen.facts)),
            Err(problem) if matches!(problem.kind, ProblemKind::NotFound | ProblemKind::Deleted) => Ok(None),
            Err(problem) => Err(problem),
        };
        (facts, state)
    }

    /// Finds the object under `key`: in the cache while its entry may be served, else in R2 and at the origin.
    async fn look(&self, key: &ObjectKey) -> Looked {
        let keeper = self.wanted.keeper();
        let found = match self.first.take(&keeper.url(key)) {
            Some(found) => found.map(|response| response.and_then(entry_of)),
            None => keeper.find(key).await,
        };
        let found = found.unwrap_or_else(|error| {
            log::failure(&self.wanted.asked.id, "the cache does not answer", &error.0);
            None
        });
        let Some((entry, response)) = found else { return self.load(key, None).await };
        match self.wanted.judge(key, entry) {
            Verdict::Answer(found, state) => {
                (found.map(|kept| kept.seen(Some(Bytes::Cached(response)))), state)
            }
            Verdict::Stale(kept) => {
                self.refresh(key, &kept);
                (Ok(kept.seen(Some(Bytes::Cached(response)))), CacheState::Stale)
            }
            Verdict::Old(kept) => self.load(key, Some((kept, response))).await,
            Verdict::Load => self.load(key, None).await,
        }
    }

    /// Creates a load, and the name under which requests share it.
    fn new_load(&self, key: &ObjectKey, held: Option<&Kept>) -> (String, Load) {
        let signature = self.wanted.link(key);
        let (is_held, known) = (held.is_some(), held.and_then(|held| held.stored.tag.clone()));
        // The result depends on the link and on the cached entry, so requests share a load only if both are the same.
        let name = format!("{key} {is_held} {} {signature}", known.as_deref().unwrap_or_default());
        let load = Load {
            configuration: Rc::clone(self.wanted.configuration),
            keeper: self.wanted.keeper(),
            context: self.context.clone(),
            request_id: self.wanted.asked.id.clone(),
            key: key.clone(),
            is_held,
            known,
            signature,
        };
        (name, load)
    }

    /// Checks a stale entry after the response, unless a check is already in progress.
    fn refresh(&self, key: &ObjectKey, held: &Kept) {
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
        self.wanted.configuration.timeout.saturating_mul(3)
    }

    async fn load(&self, key: &ObjectKey, held: Option<(Kept, Response)>) -> Looked {
        let (name, load) = self.new_load(key, held.as_ref().map(|(kept, _)| kept));
        // A cached object was admitted before, joining a load costs nothing, and a signed link was issued by the
        // operator.
        let is_free = held.is_some()
            || LOADS.with(|loads| loads.is_under_way(&name))
            || self.wanted.opens().is_some_and(|opens| opens.is_ok());
        if let Err(refused) = admit(self.wanted.configuration, self.wanted.asked, is_free).await {
            return (Err(refused), CacheState::None);
        }
        let outcome = share(&LOADS, &name, self.context, self.patience(), load.run()).await;
        let outcome = outcome.unwrap_or_else(|error| {
            log::failure(
                &self.wanted.asked.id,
                "an object was waited for in vain",
                &format!("{key}: {error}"),
            );
            Outcome::Unreachable
        });
        let forwarded = match (&held, &outcome) {
            (Some(_), _) => CacheState::Revalidated,
            (None, Outcome::Found(found)) if self.wanted.keeper().is_kept(&found.facts) => CacheState::Miss,
            (None, Outcome::Nothing(_)) if self.wanted.configuration.lifetimes.absent > 0 => CacheState::Miss,
            (None, _) => CacheState::Uncached,
        };
        match (outcome, held) {
            (Outcome::Found(found), _) => {
                let (facts, size) = (found.facts.clone(), found.stored.size);
                let bytes = Some(Bytes::Held(found.bytes.clone()));
                (Ok(Seen { facts, size, bytes, age: None }), forwarded)
            }
            (Outcome::Same(same), Some((kept, response))) => {
                let seen = kept.seen(Some(Bytes::Cached(response)));
                (Ok(Seen { facts: same.1.clone(), age: None, ..seen }), forwarded)
            }
            (Outcome::Nothing(absence), _) => (Err(not_there(absence.problem())), forwarded),
            (Outcome::Refused(problem), _) => (Err(problem), forwarded),
            (Outcome::Damaged, _) => (Err(Problem::damaged()), forwarded),
            (Outcome::Unreachable, Some((kept, response))) => {
                (Ok(kept.seen(Some(Bytes::Cached(response)))), CacheState::Error)
            }
            (Outcome::Unreachable | Outcome::Same(_), None) => {
                (Err(Problem::unavailable(RETRY_SECONDS)), forwarded)
            }
        }
    }
}

/// An object from the cache, without its bytes; `age` is the number of milliseconds since its last check.
struct Kept {
    stored: Stored,
    facts: Facts,
    age: u64,
}

impl Kept {
    fn seen(self, bytes: Option<Bytes>) -> Seen {
        Seen { facts: self.facts, size: self.stored.size, bytes, age: Some(self.age / 1_000) }
    }
}

/// Returns the problem of an absence; [`Wanted::own`] puts it into the terms of the request.
fn not_there(problem: Option<Problem>) -> Problem {
    problem.unwrap_or_else(|| Problem::new(ProblemKind::NotFound, ""))
}
