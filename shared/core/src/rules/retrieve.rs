//! Retrieval: from an object to an answer.

use std::collections::BTreeMap;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    LAST_MODIFIED, RANGE, VARY,
};
use http::{HeaderMap, Method, StatusCode};

use crate::access::{Caller, Visibility};
use crate::encoding::Coding;
use crate::http::conditional::{
    Outcome, Validators, entity_tag, evaluate_read, http_date, range_applies, single,
};
use crate::http::negotiation::accepts_gzip;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::range::{RequestedRange, wanted};
use crate::http::reply::{Body, Reply};
use crate::http::route::Form;
use crate::link::{LinkKeys, Signature};
use crate::media_type::STORED_TYPE;
use crate::object::{ATTRIBUTES_HEADER, Facts, ObjectKey};
use crate::tenant::Tenant;
use crate::time::Timestamp;

use super::expiry::{expired, has_expired};

/// A request for an object.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// The object's key.
    pub key: &'a ObjectKey,
    /// The form in which the object is read.
    pub form: Form,
    /// The method: GET or HEAD.
    pub method: &'a Method,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The signature of a signed link, if the request carries one.
    pub signature: Option<&'a Signature>,
    /// The keys that links are checked with.
    pub link_keys: Option<&'a LinkKeys>,
    /// The caller.
    pub caller: &'a Caller,
    /// The time of the request.
    pub now: Timestamp,
    /// `true` if this is a manifest at a plain address that can come to serve another tenant's.
    pub is_plain: bool,
}

/// The `Cache-Control` of a manifest at a plain address that can come to serve another tenant's.
const PLAIN_CACHE_CONTROL: &str = "public, max-age=60, must-revalidate";

