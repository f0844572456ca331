use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::testing::manifest_store;
use credlink_ports::migration::{Content, Item, Removal, Source};
use credlink_ports::{Failure, Page};

use super::Faults;

const ALIASES: &str = "/aliases/";
const MANIFESTS: &str = "/manifests/";

/// Legacy records in memory, three to a page; each page ends with the item that the next one begins with.
/// `/aliases/{id}` holds the record of a proof that has one more alias, and `/manifests/{id}` a manifest that was
/// stored for itself. An empty text stands for an item that is gone.
pub(crate) struct MemorySource {
    items: Mutex<BTreeMap<String, String>>,
    faults: Arc<Faults>,
}

impl MemorySource {
    pub(super) fn new(faults: Arc<Faults>) -> Self {
        Self { items: Mutex::default(), faults }
    }

    pub(crate) fn put(&self, key: &str, text: String) {
        self.items.lock().unwrap().insert(key.to_owned(), text);
    }

    pub(crate) fn items(&self) -> Vec<Item> {
        self.items.lock().unwrap().iter().map(|(key, text)| Self::item(key, text)).collect()
    }

    pub(crate) fn take(&self, key: &str) {
        self.items.lock().unwrap().remove(key);
    }

    fn content(key: &str, text: &str) -> Content {
        let bytes = Bytes::from(text.to_owned());
        match (key.strip_prefix(ALIASES), key.strip_prefix(MANIFESTS)) {
            _ if text.is_empty() => Content::Gone("it is gone".to_owned()),
            (Some(id), _) => Content::Alias { id: id.parse().unwrap(), record: bytes },
            (_, Some(id)) => {
                let bytes = manifest_store(id, MediaHash::of(text.as_bytes()).digest()).into();
                Content::Manifest { bytes, tenant: None, visibility: Visibility::Public }
            }
            _ => Content::Legacy(bytes),
        }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.items.lock().unwrap().keys().cloned().collect()
    }

    fn item(key: &str, text: &str) -> Item {
        let version = Digest::of(text.as_bytes()).to_string();
        Item { key: key.to_owned(), size: text.len() as u64, version }
    }
}

impl Source for MemorySource {
    fn name(&self) -> &'static str {
        "source"
    }

    async fn list(&self, after: Option<&str>, _limit: usize) -> Result<Page<Item>, Failure> {
        self.faults
            .call("source list", "", || {
                let mut items = self.items();
                items.sort_by_key(|item| (self.follows(item), item.key.clone()));
                // The item that a page begins with may have been removed since.
                let place = |key: &str| (key.starts_with(ALIASES), key.to_owned());
                let from = after.map(place);
                let items = items.into_iter().filter(|item| Some(place(&item.key)) >= from);
                let mut page: Vec<Item> = items.take(4).collect();
                let next = (page.len() == 4).then(|| page[3].key.clone());
                if let Some(first) = page.first().cloned() {
                    page.insert(1, first);
                }
                Page { items: page, next }
            })
            .await
    }

    fn follows(&self, item: &Item) -> bool {
        item.key.starts_with(ALIASES)
    }

    async fn read(&self, key: &str) -> Result<Option<Content>, Failure> {
        self.faults
            .call("source read", key, || {
                let items = self.items.lock().unwrap();
                items.get(key).map(|text| Self::content(key, text))
            })
            .await
    }

    async fn look(&self, key: &str) -> Result<Option<Item>, Failure> {
        self.faults
            .call("source look", key, || {
                self.items.lock().unwrap().get(key).map(|text| Self::item(key, text))
            })
            .await
    }

    async fn remove(&self, item: &Item) -> Result<Removal, Failure> {
        self.faults
            .call("source remove", &item.key, || {
                let mut items = self.items.lock().unwrap();
                match items.get(&item.key) {
                    None => Removal::Absent,
                    Some(text) if Self::item(&item.key, text) != *item => Removal::Changed,
                    Some(_) => {
                        items.remove(&item.key);
                        Removal::Removed
                    }
                }
            })
            .await
    }
}
