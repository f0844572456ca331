//! The strongest attempt at each route in each way: requests about a subject, which an attacker sends one after
//! another.

mod files;

use bytes::Bytes;
use credlink_core::manifest_id::ManifestId;
use data_encoding::BASE64;
use http::header::{IF_MATCH, IF_NONE_MATCH, RANGE};
use http::{HeaderName, Method, Request};
use serde_json::{Value, json};

use super::subject::Subject;
use crate::http::ask::{ask, c2pa, get, json as request, with};

pub use files::*;

/// An attempt of an attacker.
pub struct Probe {
    /// A description for the reader of the table.
    pub what: &'static str,
    /// The answers that the attacker must get if the subject is secret.
    pub told: Told,
    pub requests: fn(&Subject) -> Vec<Request<Bytes>>,
}

/// The facts that an attacker may learn about a secret subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing: the answers are the same as for a nonexistent subject.
    Nothing,
    /// The route is for the operator: each request is refused for lack of a credential or a scope.
    Refusal,
    /// A name that all tenants share is taken: the answers are the same as for a public subject.
    Taken,
}

const fn probe(what: &'static str, requests: fn(&Subject) -> Vec<Request<Bytes>>) -> Probe {
    Probe { what, told: Told::Nothing, requests }
}

const fn of_the_operator(what: &'static str, requests: fn(&Subject) -> Vec<Request<Bytes>>) -> Probe {
    Probe { what, told: Told::Refusal, requests }
}

const fn of_shared_name(what: &'static str, requests: fn(&Subject) -> Vec<Request<Bytes>>) -> Probe {
    Probe { what, told: Told::Taken, requests }
}

/// A link that was never signed.
const LINK: &str = "expires=4000000000&key=first&life=0&signature=AAAA";

fn post(body: &Value) -> Request<Bytes> {
    request(Method::POST, "/v1/proofs", body)
}

fn alone(bytes: Vec<u8>) -> Request<Bytes> {
    c2pa(Method::POST, "/v1/manifests", bytes)
}

fn delete(target: &str) -> Request<Bytes> {
    ask(Method::DELETE, target)
}

fn proof(subject: &Subject) -> String {
    format!("/v1/proofs/{}", subject.proof())
}

fn plain(subject: &Subject) -> String {
    format!("/v1/manifests/{}", subject.manifest())
}

fn plain_alone(subject: &Subject) -> String {
    format!("/v1/manifests/{}", subject.alone())
}

fn own(subject: &Subject, end: &str) -> String {
    format!("/v1/tenants/{}/manifests/{end}", subject.cast.victim)
}

/// Reads of `target` in every form: whole, only the head, in the stored form, in part, conditional, and through a link.
fn reads(target: &str) -> Vec<Request<Bytes>> {
    let and = |query: &str| {
        let mark = if target.contains('?') { '&' } else { '?' };
        get(&format!("{target}{mark}{query}"))
    };
    vec![
        get(target),
        ask(Method::HEAD, target),
        and("form=stored"),
        and(LINK),
        with(get(target), RANGE, "bytes=0-0"),
        with(get(target), IF_NONE_MATCH, "*"),
        with(get(target), IF_MATCH, "*"),
    ]
}

/// Replacements of the victim's proof, with every condition.
fn replacements(subject: &Subject, body: &Value) -> Vec<Request<Bytes>> {
    let put = || request(Method::PUT, &proof(subject), body);
    vec![put(), with(put(), IF_MATCH, "\"x\""), with(put(), IF_MATCH, "*")]
}

/// Deletions of `target`, with every condition.
fn deletions(target: &str) -> Vec<Request<Bytes>> {
    let at = HeaderName::from_static("credlink-deleted");
    vec![
        with(delete(target), IF_MATCH, "\"x\""),
        with(delete(target), at, "2020-01-01T00:00:00Z"),
        with(delete(target), IF_MATCH, "*"),
        delete(target),
    ]
}

/// A proof of the attacker's own file.
fn own_proof(subject: &Subject) -> Request<Bytes> {
    post(&json!({"media_hash": subject.another().to_string(), "manifest": {"of": "another"}}))
}

