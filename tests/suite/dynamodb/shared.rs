//! Objects that several processes share: files of a folder, with one lock for all writes. For tests of the index.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::object::{Attributes, Head, Object, ObjectKey, StoredTag};
use credlink_core::time::Timestamp;
use credlink_service::ports::{Condition, Failure, Listed, Objects, Page, Put};
use data_encoding::BASE64URL_NOPAD;

/// A folder of objects: a line of JSON with the attributes, then the bytes.
pub struct SharedFolder(PathBuf);

impl SharedFolder {
    pub fn at(folder: &Path) -> Self {
        fs::create_dir_all(folder.join("objects")).unwrap();
        Self(folder.to_owned())
    }

    /// Held by whoever writes, until it is dropped.
    fn lock(&self) -> File {
        let lock = File::options().create(true).append(true).open(self.0.join("lock")).unwrap();
        lock.lock().unwrap();
        lock
    }

    fn path(&self, key: &str) -> PathBuf {
        self.0.join("objects").join(BASE64URL_NOPAD.encode(key.as_bytes()))
    }

    fn read(&self, key: &str) -> Option<Object> {
        let bytes = Bytes::from(fs::read(self.path(key)).ok()?);
        let line = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        let attributes = serde_json::from_slice(&bytes[..line]).unwrap();
        let body = bytes.slice(line + 1..);
        let tag = StoredTag(Digest::of(&bytes).to_string());
        let modified = Timestamp::from_milliseconds(0);
        Some(Object { head: Head { attributes, size: body.len() as u64, tag, modified }, body })
    }
}

impl Objects for SharedFolder {
    fn name(&self) -> &'static str {
        "shared folder"
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        Ok(self.read(&key.to_string()))
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        Ok(self.read(&key.to_string()).map(|object| object.head))
    }

    async fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Failure> {
        let key = key.to_string();
        let bytes = [serde_json::to_vec(attributes).unwrap().as_slice(), b"\n", &body].concat();
        let _lock = self.lock();
        let holds = match (condition, self.read(&key)) {
            (Condition::Absent, stands) => stands.is_none(),
            (Condition::Matches(tag), stands) => stands.is_some_and(|stands| stands.head.tag == tag),
        };
        if !holds {
            return Ok(Put::Lost);
        }
        let temporary = self.0.join("temporary");
        fs::write(&temporary, &bytes).unwrap();
        fs::rename(temporary, self.path(&key)).unwrap();
        Ok(Put::Stored(StoredTag(Digest::of(&bytes).to_string())))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        let _lock = self.lock();
        let _ = fs::remove_file(self.path(&key.to_string()));
        Ok(())
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        let names = fs::read_dir(self.0.join("objects")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_encoded_bytes());
        let keys = names.map(|name| String::from_utf8(BASE64URL_NOPAD.decode(&name).unwrap()).unwrap());
        let mut keys: Vec<_> = keys
            .filter(|key| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after))
            .collect();
        keys.sort();
        let more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| more).cloned();
        let modified = Timestamp::from_milliseconds(0);
        let items = keys.into_iter().map(|key| Listed { key, size: 0, modified }).collect();
        Ok(Page { items, next })
    }
}
