//! Legacy records, and a data folder with a sample of everything.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use credlink_deployment::configuration::Variables;
use credlink_deployment::migration::destination::{AnyDestination, Making, Opening};
use credlink_ports::migration::target::Payload;
use credlink_ports::migration::{Item, Source};
use serde_json::{Value, json};

use crate::server::Server;

/// Opens the destination at a place without a token, and creates it if it does not exist.
pub async fn open(place: &str) -> AnyDestination {
    let opening = Opening {
        variables: &Variables::new(|_| None),
        token: None,
        data_folder: None,
        tenant: None,
        making: Making::Allowed,
        surroundings: None,
    };
    AnyDestination::open(&place.parse().unwrap(), opening).await.unwrap()
}

/// The ID of the proof of a file whose content is this name.
pub fn id(name: &str) -> ProofId {
    ProofId::derive(&Tenant::default(), &MediaHash::of(name.as_bytes()))
}

/// The parcel to store for a proof with these drafts.
pub fn payload(drafts: &[Draft]) -> Payload {
    Payload::Proof(drafts.to_vec())
}

/// The legacy record of a file whose content is this name.
pub fn legacy(name: &str) -> String {
    let hash = MediaHash::of(name.as_bytes());
    format!(
        r#"{{"proofId":"old-{name}","imageHash":"{hash}","manifest":{{ "title" : "{name}", "n":1.0 }},"signature":"c2ln","timestamp":1767225600000,"x":[1.50]}}"#
    )
}

/// The body that stores a C2PA manifest.
pub fn c2pa(name: &str, manifest: &str) -> Value {
    let store = manifest_store(manifest, &Digest::of(name.as_bytes()));
    json!({"media_hash": MediaHash::of(name.as_bytes()), "manifest_base64": STANDARD.encode(store), "tags": {"k": "v"}})
}

/// All items of a source, page by page.
pub async fn items(source: &impl Source, limit: usize) -> Vec<Item> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = source.list(after.as_deref(), limit).await.unwrap();
        assert!(page.items.len() <= limit);
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

/// Fills a data folder with `json`, a JSON manifest; `c2pa`, a C2PA manifest with two replacements, one of them JSON;
/// `private`; `reborn`, deleted and stored again; and `deleted`.
pub fn fill(folder: &Path) {
    let server = Server::over(folder, &[]);
    let json =
        |name: &str| json!({"media_hash": MediaHash::of(name.as_bytes()), "manifest": {"title": name}});
    let store = |body: &Value| assert_eq!(server.post("/v1/proofs", body).0, 201);
    store(&json("json"));
    store(&c2pa("c2pa", "urn:c2pa:first"));
    let mut private = json("private");
    private["visibility"] = "private".into();
    store(&private);
    for name in ["reborn", "deleted"] {
        store(&json(name));
        assert_eq!(server.delete(&format!("/v1/proofs/{}", id(name))), 204);
    }
    store(&json("reborn"));
    for body in [json("c2pa"), c2pa("c2pa", "urn:c2pa:third")] {
        assert_eq!(server.replace(&format!("/v1/proofs/{}", id("c2pa")), &body).0, 200);
    }
}