pub const READ_PROOF: Probe = probe("reads it in every form, by its id and by its legacy id", |it| {
    let mut all = reads(&proof(it));
    all.extend(reads(proof(it).strip_prefix("/v1").unwrap()));
    all.extend([get(&format!("/v1/proofs/{}", it.legacy())), get(&format!("/proofs/{}", it.legacy()))]);
    all.push(ask(Method::HEAD, &format!("/v1/proofs/{}", it.legacy())));
    all
});

pub const READ_REVISION: Probe = probe("reads each revision in every form", |it| {
    ["1", "2", "3"].iter().flat_map(|revision| reads(&format!("{}/{revision}", proof(it)))).collect()
});

pub const READ_BY_HASH: Probe = probe("asks for the file's hash, for the tenant and for any", |it| {
    let hash = format!("/v1/proofs/by-hash/{}", it.hex());
    [reads(&format!("{hash}?tenant={}", it.cast.victim)), reads(&hash)].concat()
});

pub const LIST_PROOFS: Probe = probe("lists, from the victim's cursor, and asks for the hash", |it| {
    let hash = format!("/v1/proofs?media_hash={}&tenant={}", it.media(), it.cast.victim);
    vec![
        get("/v1/proofs?limit=1000"),
        get(&format!("/v1/proofs?limit=1000&after={}", it.cursors.proofs)),
        get(&format!("/v1/proofs?tenant={}", it.cast.victim)),
        get(&hash),
        get(&format!("{hash}&form=stored")),
    ]
});

pub const LIST_ALIASES: Probe = probe("lists, from the victim's cursor", |it| {
    let from = format!("/v1/aliases?limit=1000&after={}", it.cursors.aliases);
    vec![get("/v1/aliases?limit=1000"), get(&from), get(&format!("/v1/aliases?tenant={}", it.cast.victim))]
});

pub const LIST_MANIFESTS: Probe = probe("lists, from the victim's cursor", |it| {
    let from = format!("/v1/manifests?limit=1000&after={}", it.cursors.manifests);
    vec![
        get("/v1/manifests?limit=1000"),
        get(&from),
        get(&format!("/v1/manifests?tenant={}", it.cast.victim)),
    ]
});

pub const STORE_UNDER_ITS_ID: Probe =
    probe("stores a proof with other bytes under its manifest's id, and in its tenant's name", |it| {
        let manifest = BASE64.encode(&it.forged());
        let body = |visibility: &str| {
            json!({
                "media_hash": it.another().to_string(), "manifest_base64": manifest, "visibility": visibility,
            })
        };
        let mut named = body("public");
        named["tenant"] = it.cast.victim.into();
        vec![post(&named), post(&body("public")), get(&plain(it)), post(&body("private"))]
    });

pub const STORE_ITS_FILE_IN_PRIVATE: Probe = probe("stores a private proof of its file", |it| {
    let manifest = json!({"of": "the attacker"});
    vec![post(&json!({"media_hash": it.media().to_string(), "manifest": manifest, "visibility": "private"}))]
});

pub const STORE_ITS_FILE: Probe = probe("stores its file with another manifest, naming the tenant", |it| {
    let body = json!({"media_hash": it.media().to_string(), "manifest": {"of": "the attacker"}});
    let mut named = body.clone();
    named["tenant"] = json!(it.cast.victim);
    vec![post(&named), post(&body)]
});

pub const STORE_FOR_A_SECOND: Probe = probe("stores its file for a second", |it| {
    let manifest = BASE64.encode(&it.bytes());
    vec![post(&json!({"media_hash": it.media().to_string(), "manifest_base64": manifest, "expires_in": 1}))]
});

pub const STORE_A_HOLDER: Probe = probe("stores a proof that names its very manifest", |it| {
    let manifest = BASE64.encode(&it.bytes());
    vec![post(&json!({"media_hash": it.media().to_string(), "manifest_base64": manifest}))]
});

