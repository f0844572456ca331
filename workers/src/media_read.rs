//! A request for bytes of a file that waits: for a record, for bytes, or for the API.
//!
//! Requests that the edge may not decide, because the file is private or a credential is needed, and those for bytes that it
//! does not have, are passed on to the API.

use std::rc::Rc;

use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Reply;
use credlink_core::link::Signature;
use credlink_core::rules::delivery::Delivery;
use http::header::AUTHORIZATION;
use wasm_bindgen::JsValue;

use crate::admission::admit;
use crate::answer::Answer;
use crate::file::{self, Known, RecordLoad, Sight};
use crate::flight::{Flights, share};
use crate::forward::forward;
use crate::keep::{Keeper, entry_of};
use crate::log::{self, CacheState};
use crate::media::{Next, Wanted, fitting};
use crate::media_bytes::BytesLoad;
use crate::outcome::Outcome;
use crate::read::RETRY_SECONDS;
use crate::runtime::{self, Bytes, FirstLookup};
use crate::task::{self, apart};

thread_local! {
    static LOADS: Flights<Outcome> = const { Flights::new() };
}

/// A request for bytes of a file, and what is needed to wait for them.
pub struct MediaRead<'a> {
    /// The request.
    pub wanted: Wanted<'a>,
    /// The signature of a signed link, if there are keys to verify it with.
    pub signature: Option<&'a Signature>,
    /// The context of the request, which outlives the response.
    pub context: &'a JsValue,
    /// The look-up of the file's record that was made before.
    pub first: &'a FirstLookup,
    /// The look-up of the bytes that was made before.
    pub second: &'a FirstLookup,
}

/// An answer, and the part that the cache played.
type Answered = (Result<Answer, Problem>, CacheState);

