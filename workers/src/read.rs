//! Reading: decide, look, decide. What the rules say is said by `credlink_core`; here is where to look.

use std::rc::Rc;

use credlink_core::access::Caller;
use credlink_core::http::problem::{Kind, Problem};
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

/// Seconds after which a client may come again when nothing can be said.
pub const RETRY_SECONDS: u32 = 2;

/// How long a link is good for that the edge shows to the origin: more than two clocks differ by.
const OWN_LINK_SECONDS: u64 = 60;

/// A request for an object.
pub struct Read<'a> {
    /// The request.
    pub asked: &'a Asked,
    /// What is configured.
    pub configuration: &'a Rc<Configuration>,
    /// Its context, which outlives its answer.
    pub context: &'a JsValue,
    /// Which object.
    pub key: &'a ObjectKey,
    /// The signature of a signed link, where there are keys to check it with.
    pub signature: Option<&'a Signature>,
    /// In which form.
    pub form: Form,
    /// Who asks: the edge knows no credentials but signed links.
    pub caller: &'a Caller,
    /// Whether a manifest is asked for at a plain address, where there are several tenants.
    pub is_plain: bool,
}

/// An answer with an object, or about it.
pub struct Answer {
    /// What the rules say.
    pub reply: Reply,
    /// The bytes that the reply describes.
    pub bytes: Option<Bytes>,
    /// The object's bytes as stored.
    pub size: u64,
    /// The bytes of its content.
    pub length: u64,
    /// Seconds since it was checked, where it comes from the cache.
    pub age: Option<u64>,
}

impl Answer {
    /// An answer without an object.
    pub const fn of(reply: Reply) -> Self {
        Self { reply, bytes: None, size: 0, length: 0, age: None }
    }
}

/// An object that was found, and how long ago it was checked, in seconds, where it comes from the cache.
struct Seen {
    facts: Facts,
    size: u64,
    bytes: Bytes,
    age: Option<u64>,
}

/// What looking for an object comes to, and how.
type Looked = (Result<Seen, Problem>, CacheState);

impl Read<'_> {
    /// Answers, and says how the answer came about.
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
        // How it came about would tell who shows a link that does not hold whether something is there.
        if answer.is_err() && self.signature.is_some() {
            state = CacheState::Uncached;
        }
        (answer, state)
    }

    /// What is said of the object, `None` where it is not there, and how that came about. Or nobody can say whether it is there.
    pub async fn facts(&self) -> (Result<Option<Facts>, Problem>, CacheState) {
        let (seen, state) = self.look(self.key).await;
        let facts = match seen {
            Ok(seen) => Ok(Some(seen.facts)),
            Err(problem) if matches!(problem.kind, Kind::NotFound | Kind::Deleted) => Ok(None),
            Err(problem) => Err(problem),
        };
        (facts, state)
    }

    /// Absence, in the words of what was asked for.
    fn own(&self, problem: Problem) -> Problem {
        match problem.kind {
            Kind::NotFound => self.lookup().absent(),
            _ => problem,
        }
    }

    /// Whether the link opens what was asked for; `None` where none was shown, or no keys are known.
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

    /// The object under `key`, from the cache while that is good for it, or else from R2 and the origin.
    async fn look(&self, key: &ObjectKey) -> Looked {
        let kept = self.keeper().find(key).await.unwrap_or_else(|error| {
            log::failure(&self.asked.id, "the cache does not answer", &error.0);
            None
        });
        let Some((entry, response)) = kept else { return self.load(key, None).await };
        let age = entry.age(self.asked.now);
        let lifetimes = &self.configuration.lifetimes;
        let stored = match entry.content {
            // Who shows a link may be shown what to others is not there.
            Content::Nothing(_) if self.signature.is_some() => return self.load(key, None).await,
            Content::Nothing(absence) => {
                return match lifetimes.of_absence(age) {
                    Freshness::Fresh => (Err(not_there(absence.problem())), CacheState::Absent),
                    Freshness::Stale | Freshness::Old | Freshness::Spent => self.load(key, None).await,
                };
            }
            Content::Object(stored) => stored,
            // No object has the path of a legacy id.
            Content::Alias(_) => return self.load(key, None).await,
        };
        // An entry that says nonsense is none.
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

    /// The parameters of a signed link to `key`, as they were sent. The link of an earlier record does not open the
    /// current one, which the origin has to show nonetheless: where it holds, the edge signs a link of its own.
    fn link(&self, key: &ObjectKey) -> String {
        // With one that does not hold, the same is looked for as without.
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

    /// A load, and the name by which others share it.
    fn new_load(&self, key: &ObjectKey, held: Option<&Held>) -> (String, Load) {
        let signature = self.link(key);
        let (is_held, known) = (held.is_some(), held.and_then(|held| held.stored.tag.clone()));
        // What comes depends on the link that is shown and on what the cache has: those who have the same share a load.
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

    /// Checks a stale entry after the answer, unless that is under way.
    fn refresh(&self, key: &ObjectKey, held: &Held) {
        let (name, load) = self.new_load(key, Some(held));
        if LOADS.with(|loads| loads.is_under_way(&name)) {
            return;
        }
        let (context, milliseconds) = (self.context.clone(), self.patience());
        let refresh = task::promise(async move {
            // What it comes to is kept by the load itself, and said in the log if it is a failure.
            let _ = share(&LOADS, &name, &context, milliseconds, load.run()).await;
            Ok(JsValue::UNDEFINED)
        });
        runtime::go_on(self.context, &refresh);
    }

    /// How long a load may take in all, in milliseconds: R2, the origin, and where the origin points to.
    fn patience(&self) -> u64 {
        self.configuration.timeout.saturating_mul(3)
    }

    async fn load(&self, key: &ObjectKey, held: Option<Held>) -> Looked {
        let (name, load) = self.new_load(key, held.as_ref());
        // What is at hand was found before, who joins another one costs nothing, and a link was given out by the operator.
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

/// An object of the cache.
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

/// Why there is nothing; its reader says what was asked for.
fn not_there(problem: Option<Problem>) -> Problem {
    problem.unwrap_or_else(|| Problem::new(Kind::NotFound, ""))
}
