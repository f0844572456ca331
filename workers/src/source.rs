//! The sources of objects: R2, and the origin's API behind it.
//!
//! Every object is verified against the digest that was recorded when it was written, before it is served or cached
//! (guarantee 4). A loaded object is kept after the response: in the cache, and in R2 if it was missing there.

use std::rc::Rc;

use credlink_core::access::Visibility;
use credlink_core::bounds::{MAX_C2PA_MANIFEST_BYTES, MAX_RECORD_BYTES};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::link::path;
use credlink_core::media_type::STORED_TYPE;
use credlink_core::object::{Attributes, Facts, ObjectKey};
use credlink_core::time::Timestamp;
use js_sys::ArrayBuffer;
use wasm_bindgen::JsValue;

use crate::configuration::Configuration;
use crate::entry::{Absence, Stored};
use crate::flight::Brought;
use crate::keep::Keeper;
use crate::log;
use crate::outcome::{LoadedObject, Outcome};
use crate::runtime::{self, Answered, Broken, Place, Question};
use crate::task::{self, apart};

/// Longest object that is read, in stored bytes.
pub const MAX_OBJECT_BYTES: usize =
    if MAX_C2PA_MANIFEST_BYTES > MAX_RECORD_BYTES { MAX_C2PA_MANIFEST_BYTES } else { MAX_RECORD_BYTES };

/// A load of one object, shared by one request and all that join it.
pub struct Load {
    /// The Worker's configuration.
    pub configuration: Rc<Configuration>,
    /// The cache that receives the loaded object.
    pub keeper: Keeper,
    /// The context of the request that started the load.
    pub context: JsValue,
    /// The ID of that request.
    pub request_id: String,
    /// The key of the object.
    pub key: ObjectKey,
    /// `true` if the cache has the object. It was public when it was cached, because private objects are not.
    pub is_held: bool,
    /// R2's entity tag of the cached object. An object that came from the origin has none.
    pub known: Option<String>,
    /// The parameters of a signed link, as the client sent them, or an empty string.
    pub signature: String,
}

/// The destination of a loaded object, besides the cache.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    /// R2, where the object is missing.
    Bucket,
    /// None.
    None,
}

/// Returns the API's problem in a response, if it is one.
pub fn problem_of(answered: &Answered) -> Option<Problem> {
    let text = answered.body().map(|bytes| runtime::decode(&bytes))?;
    Problem::read(text.as_bytes())
}

/// Returns the outcome of a response in which the origin serves no object; `None` if the response is not about this
/// object.
fn declined(answered: &Answered) -> Option<Outcome> {
    let problem = problem_of(answered).filter(|_| matches!(answered.status(), 403 | 404 | 410))?;
    match problem.kind {
        ProblemKind::NotFound | ProblemKind::Deleted | ProblemKind::Expired => {
            Some(Outcome::Nothing(Absence::of(&problem)))
        }
        ProblemKind::InvalidLink => Some(Outcome::Refused(problem)),
        _ => None,
    }
}

/// Verifies stored bytes against the digest that was recorded when they were written.
///
/// # Errors
/// The reason, for the log, why they are damaged.
pub async fn check(stored: Stored, facts: Facts, bytes: ArrayBuffer) -> Result<LoadedObject, String> {
    if facts.length > MAX_OBJECT_BYTES as u64 {
        return Err(too_long(facts.length));
    }
    match runtime::sha256(&bytes, facts.coding.is_some(), facts.length).await {
        Ok(Some(digest)) if digest == facts.sha256 => Ok(LoadedObject { stored, facts, bytes }),
        Ok(Some(digest)) => {
            Err(format!("its content has the SHA-256 {digest}; {} was recorded", facts.sha256))
        }
        Ok(None) => Err(format!("its content does not have {} bytes", facts.length)),
        Err(error) => Err(error.0),
    }
}

fn too_long(bytes: u64) -> String {
    format!("it has {bytes} bytes; {MAX_OBJECT_BYTES} are the most")
}

