//! The part of a request that waits for nothing: the decision before the look-up in the cache, and the answer from what
//! the cache has.
//!
//! `runtime.js` makes the look-up between the two, so that an answer from the cache takes two calls of the program, and
//! no future. Nothing is kept between the calls: a request may end in between without notice.

use credlink_core::access::Caller;
use credlink_core::http::route::{Media, Reads, Route};
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::tenant::Tenant;
use wasm_bindgen::JsValue;

use crate::answer::{Answer, describe_plainly};
use crate::configuration::Configuration;
use crate::edge;
use crate::entry::Entry;
use crate::file;
use crate::keep;
use crate::log::Course;
use crate::read::Wanted;
use crate::request::{Asked, Target};
use crate::runtime::now;

/// The next step of a request.
pub enum Step {
    /// The entry under this URL is looked up in the cache.
    LookUp(String),
    /// The entry under this URL is looked up in the cache, for [`media::hit`](crate::media::hit).
    LookUpFile(String),
    /// The request is answered; see [`Answer::describe`].
    Answer(String),
    /// The request is handled by [`edge::handle`].
    Handle,
}

impl Step {
    /// Returns the step as `runtime.js` tells it: the URL, or the URL after `file `; the description, which begins with a
    /// digit; or nothing.
    pub fn into_text(self) -> String {
        match self {
            Self::LookUp(text) | Self::Answer(text) => text,
            Self::LookUpFile(url) => format!("file {url}"),
            Self::Handle => String::new(),
        }
    }
}

/// Decides the first step of a request.
pub fn begin(lines: &str, environment: &JsValue) -> Step {
    let (Ok(configuration), Ok(target)) = (Configuration::of(environment), Target::read(lines)) else {
        return Step::Handle;
    };
    let Target { method, origin, path, query } = &target;
    if edge::is_beside_reads(path) {
        return Step::Handle;
    }
    match Route::parse_public(method, path, query) {
        Ok(Route::Reads(Reads::Object { key: ObjectKey::Revision(id, _), .. })) => {
            Step::LookUp(keep::url(origin, &ObjectKey::Record(id)))
        }
        Ok(Route::Reads(Reads::Object { key, .. })) => Step::LookUp(keep::url(origin, &key)),
        Ok(Route::Reads(Reads::PlainManifest { id, form, .. })) => {
            let key = if configuration.asks_front(form) {
                ObjectKey::Front(id)
            } else {
                ObjectKey::Manifest(ManifestKey::new(&Tenant::default(), &id))
            };
            Step::LookUp(keep::url(origin, &key))
        }
        Ok(Route::Media(Media::Read { path, .. })) => {
            Step::LookUpFile(keep::url(origin, &file::key(&path.file)))
        }
        Ok(route @ Route::Options(allow)) => {
            let Ok(asked) = Asked::read(lines) else { return Step::Handle };
            let answer = edge::preflight(&asked, allow);
            let course = Course { route: Some(route.name()), ..Course::default() };
            Step::Answer(answer.describe(&asked, course, now()))
        }
        Err(problem) => {
            let Ok(asked) = Asked::read(lines) else { return Step::Handle };
            let answer = Answer::of(problem.reply(Some(&asked.id)));
            Step::Answer(answer.describe(&asked, Course::default(), now()))
        }
        Ok(_) => Step::Handle,
    }
}

/// Describes the answer to a request whose first look-up found the entry `said`; `None` if the entry is not enough.
pub fn hit(lines: &str, said: &str) -> Option<String> {
    let configuration = &Configuration::known()?;
    let asked = &Asked::read(lines).ok()?;
    let route = Route::parse_public(&asked.method, &asked.path, &asked.query).ok()?;
    let course = Course { route: Some(route.name()), ..Course::default() };
    let (key, signature, form) = match route {
        // These take two look-ups.
        Route::Reads(Reads::Object { key: ObjectKey::Revision(..), .. }) => return None,
        Route::Reads(Reads::PlainManifest { form, .. }) if configuration.asks_front(form) => return None,
        Route::Reads(Reads::Object { key, signature, form }) => (key, signature, form),
        Route::Reads(Reads::PlainManifest { id, signature, form }) => {
            (ObjectKey::Manifest(ManifestKey::new(&Tenant::default(), &id)), signature, form)
        }
        _ => return None,
    };
    let signature = signature.as_ref().filter(|_| configuration.checks_links());
    let (key, caller, is_plain) = (&key, &Caller::anonymous(), false);
    let wanted = Wanted { asked, configuration, key, signature, form, caller, is_plain };
    let (answer, cache) = wanted.hit(Entry::parse(said)?)?;
    let answer = answer.unwrap_or_else(|problem| Answer::of(problem.reply(Some(&asked.id))));
    Some(answer.describe(asked, Course { cache, ..course }, now()))
}

/// Describes the answer to a request whose answer could not be made, for the reason `why`.
pub fn fail(lines: &str, why: &str) -> String {
    let asked = match Asked::read(lines) {
        Ok(asked) => asked,
        Err(problem) => return describe_plainly(&problem.reply(None)),
    };
    let route = Route::parse_public(&asked.method, &asked.path, &asked.query);
    let course = Course { route: route.ok().map(|route| route.name()), ..Course::default() };
    Answer::failed(&asked, why).describe(&asked, course, now())
}