impl Lookup<'_> {
    /// Returns the answer if nothing is there, or if the caller may not read what is there, so that nobody can tell one
    /// from the other (guarantee 13). A signed link that is not valid is refused in both cases.
    #[must_use]
    pub fn absent(&self) -> Problem {
        if let (Some(signature), Some(keys)) = (self.signature, self.link_keys)
            && let Err(refused) = signature.verify(keys, self.key, self.now)
        {
            return refused;
        }
        let what = match self.key {
            ObjectKey::Record(id) => format!("no proof has the id {id}"),
            ObjectKey::Revision(id, revision) => {
                format!(
                    "the proof {id} has no earlier record of revision {revision}; the current one is at /v1/proofs/{id}"
                )
            }
            ObjectKey::Manifest(key) => format!("no manifest has the id {}", key.id),
            ObjectKey::Front(id) => {
                format!(
                    "nobody has claimed the plain address /v1/manifests/{id}; it serves the manifest of the tenant \
                     `default`"
                )
            }
            ObjectKey::Alias(_)
            | ObjectKey::Hold(..)
            | ObjectKey::Removed(..)
            | ObjectKey::Identity
            | ObjectKey::Media(_) => "nothing is served here".to_owned(),
        };
        Problem::new(ProblemKind::NotFound, what)
    }

    /// Returns the answer if an object with these facts is there.
    ///
    /// # Errors
    /// 404 if the caller may not read the object, 410 if it was deleted or has expired, 412 and 416 as RFC 9110
    /// requires.
    pub fn respond(&self, facts: &Facts) -> Result<Reply, Problem> {
        self.authorize(facts)?;
        // A void front says that the address was freed, which everybody may know, so only void tombstones are hidden.
        if facts.void && facts.tombstone {
            return Err(self.absent());
        }
        if facts.tombstone {
            return Err(Problem::deleted(facts.created));
        }
        if let Some(expires) = facts.expires.filter(|expires| has_expired(*expires, self.now)) {
            return Err(expired(expires));
        }
        if self.form == Form::Stored {
            return Ok(self.stored(facts));
        }
        let coding = facts.coding.filter(|_| accepts_gzip(self.headers));
        let validators = Validators { sha256: facts.sha256, coding, modified: facts.created };
        let reply = self.metadata(facts, &validators);
        match evaluate_read(self.headers, &validators)? {
            Outcome::Proceed => self.send(facts, &validators, reply),
            Outcome::NotModified => Ok(Reply { status: StatusCode::NOT_MODIFIED, ..reply }),
            Outcome::Failed => Err(Problem::new(
                ProblemKind::PreconditionFailed,
                "the content is not the one that was asked for",
            )
            .etag(&entity_tag(&facts.sha256, coding))),
        }
    }

    /// Checks, by the facts of the current record, that an earlier record may be read. If the current record is
    /// deleted, private or expired, so is the earlier one. The earlier record must also be of the same life: a copy
    /// that a replacement left behind while its proof was deleted does not come back when the proof is stored again
    /// (guarantee 8).
    ///
    /// # Errors
    /// The errors of [`Self::respond`], and 404 for a record of an earlier life.
    pub fn admit(&self, current: &Facts) -> Result<(), Problem> {
        let unconditional = HeaderMap::new();
        Lookup { headers: &unconditional, form: Form::Content, ..*self }.respond(current)?;
        match self.key {
            ObjectKey::Revision(_, revision) if *revision <= current.generation => Err(self.absent()),
            _ => Ok(()),
        }
    }

    /// Returns `true` if an object of `tenant` with this visibility must look absent to the caller. It is for an object
    /// that is there but cannot be read; otherwise [`Self::respond`] decides.
    #[must_use]
    pub fn hides(&self, tenant: &Tenant, visibility: Visibility) -> bool {
        let link_holds = || {
            let (signature, keys) = self.signature.zip(self.link_keys)?;
            signature.verify(keys, self.key, self.now).ok()
        };
        visibility == Visibility::Private && !self.caller.reads_private(tenant) && link_holds().is_none()
    }

    fn authorize(&self, facts: &Facts) -> Result<(), Problem> {
        if facts.visibility == Visibility::Public || self.caller.reads_private(&facts.tenant) {
            return Ok(());
        }
        match (self.signature, self.link_keys) {
            // A tombstone has no generation to compare with.
            (Some(signature), Some(keys)) if facts.tombstone => signature.verify(keys, self.key, self.now),
            (Some(signature), Some(keys)) => signature.opens(keys, self.key, facts.generation, self.now),
            _ => Err(self.absent()),
        }
    }

    /// Returns the object in its stored form, whole and unconditionally: the bytes, and the attributes that a copy must
    /// keep with them. The body has no content coding, whatever that of the stored bytes, so that nothing on the way
    /// unpacks it.
    fn stored(&self, facts: &Facts) -> Reply {
        let attributes = facts.attributes(self.key, BTreeMap::new());
        let attributes = serde_json::to_string(&attributes).unwrap_or_default();
        let reply = Reply::empty(StatusCode::OK)
            .with(CONTENT_TYPE, STORED_TYPE)
            .with(CACHE_CONTROL, "no-store")
            .with(ATTRIBUTES_HEADER, &attributes);
        if *self.method == Method::HEAD {
            return reply;
        }
        Reply { body: Body::Stored { decode: false, range: None }, ..reply }
    }

    /// Returns the headers that a 200 and a 304 have in common (RFC 9110, section 15.4.5).
    fn metadata(&self, facts: &Facts, validators: &Validators) -> Reply {
        let cache_control = if facts.visibility == Visibility::Private {
            "private, no-store"
        } else if self.is_plain {
            PLAIN_CACHE_CONTROL
        } else {
            self.key.cache_control()
        };
        Reply::empty(StatusCode::OK)
            .with(ETAG, &entity_tag(&facts.sha256, validators.coding))
            .with(LAST_MODIFIED, &http_date(facts.created))
            .with(CACHE_CONTROL, cache_control)
            .with(VARY, "accept-encoding")
    }

    fn send(&self, facts: &Facts, validators: &Validators, mut reply: Reply) -> Result<Reply, Problem> {
        reply = reply.with(CONTENT_TYPE, self.key.content_type());
        let decode = facts.coding.is_some() && validators.coding.is_none();
        if let Some(Coding::Gzip) = validators.coding {
            // Ranges of a compressed body are of no use to anybody, so it is sent whole.
            reply = reply.with(CONTENT_ENCODING, "gzip").with(ACCEPT_RANGES, "none");
            reply.body = Body::Stored { decode, range: None };
        } else {
            reply = reply.with(ACCEPT_RANGES, "bytes");
            let header = single(self.headers, &RANGE);
            // Section 14.2: Range applies to GET only.
            let asked =
                header.filter(|_| *self.method == Method::GET && range_applies(self.headers, validators));
            let (range, length) = match asked
                .map_or(RequestedRange::All, |header| wanted(header, facts.length))
            {
                RequestedRange::All => (None, facts.length),
                RequestedRange::Unsatisfiable => return Err(Problem::range_not_satisfiable(facts.length)),
                RequestedRange::Part(part) => {
                    let (first, last, length) = (part.start, part.end - 1, part.end - part.start);
                    reply.status = StatusCode::PARTIAL_CONTENT;
                    reply = reply.with(CONTENT_RANGE, &format!("bytes {first}-{last}/{}", facts.length));
                    (Some(part), length)
                }
            };
            reply = reply.with(CONTENT_LENGTH, &length.to_string());
            reply.body = Body::Stored { decode, range };
        }
        if *self.method == Method::HEAD {
            reply.body = Body::Empty;
        }
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH, IF_RANGE};

    use super::*;
    use crate::hash::Digest;

    fn facts() -> Facts {
        Facts {
            sha256: Digest::of(b"0123456789"),
            length: 10,
            coding: Some(Coding::Gzip),
            tenant: Tenant::default(),
            visibility: Visibility::Public,
            created: Timestamp::from_milliseconds(1_767_225_600_500),
            expires: None,
            generation: 0,
            tombstone: false,
            void: false,
        }
    }

    fn ask(method: &Method, headers: &[(http::HeaderName, &str)], facts: &Facts) -> Result<Reply, Problem> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        Lookup {
            key: &ObjectKey::Manifest("urn:c2pa:x".parse().unwrap()),
            form: Form::Content,
            method,
            headers: &headers,
            signature: None,
            link_keys: None,
            caller: &Caller::anonymous(),
            now: Timestamp::from_milliseconds(2_000_000_000_000),
            is_plain: false,
        }
        .respond(facts)
    }

    fn show(reply: &Reply) -> String {
        let headers: Vec<_> =
            reply.headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        format!("{}\n{}\n{:?}", reply.status.as_u16(), headers.join("\n"), reply.body)
    }

    #[test]
    fn a_record_of_an_earlier_life_is_not_there() {
        let current = Facts { generation: 2, ..facts() };
        let id = crate::proof_id::ProofId::derive(&Tenant::default(), &crate::hash::MediaHash::of(b"x"));
        let admit = |revision, current: &Facts| {
            Lookup {
                key: &ObjectKey::Revision(id, revision),
                form: Form::Content,
                method: &Method::GET,
                headers: &HeaderMap::new(),
                signature: None,
                link_keys: None,
                caller: &Caller::anonymous(),
                now: Timestamp::from_milliseconds(2_000_000_000_000),
                is_plain: false,
            }
            .admit(current)
            .map_err(|problem| problem.kind)
        };
        assert_eq!(admit(2, &current), Err(ProblemKind::NotFound));
        assert_eq!(admit(3, &current), Ok(()));
        assert_eq!(admit(3, &Facts { tombstone: true, ..current }), Err(ProblemKind::Deleted));
    }

    #[test]
    fn answers() {
        let tag = entity_tag(&facts().sha256, None);
        insta::assert_snapshot!("identity", show(&ask(&Method::GET, &[], &facts()).unwrap()));
        insta::assert_snapshot!(
            "gzip",
            show(&ask(&Method::GET, &[(ACCEPT_ENCODING, "gzip")], &facts()).unwrap())
        );
        insta::assert_snapshot!("part", show(&ask(&Method::GET, &[(RANGE, "bytes=2-4")], &facts()).unwrap()));
        insta::assert_snapshot!(
            "head",
            show(&ask(&Method::HEAD, &[(RANGE, "bytes=2-4")], &facts()).unwrap())
        );
        insta::assert_snapshot!(
            "not_modified",
            show(&ask(&Method::GET, &[(IF_NONE_MATCH, &tag)], &facts()).unwrap())
        );
    }

    #[test]
    fn what_is_stored_as_it_came_has_one_representation() {
        let plain = Facts { coding: None, ..facts() };
        let tag = entity_tag(&plain.sha256, None);
        for (headers, body) in [
            (vec![], (None, 200)),
            (vec![(RANGE, "bytes=2-4")], (Some(2..5), 206)),
            (vec![(RANGE, "bytes=-3"), (IF_RANGE, &*tag)], (Some(7..10), 206)),
            (vec![(RANGE, "bytes=2-4"), (IF_RANGE, "\"another\"")], (None, 200)),
        ] {
            for accepted in ["", "gzip"] {
                let headers: Vec<_> = headers.iter().cloned().chain([(ACCEPT_ENCODING, accepted)]).collect();
                let reply = ask(&Method::GET, &headers, &plain).unwrap();
                assert_eq!(reply.status.as_u16(), body.1, "{headers:?}");
                assert_eq!(reply.body, Body::Stored { decode: false, range: body.0.clone() }, "{headers:?}");
                assert_eq!(reply.headers[ETAG], *tag);
                assert_eq!(reply.headers[ACCEPT_RANGES], "bytes");
                assert!(!reply.headers.contains_key(CONTENT_ENCODING));
            }
        }
    }

    #[test]
    fn what_is_sent_in_gzip_is_sent_whole() {
        let asked = [(ACCEPT_ENCODING, "gzip"), (RANGE, "bytes=2-4")];
        let reply = ask(&Method::GET, &asked, &facts()).unwrap();
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.body, Body::Stored { decode: false, range: None });
        assert_eq!(reply.headers[ACCEPT_RANGES], "none");
        // Beyond the end of the content there may well be bytes of the gzip form.
        let beyond = [(ACCEPT_ENCODING, "gzip"), (RANGE, "bytes=10-")];
        assert_eq!(ask(&Method::GET, &beyond, &facts()).unwrap().status, StatusCode::OK);
    }

    #[test]
    fn what_is_gone_is_gone_and_what_is_private_is_private() {
        let kind = |facts: &Facts| ask(&Method::GET, &[], facts).unwrap_err().kind;
        assert_eq!(kind(&Facts { tombstone: true, ..facts() }), ProblemKind::Deleted);
        assert_eq!(kind(&Facts { tombstone: true, void: true, ..facts() }), ProblemKind::NotFound);
        assert_eq!(
            kind(&Facts { expires: Some(Timestamp::from_milliseconds(0)), ..facts() }),
            ProblemKind::Expired
        );
        // Private and absent look the same, before and after a deletion.
        let private = Facts { visibility: Visibility::Private, ..facts() };
        assert_eq!(kind(&private), ProblemKind::NotFound);
        assert_eq!(kind(&Facts { tombstone: true, ..private.clone() }), ProblemKind::NotFound);
        assert_eq!(
            kind(&Facts { expires: Some(Timestamp::from_milliseconds(0)), ..private }),
            ProblemKind::NotFound
        );
        let range = ask(&Method::GET, &[(RANGE, "bytes=10-")], &facts()).unwrap_err();
        assert_eq!(range.kind, ProblemKind::RangeNotSatisfiable);
    }
}
