use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use credlink_core::hash::Digest;

use super::Faults;
use crate::migrate::ports::{Content, Item, Removal, Source};
use crate::ports::{Failure, Page};

/// Legacy records in memory, three on a page; each page ends with the item that the next begins with.
pub(in crate::migrate) struct MemorySource {
    items: Mutex<BTreeMap<String, String>>,
    faults: Arc<Faults>,
}

impl MemorySource {
    pub(super) fn new(faults: Arc<Faults>) -> Self {
        Self { items: Mutex::default(), faults }
    }

    pub(in crate::migrate) fn put(&self, key: &str, text: String) {
        self.items.lock().unwrap().insert(key.to_owned(), text);
    }

    pub(in crate::migrate) fn items(&self) -> Vec<Item> {
        self.items.lock().unwrap().iter().map(|(key, text)| Self::item(key, text)).collect()
    }

    pub(in crate::migrate) fn take(&self, key: &str) {
        self.items.lock().unwrap().remove(key);
    }

    pub(in crate::migrate) fn keys(&self) -> Vec<String> {
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
                let items = self.items.lock().unwrap();
                let start = after.map_or(Bound::Unbounded, Bound::Included);
                let mut page: Vec<Item> = items
                    .range::<str, _>((start, Bound::Unbounded))
                    .take(4)
                    .map(|(key, text)| Self::item(key, text))
                    .collect();
                let next = (page.len() == 4).then(|| page[3].key.clone());
                if let Some(first) = page.first().cloned() {
                    page.insert(1, first);
                }
                Page { items: page, next }
            })
            .await
    }

    async fn read(&self, key: &str) -> Result<Option<Content>, Failure> {
        self.faults
            .call("source read", key, || {
                let items = self.items.lock().unwrap();
                items.get(key).map(|text| Content::Legacy(Bytes::from(text.clone())))
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