impl Load {
    /// Runs the load. The future beside the result then caches that result.
    pub async fn run(self) -> (Brought<Outcome>, impl Future<Output = ()>) {
        let checked = runtime::now();
        let (outcome, fill) = self.bucket().await;
        let good_for = self.keeper.good_for(&self.key, &outcome);
        let kept = outcome.clone();
        let keeping = async move { self.keep(kept, fill, checked).await };
        (Brought { what: outcome, good_for }, keeping)
    }

    async fn bucket(&self) -> (Outcome, Fill) {
        let (key, known) = (self.key.to_string(), self.known.as_deref());
        let Configuration { bucket, timeout, .. } = &*self.configuration;
        let hidden = self.signature.is_empty().then_some(Facts::PRIVATE);
        let loading = runtime::load_object(bucket, &key, known, MAX_OBJECT_BYTES, hidden, *timeout);
        let loaded = match loading.await {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return apart(self.origin(Fill::Bucket)).await,
            Err(error) => {
                self.complain("R2 does not answer", &error);
                // The content of R2 is unknown.
                return apart(self.origin(Fill::None)).await;
            }
        };
        let place = || Place::of(loaded.stored());
        let tag = loaded.etag();
        // Missing attributes make the object damaged.
        let attributes = serde_json::from_str::<Attributes>(&loaded.said()).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length in bytes")]
        let size = loaded.size() as u64;
        let is_same = known == Some(&*tag);
        let stored = Stored { tag: Some(tag), size, attributes };
        let facts = match stored.facts() {
            Ok(facts) if !self.hides(&facts) => facts,
            hidden => {
                // The place is freed before the origin is asked, because its response takes a place too.
                drop(place());
                // Damaged attributes do not tell whether an object is private.
                let outcome = match hidden {
                    Ok(_) => Outcome::nothing(),
                    Err(error) => self.damaged(&error),
                };
                // For a client without a link, a private object is looked up at the origin like an absent one, which
                // takes the same time and may fail the same way. A cached object was public when it was cached: it is
                // no longer served, whatever the origin says.
                if self.is_held || !self.signature.is_empty() {
                    return (outcome, Fill::None);
                }
                return apart(self.origin(Fill::Bucket)).await;
            }
        };
        let _place = place();
        let outcome = match (loaded.stored(), is_same) {
            (Some(bytes), _) => self.checked(stored, facts, bytes).await,
            (None, true) => Outcome::Same(Rc::new((stored, facts))),
            (None, false) => self.too_long(size),
        };
        (outcome, Fill::None)
    }

    /// Returns `true` if the object must be concealed: a client without a link learns nothing about a private object,
    /// not even that it is damaged (guarantee 13).
    fn hides(&self, facts: &Facts) -> bool {
        facts.visibility == Visibility::Private && self.signature.is_empty()
    }

    fn too_long(&self, bytes: u64) -> Outcome {
        self.damaged(&too_long(bytes))
    }

    async fn checked(&self, stored: Stored, facts: Facts, bytes: ArrayBuffer) -> Outcome {
        match check(stored, facts, bytes).await {
            Ok(found) => Outcome::Found(Rc::new(found)),
            Err(why) => self.damaged(&why),
        }
    }

    /// Asks the origin for an object that R2 does not have, or if R2 does not answer.
    async fn origin(&self, fill: Fill) -> (Outcome, Fill) {
        let Some(origin) = &self.configuration.origin else {
            let outcome = if fill == Fill::Bucket { Outcome::nothing() } else { Outcome::Unreachable };
            return (outcome, Fill::None);
        };
        let and = if self.signature.is_empty() { "" } else { "&" };
        let url = format!("{origin}/v1{}?form=stored{and}{}", path(&self.key), self.signature);
        let id = format!("x-request-id:{}", self.request_id);
        let (answered, _place) = match self.ask(&url, &id).await {
            Ok(answered) => answered,
            Err(error) => {
                self.complain("the origin does not answer", &error);
                return (Outcome::Unreachable, Fill::None);
            }
        };
        let status = answered.status();
        if matches!(status, 200 | 307) {
            return self.object(answered, fill).await;
        }
        let outcome = declined(&answered).unwrap_or_else(|| {
            self.complain("the origin does not answer", &format!("its status is {status}"));
            Outcome::Unreachable
        });
        (outcome, Fill::None)
    }

