use credlink_core::message::{Message, Work};
use credlink_core::replica::Replica;
use credlink_ports::Queue as _;

use credlink_ports::limits::MAX_DELIVERIES as MAX_ATTEMPTS;

use std::path::Path;

use super::*;
use crate::configuration::Configuration;
use crate::configuration::value::Variables;
use crate::embedded::SERVING_CACHE_BYTES;

/// A configuration with a folder, and a bucket that is out of reach as its replica.
fn configuration() -> Configuration {
    let variables = [
        ("STORAGE_FALLBACK_PROVIDER", "r2"),
        ("R2_BUCKET", "replica"),
        ("R2_ACCESS_KEY_ID", "key"),
        ("R2_SECRET_ACCESS_KEY", "secret"),
        ("R2_ENDPOINT", "http://127.0.0.1:1"),
    ];
    let find =
        |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Configuration::read(&Variables::new(find)).unwrap()
}

async fn open(folder: &Path) -> Deployment {
    let opening = Opening {
        configuration: &configuration(),
        machine: Some(Machine::new(folder, SERVING_CACHE_BYTES)),
        gate: Gate::of(None, None),
        public_url: "http://127.0.0.1".to_owned(),
        link_keys: None,
        count_reads: true,
    };
    Deployment::open(opening).await.unwrap()
}

#[tokio::test]
async fn what_an_outage_outlasted_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let deployment = open(folder.path()).await;
    let keys = vec!["manifests/urn%3Ac2pa%3Ax".parse().unwrap()];
    let work = Work::Replicate { to: Replica::Fallback, keys, mark: None };
    let message = Message { request_id: "r".to_owned(), work };
    deployment.waiting().send(&message, 0).await.unwrap();
    for _ in 0..MAX_ATTEMPTS {
        assert_eq!(deployment.waiting().receive(1, 0).await.unwrap().len(), 1);
    }
    assert_eq!(deployment.waiting().receive(1, 0).await.unwrap(), [], "it is put aside");
    assert_eq!(deployment.put_back().await.unwrap(), 1);
    let again = deployment.waiting().receive(1, 0).await.unwrap();
    assert_eq!((again[0].text.parse(), again[0].attempts), (Ok(message), 1));
    assert_eq!(deployment.put_back().await.unwrap(), 0);
}