pub const STORE_WITH_ITS_LEGACY_ID: Probe = of_shared_name("brings its legacy id along", |it| {
    let origin = json!({
        "created": "2020-01-01T00:00:00Z", "expires": "9999-01-01T00:00:00Z", "legacy_id": it.legacy(),
    });
    let manifest = json!({"of": "the attacker"});
    vec![post(&json!({"media_hash": it.third().to_string(), "manifest": manifest, "origin": origin}))]
});

pub const STORE_THE_SAME: Probe = probe("stores the very same, and looks whether it is a duplicate", |it| {
    let manifest = BASE64.encode(&it.bytes());
    let body = json!({"media_hash": it.media().to_string(), "manifest_base64": manifest});
    vec![post(&body), post(&body), get(&plain(it))]
});

pub const REPLACE_IT: Probe = probe("replaces it, with every condition", |it| {
    replacements(it, &json!({"manifest": {"of": "the attacker"}}))
});

pub const REPLACE_IT_IN_PRIVATE: Probe = probe("replaces it by something private", |it| {
    replacements(it, &json!({"manifest": {"of": "the attacker"}, "visibility": "private"}))
});

pub const REPLACE_IT_FOR_A_SECOND: Probe = probe("replaces it by itself for a second", |it| {
    replacements(it, &json!({"manifest_base64": BASE64.encode(&it.bytes()), "expires_in": 1}))
});

pub const REPLACE_BY_A_HOLDER: Probe =
    probe("replaces a proof of its own by one that names its manifest", |it| {
        let media = it.media();
        let first = json!({"media_hash": media.to_string(), "manifest": {"of": "the attacker"}});
        let second = json!({"manifest_base64": BASE64.encode(&it.bytes())});
        let put = request(Method::PUT, &format!("/v1/proofs/{}", it.own(&media)), &second);
        vec![post(&first), with(put, IF_MATCH, "*")]
    });

pub const REPLACE_UNDER_ITS_ID: Probe =
    probe("replaces a proof of its own by other bytes under its manifest's id", |it| {
        let second = json!({"manifest_base64": BASE64.encode(&it.forged())});
        let put = request(Method::PUT, &format!("/v1/proofs/{}", it.own(&it.another())), &second);
        vec![own_proof(it), with(put, IF_MATCH, "*"), get(&plain(it))]
    });

pub const REPLACE_WITH_ITS_LEGACY_ID: Probe =
    of_shared_name("replaces a proof of its own by one that brings its legacy id along", |it| {
        let origin = json!({
            "created": "2020-01-01T00:00:00Z", "expires": "9999-01-01T00:00:00Z", "legacy_id": it.legacy(),
        });
        let second = json!({"manifest": {"of": "the attacker"}, "origin": origin});
        let put = request(Method::PUT, &format!("/v1/proofs/{}", it.own(&it.another())), &second);
        vec![own_proof(it), with(put, IF_MATCH, "*"), get(&format!("/v1/proofs/{}", it.own(&it.another())))]
    });

pub const REPLACE_BADLY: Probe = probe("sends what is no replacement of anything", |it| {
    let other = json!({"media_hash": it.another().to_string(), "manifest": {}});
    [replacements(it, &json!({"manifest": 1})), replacements(it, &other)].concat()
});

pub const DELETE_PROOF: Probe = probe("deletes it, with every condition", |it| deletions(&proof(it)));

pub const DELETE_A_HOLDER: Probe = probe("deletes a proof of its own that names its manifest", |it| {
    let manifest = BASE64.encode(&it.bytes());
    let body = json!({"media_hash": it.media().to_string(), "manifest_base64": manifest});
    vec![post(&body), delete(&format!("/v1/proofs/{}", it.own(&it.media()))), get(&plain(it))]
});

pub const BATCH_DELETE: Probe = probe("deletes it among others, twice", |it| {
    let ids = json!({"ids": [it.proof().to_string(), it.own(&it.another()).to_string()]});
    let batch = || request(Method::POST, "/v1/proofs/batch-delete", &ids);
    vec![batch(), batch()]
});

pub const SIGN_LINK: Probe = probe("asks for a signed link to it", |it| {
    let link = format!("{}/url", proof(it));
    vec![get(&link), ask(Method::HEAD, &link), get(&format!("{link}?expires_in=604800"))]
});