    /// Returns the response of a server, with a guard for the place that its body takes.
    async fn ask(&self, url: &str, headers: &str) -> Result<(Answered, Place), Broken> {
        let milliseconds = self.configuration.timeout;
        let (method, content, limit) = ("GET", None, MAX_OBJECT_BYTES);
        let question = Question { method, url, headers, content, limit, milliseconds };
        let answered = runtime::ask_server(&question).await?;
        let place = Place::of(answered.body());
        Ok((answered, place))
    }

    /// Reads the object from a response of the origin, or from the target of its redirect: the origin redirects if an
    /// object is too large for a function's response.
    async fn object(&self, answered: Answered, mut fill: Fill) -> (Outcome, Fill) {
        let attributes = answered.said().and_then(|said| serde_json::from_str::<Attributes>(&said).ok());
        let Some(mut attributes) = attributes else {
            self.complain("the origin does not answer", &"it sends an object without its attributes");
            return (Outcome::Unreachable, Fill::None);
        };
        let elsewhere = match (answered.status(), answered.location()) {
            (307, Some(elsewhere)) => Some(self.ask(&elsewhere, "").await),
            _ => None,
        };
        let body = match (&elsewhere, answered.status()) {
            (Some(Ok((there, _))), _) if there.status() == 200 => {
                // The runtime has unpacked the body, so the bytes are not the stored ones.
                if there.coding().is_some() {
                    (attributes.content_encoding, fill) = (None, Fill::None);
                }
                there.body().ok_or_else(|| "where it sends to, there are too many bytes".to_owned())
            }
            (Some(Ok((there, _))), _) => Err(format!("where it sends to, the status is {}", there.status())),
            (Some(Err(error)), _) => Err(format!("where it sends to: {error}")),
            (None, 307) => Err("it sends to nowhere".to_owned()),
            _ if answered.content_type() == STORED_TYPE => {
                answered.body().ok_or_else(|| "it sends too many bytes".to_owned())
            }
            _ => Err(format!("it sends `{}`", answered.content_type())),
        };
        let bytes = match body {
            Ok(bytes) => bytes,
            Err(why) => {
                self.complain("the origin does not answer", &why);
                return (Outcome::Unreachable, Fill::None);
            }
        };
        let stored = Stored { tag: None, size: u64::from(bytes.byte_length()), attributes };
        let outcome = match stored.facts() {
            Ok(facts) if self.hides(&facts) => Outcome::nothing(),
            Ok(facts) => self.checked(stored, facts, bytes).await,
            Err(error) => self.damaged(&error),
        };
        (outcome, fill)
    }

    /// Caches the outcome, and starts to put the object into R2 without waiting for it.
    async fn keep(self, outcome: Outcome, fill: Fill, checked: Timestamp) {
        if let Err(error) = self.keeper.keep(&self.key, &outcome, checked).await {
            self.complain("the cache does not keep an object", &error);
        }
        let Outcome::Found(found) = outcome else { return };
        // Private objects are left to the service: an edge that verifies no links must not come to store one.
        if fill == Fill::None || found.facts.visibility == Visibility::Private || found.facts.tombstone {
            return;
        }
        let context = self.context.clone();
        let filled = task::promise(async move {
            let said = serde_json::to_string(&found.stored.attributes).unwrap_or_default();
            let (bucket, key) = (&self.configuration.bucket, self.key.to_string());
            if let Err(error) = runtime::fill_object(bucket, &key, &found.bytes, &said).await {
                self.complain("R2 does not take an object", &error);
            }
            Ok(JsValue::UNDEFINED)
        });
        runtime::go_on(&context, &filled);
    }

    fn damaged(&self, why: &dyn std::fmt::Display) -> Outcome {
        self.complain("an object is damaged", why);
        Outcome::Damaged
    }

    fn complain(&self, message: &str, why: &dyn std::fmt::Display) {
        log::failure(&self.request_id, message, &format!("{}: {why}", self.key));
    }
}