impl MediaRead<'_> {
    /// Answers the request, and reports how the cache was involved.
    pub async fn answer(&self) -> Answered {
        let Wanted { asked, configuration, path, .. } = &self.wanted;
        let has_link = match self.signature.zip(configuration.link_keys.as_ref()) {
            None => false,
            // A link that is not valid is refused, whether or not something is there.
            Some((signature, keys)) => match signature.opens_media(keys, path, asked.now) {
                Ok(()) => true,
                Err(refused) => return (Err(refused), CacheState::None),
            },
        };
        let (sight, state, age) = match self.record(has_link).await {
            Ok(found) => found,
            Err(refused) => return (Err(refused), CacheState::None),
        };
        match sight {
            Sight::Public(file) | Sight::ByLink(file) => {
                let has_credential = asked.headers.contains_key(AUTHORIZATION);
                match self.wanted.next(&file, has_link, has_credential) {
                    Ok(Next::Answer(reply)) => (Ok(Answer { age, ..Answer::of(reply) }), state),
                    Ok(Next::Bytes(delivery, reply)) => {
                        self.bytes(delivery, (reply, age), state, has_link).await
                    }
                    Ok(Next::Api) => self.forward(has_link || is_counted(state), Missing::Means).await,
                    Err(problem) => (Err(problem), state),
                }
            }
            Sight::Gone(absence) => (Err(self.wanted.gone(absence.problem())), state),
            Sight::Damaged => (Err(Problem::damaged()), state),
            Sight::Hidden if configuration.origin.is_none() => (Err(self.wanted.gone(None)), state),
            Sight::Hidden => self.forward(has_link || is_counted(state), Missing::Bytes).await,
            Sight::Unreachable => self.forward(true, Missing::Answer).await,
        }
    }

    fn keeper(&self) -> Keeper {
        let Wanted { asked, configuration, .. } = &self.wanted;
        Keeper { domain: asked.origin.clone(), lifetimes: configuration.lifetimes }
    }

    /// Returns what the edge may know of the file, the part that the cache played, and the seconds since the last check if
    /// the cache knew it. Fails if the client has reached its limit.
    async fn record(&self, has_link: bool) -> Result<(Sight, CacheState, Option<u64>), Problem> {
        let Wanted { asked, configuration, path, .. } = &self.wanted;
        let (keeper, key) = (self.keeper(), file::key(&path.file));
        let found = match self.first.take(&keeper.url(&key)) {
            Some(found) => found.map(|response| response.and_then(entry_of)),
            None => keeper.find(&key).await,
        };
        let found = found.unwrap_or_else(|error| {
            log::failure(&asked.id, "the cache does not answer", &error.0);
            None
        });
        let load = RecordLoad {
            configuration: Rc::clone(configuration),
            keeper,
            request_id: asked.id.clone(),
            id: path.file,
            has_link,
        };
        let age = found.as_ref().map(|(entry, _)| entry.age(asked.now) / 1_000);
        let lifetimes = &configuration.lifetimes;
        let known = found.map(|(entry, _)| file::known(entry, &key, lifetimes, asked.now, has_link));
        let held = match known {
            Some(Known::Fresh(sight @ Sight::Public(_))) => return Ok((sight, CacheState::Hit, age)),
            Some(Known::Fresh(sight)) => return Ok((sight, CacheState::Absent, age)),
            Some(Known::Stale(file)) => {
                self.refresh(load);
                return Ok((Sight::Public(file), CacheState::Stale, age));
            }
            Some(Known::Old(file)) => Some(file),
            Some(Known::Nothing) | None => None,
        };
        let name = load.name();
        let is_under_way = file::LOADS.with(|loads| loads.is_under_way(&name));
        admit(configuration, asked, held.is_some() || has_link || is_under_way).await?;
        let shared = share(&file::LOADS, &name, self.context, self.patience(), load.run()).await;
        let sight = shared.unwrap_or_else(|error| {
            log::failure(&asked.id, "an object was waited for in vain", &format!("{key}: {error}"));
            Sight::Unreachable
        });
        let state = match (&sight, &held) {
            (_, Some(_)) => CacheState::Revalidated,
            (Sight::Public(_), None) => CacheState::Miss,
            (Sight::Gone(_) | Sight::Hidden, None) if lifetimes.absent > 0 && !has_link => CacheState::Miss,
            (_, None) => CacheState::Uncached,
        };
        Ok(match (sight, held) {
            (Sight::Unreachable, Some(file)) => (Sight::Public(file), CacheState::Error, age),
            (sight, _) => (sight, state, None),
        })
    }

    /// Checks a stale record after the response, unless a check is already in progress.
    fn refresh(&self, load: RecordLoad) {
        let name = load.name();
        if file::LOADS.with(|loads| loads.is_under_way(&name)) {
            return;
        }
        let (context, milliseconds) = (self.context.clone(), self.patience());
        let refresh = task::promise(async move {
            // The load caches its result itself, and logs a failure.
            let _ = share(&file::LOADS, &name, &context, milliseconds, load.run()).await;
            Ok(JsValue::UNDEFINED)
        });
        runtime::go_on(self.context, &refresh);
    }

    /// Answers with bytes, from the cache or from R2. `state` is the part that the cache played for the record.
    async fn bytes(
        &self,
        delivery: Delivery,
        (reply, age): (Reply, Option<u64>),
        state: CacheState,
        has_link: bool,
    ) -> Answered {
        let Wanted { asked, configuration, .. } = &self.wanted;
        let keeper = self.keeper();
        let is_kept = delivery.cache.seconds() > 0;
        let answer = |bytes, size| Answer {
            bytes: Some(bytes),
            size,
            length: delivery.bytes,
            age,
            ..Answer::of(reply.clone())
        };
        if is_kept {
            let found = match self.second.take(&keeper.url(&delivery.key)) {
                Some(found) => found.map(|response| response.and_then(entry_of)),
                None => keeper.find(&delivery.key).await,
            };
            match found {
                Ok(Some((entry, response))) => {
                    if let Some(stored) = fitting(entry, &delivery, asked.now) {
                        return (Ok(answer(Bytes::Cached(response), stored.size)), state);
                    }
                }
                Ok(None) => {}
                Err(error) => log::failure(&asked.id, "the cache does not answer", &error.0),
            }
        }
        let load = BytesLoad {
            configuration: Rc::clone(configuration),
            keeper,
            request_id: asked.id.clone(),
            delivery: delivery.clone(),
        };
        let name = load.name();
        let is_under_way = LOADS.with(|loads| loads.is_under_way(&name));
        let is_free = is_counted(state) || has_link || is_under_way;
        if let Err(refused) = admit(configuration, asked, is_free).await {
            return (Err(refused), CacheState::None);
        }
        let shared = share(&LOADS, &name, self.context, self.patience(), load.run()).await;
        let outcome = shared.unwrap_or_else(|error| {
            log::failure(
                &asked.id,
                "an object was waited for in vain",
                &format!("{}: {error}", delivery.key),
            );
            Outcome::Unreachable
        });
        match outcome {
            Outcome::Found(found) => {
                let state = if is_kept { CacheState::Miss } else { CacheState::Uncached };
                (Ok(answer(Bytes::Held(found.bytes.clone()), found.stored.size)), state)
            }
            Outcome::Unreachable => self.forward(true, Missing::Answer).await,
            // The API has another copy.
            Outcome::Nothing(_) | Outcome::Same(_) | Outcome::Refused(_) | Outcome::Damaged => {
                self.forward(true, Missing::Bytes).await
            }
        }
    }

    /// Returns the longest duration of a load, in milliseconds: the time-out for R2, and as long for checking what it sends.
    fn patience(&self) -> u64 {
        self.wanted.configuration.timeout.saturating_mul(2)
    }

    /// Passes the request on to the API, if there is one. The request `is_free` if a look-up was counted for it, or need
    /// not be.
    async fn forward(&self, is_free: bool, missing: Missing) -> Answered {
        let Wanted { asked, configuration, path, .. } = &self.wanted;
        let Some(origin) = &configuration.origin else {
            let problem = match missing {
                Missing::Bytes => Problem::damaged(),
                Missing::Answer => Problem::unavailable(RETRY_SECONDS),
                Missing::Means => Problem::new(
                    ProblemKind::NotConfigured,
                    "the API serves this, and this edge does not know the API: CREDLINK_ORIGIN_URL is not set",
                ),
            };
            return (Err(problem), CacheState::Uncached);
        };
        if let Err(refused) = admit(configuration, asked, is_free).await {
            return (Err(refused), CacheState::None);
        }
        (apart(forward(asked, configuration, origin, path)).await, CacheState::Uncached)
    }
}

/// Returns `true` if the limiter counted a request for whose record the cache played this part.
const fn is_counted(state: CacheState) -> bool {
    matches!(state, CacheState::Miss | CacheState::Uncached)
}

/// The reason why the API is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// R2 lacks what the record describes, or has no record that it may show.
    Bytes,
    /// R2 does not answer.
    Answer,
    /// The edge cannot hold bytes of this length, or cannot check the credential that they need.
    Means,
}