pub const BIND_ITS_LEGACY_ID: Probe = of_shared_name("leads its legacy id to a proof of its own", |it| {
    let body = json!({"proof": it.own(&it.another()).to_string()});
    vec![own_proof(it), request(Method::PUT, &format!("/v1/aliases/{}", it.legacy()), &body)]
});

pub const REASSIGN_ITS_LEGACY_ID: Probe = of_shared_name("has it reassigned, as an operator would", |it| {
    let body = json!({"proof": it.own(&it.another()).to_string(), "reassign": true});
    vec![own_proof(it), request(Method::PUT, &format!("/v1/aliases/{}", it.legacy()), &body)]
});

pub const BIND_TO_IT: Probe = probe("leads an id of its own to it", |it| {
    let body = json!({"proof": it.proof().to_string()});
    vec![request(Method::PUT, &format!("/v1/aliases/{}", it.free()), &body)]
});

pub const WITHDRAW_ITS_LEGACY_ID: Probe =
    probe("takes its legacy id back, from its proof and from another", |it| {
        let withdraw = |proof: String| delete(&format!("/v1/aliases/{}?proof={proof}", it.legacy()));
        vec![withdraw(it.own(&it.another()).to_string()), withdraw(it.proof().to_string())]
    });

pub const STORE_ALONE_UNDER_ITS_ID: Probe =
    probe("stores other bytes under its ids, and in its tenant's name", |it| {
        let named = c2pa(Method::POST, &format!("/v1/manifests?tenant={}", it.cast.victim), it.forged());
        vec![named, alone(it.forged()), alone(it.forged_alone()), get(&plain(it)), get(&plain_alone(it))]
    });

pub const STORE_THE_SAME_ALONE: Probe = probe("stores the very same bytes", |it| {
    vec![alone(it.bytes()), alone(it.bytes_alone()), alone(it.bytes()), get(&plain(it))]
});

pub const READ_MANIFEST: Probe = probe("reads it at its plain address in every form", |it| {
    [reads(&plain(it)), reads(plain(it).strip_prefix("/v1").unwrap())].concat()
});

pub const READ_TENANT_MANIFEST: Probe = probe("reads it at its tenant's address in every form", |it| {
    let target = own(it, it.manifest().as_str());
    [reads(&target), reads(target.strip_prefix("/v1").unwrap())].concat()
});

pub const DELETE_MANIFEST: Probe = probe("deletes it, before it has one of its own and after", |it| {
    let both = || [deletions(&plain(it)), deletions(&plain_alone(it))].concat();
    [both(), vec![alone(it.forged()), alone(it.forged_alone())], both()].concat()
});

pub const DELETE_TENANT_MANIFEST: Probe = probe("deletes it at its tenant's address", |it| {
    [it.manifest(), it.alone()].iter().flat_map(|id| deletions(&own(it, id.as_str()))).collect()
});

pub const SHOW_FRONT: Probe =
    probe("asks whose its plain address is", |it| reads(&format!("{}/front", plain(it))));

fn decide(it: &Subject, tenant: &Value) -> Vec<Request<Bytes>> {
    let body = json!({"tenant": tenant});
    [plain(it), plain_alone(it)]
        .iter()
        .map(|at| request(Method::PUT, &format!("{at}/front"), &body))
        .collect()
}

pub const TAKE_FRONT: Probe =
    of_the_operator("gives itself its plain address", |it| decide(it, &json!(it.cast.attacker)));

pub const FREE_FRONT: Probe = of_the_operator("frees its plain address", |it| decide(it, &Value::Null));

pub const NAME_FRONT: Probe =
    of_the_operator("gives it its plain address", |it| decide(it, &json!(it.cast.victim)));

fn change(it: &Subject, visibility: &str) -> Vec<Request<Bytes>> {
    let body = json!({"visibility": visibility});
    let change = |at: &String| request(Method::PUT, &format!("{at}/visibility"), &body);
    [plain(it), plain_alone(it)].iter().map(change).collect()
}

