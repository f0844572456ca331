//! Files on their way into R2: `credlink serve` replicates them as it does proofs, with the attributes that they shall have
//! there, and brings there what R2 missed.

use std::time::{Duration, Instant};

use credlink_core::object::Object;
use credlink_ports::Objects as _;
use serde_json::json;

use crate::edge::seeds::{kind, read, slow};
use crate::engines::edge::Edge;
use crate::engines::proxy::{Fault, Proxy};
use crate::files::client::Client;
use crate::files::pictures::{document, png};
use crate::server::Server;

/// The time that a repair may take, on a machine that is building at the same time. The server waits 30 s before it tries.
const PATIENCE: Duration = Duration::from_secs(150);

const COLLECTIONS: &str = r#"{"version": 1, "collections": {
    "brochure": {"version": 1, "types": ["application/pdf"], "max_bytes": 20000000, "access": "public",
        "metadata": {"published": "keep"}},
    "draft": {"version": 1, "types": ["image/png"], "max_bytes": 20000000, "access": "public", "cache": "none",
        "renditions": [{"name": "small", "version": 1, "fit": "inside", "width": 100, "height": 100,
            "formats": [{"format": "jpg"}]}]}
}}"#;

/// A server that replicates into the bucket of a Worker, through a proxy.
struct Site {
    server: Server,
    edge: Edge,
    proxy: Proxy,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn start() -> Self {
        let edge = Edge::with(slow()).await;
        let mut variables = edge.as_fallback().to_vec();
        let (_, endpoint) = variables.iter_mut().find(|(name, _)| *name == "R2_ENDPOINT").unwrap();
        let address: http::Uri = endpoint.parse().unwrap();
        let proxy = Proxy::to(address.authority().unwrap().as_str().parse().unwrap());
        *endpoint = format!("{}{}", proxy.url(), address.path());
        variables.push(("STORAGE_TIMEOUT", "2000".to_owned()));
        let started = tokio::task::spawn_blocking(move || {
            let folder = tempfile::tempdir().unwrap();
            let collections = folder.path().join("collections.json");
            std::fs::write(&collections, COLLECTIONS).unwrap();
            variables.push(("CREDLINK_COLLECTIONS", collections.to_str().unwrap().to_owned()));
            let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            (Server::with(&folder.path().join("data"), &[], &variables), folder)
        });
        let (server, folder) = started.await.unwrap();
        Self { server, edge, proxy, _folder: folder }
    }

    async fn client<R: Send + 'static>(&self, act: impl FnOnce(&Client) -> R + Send + 'static) -> R {
        let client = Client::new(self.server.url());
        tokio::task::spawn_blocking(move || act(&client)).await.unwrap()
    }

    async fn upload(&self, collection: &'static str, kind: &'static str, bytes: Vec<u8>) -> String {
        self.client(move |client| client.file(collection, kind, &bytes, &json!({}))).await
    }

    /// The object under a key in R2, when it is there and `holds`.
    async fn replica(&self, key: &str, holds: impl Fn(&Object) -> bool) -> Object {
        let (objects, began) = (self.edge.objects(), Instant::now());
        loop {
            let found = objects.get(&key.parse().unwrap()).await.unwrap();
            if let Some(object) = found.filter(&holds) {
                return object;
            }
            assert!(began.elapsed() < PATIENCE, "{key} never arrives in R2");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The attributes are for a reader of the bucket itself; the edge follows the record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_objects_have_the_policy_of_their_kind() {
    let site = Site::start().await;
    let month = "public, max-age=2592000, immutable";
    let (minute, none) = ("public, max-age=60, must-revalidate", "private, no-store");
    for (collection, kind, bytes, access, record, part, bytes_policy, original) in [
        ("item-photo", "image/png", png(900, 300, 91), None, minute, "medium-1.webp", Some(month), none),
        (
            "item-photo",
            "image/png",
            png(900, 300, 92),
            Some("private"),
            none,
            "large-1.jpg",
            Some(none),
            none,
        ),
        ("draft", "image/png", png(300, 300, 93), None, minute, "small-1.jpg", Some(none), none),
        ("brochure", "application/pdf", document(5_000, 94), None, minute, "", None, none),
        ("verification-document", "application/pdf", document(5_000, 95), None, none, "", None, none),
        ("temp", "application/pdf", document(5_000, 96), None, none, "", None, none),
    ] {
        let more = access.map_or_else(|| json!({}), |access| json!({"access": access}));
        let act = move |client: &Client| client.file(collection, kind, &bytes, &more);
        let id = site.client(act).await;
        let path = format!("/v1/files/{id}");
        let file = site.client(move |client| client.get(&path).json()).await;
        let blob = file["blob"].as_str().unwrap().to_owned();
        let mut expected =
            vec![(format!("files/{id}"), record), (format!("media/{blob}/original"), original)];
        expected.extend(bytes_policy.map(|policy| (format!("media/{blob}/{part}"), policy)));
        for (key, policy) in expected {
            let object = site.replica(&key, |_| true).await;
            assert_eq!(object.head.attributes.cache_control.as_deref(), Some(policy), "{collection}: {key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_r2_missed_of_a_file_is_brought_there() {
    let site = Site::start().await;
    let deleted = site.upload("item-photo", "image/png", png(500, 300, 97)).await;
    site.replica(&format!("files/{deleted}"), |_| true).await;
    let medium = format!("/media/{deleted}/medium.jpg");
    assert_eq!(read(&site.edge, &medium).await.0.status(), 200);

    site.proxy.set(Fault::Refuse);
    let missed = site.upload("item-photo", "image/png", png(500, 300, 98)).await;
    let path = format!("/v1/files/{deleted}");
    assert_eq!(site.client(move |client| client.delete(&path).status).await, 204);
    let target = format!("/media/{missed}/medium.jpg");
    assert_eq!(read(&site.edge, &target).await.0.status(), 404);
    site.proxy.set(Fault::Pass);

    let of_missed = format!("/v1/files/{missed}");
    let file = site.client(move |client| client.get(&of_missed).json()).await;
    let blob = file["blob"].as_str().unwrap();
    for made in file["renditions"].as_array().unwrap() {
        site.replica(&format!("media/{blob}/{}", made["name"].as_str().unwrap()), |_| true).await;
    }
    site.replica(&format!("media/{blob}/original"), |_| true).await;
    site.replica(&format!("files/{missed}"), |_| true).await;
    let is_tombstone = |object: &Object| object.head.attributes.content_type.contains("tombstone");
    site.replica(&format!("files/{deleted}"), is_tombstone).await;
    // The edge notices by its own lifetimes.
    site.edge.set_ahead(Duration::from_secs(2_000)).await;
    let (answer, _) = read(&site.edge, &target).await;
    let of_server = site.client(move |client| client.get(&target).body).await;
    assert_eq!((answer.status().as_u16(), &answer.body()[..]), (200, &of_server[..]));
    let (answer, _) = read(&site.edge, &medium).await;
    assert_eq!((answer.status().as_u16(), &*kind(&answer)), (410, "deleted"));
}