pub const WITHDRAW: Probe = probe("withdraws it, before it has one of its own and after", |it| {
    [change(it, "private"), vec![alone(it.forged()), alone(it.forged_alone())], change(it, "private")]
        .concat()
});

fn change_own(it: &Subject, visibility: &str) -> Vec<Request<Bytes>> {
    let body = json!({"visibility": visibility});
    let change =
        |id: &ManifestId| request(Method::PUT, &format!("{}/visibility", own(it, id.as_str())), &body);
    [it.manifest(), it.alone()].iter().map(change).collect()
}

pub const WITHDRAW_TENANT_MANIFEST: Probe =
    probe("withdraws it at its tenant's address", |it| change_own(it, "private"));

pub const PUBLISH_TENANT_MANIFEST: Probe =
    probe("publishes it at its tenant's address", |it| change_own(it, "public"));

pub const STORE_ALONE_IN_PRIVATE: Probe = probe("stores other bytes under its ids, in private", |it| {
    let private = |bytes| c2pa(Method::POST, "/v1/manifests?visibility=private", bytes);
    vec![private(it.forged()), private(it.forged_alone()), get(&plain(it)), get(&plain_alone(it))]
});

pub const PUBLISH: Probe = probe("publishes it", |it| change(it, "public"));

/// Starts of a job, with a source that the operator may have listed, and with one that is never listed.
fn begin(job: &str) -> Vec<Request<Bytes>> {
    ["s3://old-store/proofs/", "s3://elsewhere", "dir:/"]
        .iter()
        .map(|from| request(Method::POST, "/v1/migrations", &json!({"name": job, "from": from})))
        .collect()
}

pub const BEGIN_ITS_JOB: Probe =
    of_the_operator("begins a job of its job's name, from anywhere", |it| begin(&it.job()));

pub const SHOW_JOB: Probe = probe("asks how far its job is", |it| {
    let target = format!("/v1/migrations/{}", it.job());
    vec![get(&target), ask(Method::HEAD, &target), get(&format!("{target}?after=a"))]
});

pub const REMOVE_JOB: Probe = of_the_operator("removes its job, over or not", |it| {
    let target = format!("/v1/migrations/{}", it.job());
    vec![delete(&target), delete(&format!("{target}?abandon=true"))]
});

pub const STATS: Probe =
    of_the_operator("asks for the sums of all", |_| vec![get("/v1/stats"), ask(Method::HEAD, "/v1/stats")]);

pub const EDGE_PROOF: Probe = probe("reads it in every form, by its id and by its legacy id", |it| {
    let mut all = reads(&format!("/proofs/{}", it.proof()));
    all.extend([
        get(&format!("/proofs/{}", it.legacy())),
        ask(Method::HEAD, &format!("/proofs/{}", it.legacy())),
    ]);
    all
});

pub const EDGE_REVISION: Probe = probe("reads each revision in every form", |it| {
    ["1", "2", "3"].iter().flat_map(|revision| reads(&format!("/proofs/{}/{revision}", it.proof()))).collect()
});

pub const EDGE_BY_HASH: Probe = probe("asks for the file's hash, for the tenant and for any", |it| {
    let hash = format!("/proofs/by-hash/{}", it.hex());
    [reads(&format!("{hash}?tenant={}", it.cast.victim)), reads(&hash)].concat()
});

pub const EDGE_MANIFEST: Probe = probe("reads it at its plain address in every form", |it| {
    reads(&format!("/manifests/{}", it.manifest()))
});

pub const EDGE_TENANT_MANIFEST: Probe = probe("reads it at its tenant's address in every form", |it| {
    reads(&format!("/tenants/{}/manifests/{}", it.cast.victim, it.manifest()))
});

pub const EDGE_PURGE: Probe = of_the_operator("has it forgotten", |it| {
    let (proof, manifest, tenant) = (it.proof().to_string(), it.manifest().to_string(), it.cast.victim);
    let body =
        json!({"proofs": [proof], "manifests": [format!("{manifest}/{tenant}")], "fronts": [manifest]});
    vec![request(Method::POST, "/purge", &body)]
});
