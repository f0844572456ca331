//! Objects in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use credlink_core::hash::Digest;
use credlink_core::media_type::TOMBSTONE_TYPE;
use credlink_core::object::{Attributes, Facts, Head, Object, ObjectKey, StoredTag};
use futures_util::stream::TryStreamExt as _;

use super::clock::WallClock;
use crate::{
    Checksum, Checksummed, Clock, Condition, Failure, FailureKind, Listed, LongObjects, LongWrite, Medium,
    ObjectWrite, Objects, Page, Put, SingleProvider, put_one_by_one,
};

/// A provider in memory. Clones share their objects.
///
/// # Panics
/// `put` panics if it breaks the rule of immutable keys ([`ObjectKey::is_mutable`]). An object under such a key may be
/// replaced by a tombstone, and a tombstone by content in a stored form that the key never had before (the same bytes
/// would have the tag that a late deletion waits for). An object that missed both a deletion and the store after it may
/// be replaced by the same content of a later generation. No other replacement is allowed.
#[derive(Clone)]
pub struct MemoryObjects {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock + Send + Sync>,
}

#[derive(Clone, Default)]
struct State {
    objects: BTreeMap<String, Object>,
    /// The digests of the stored forms that each immutable key has had since it was last absent.
    forms: HashMap<String, HashSet<Digest>>,
}

impl Default for MemoryObjects {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for MemoryObjects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.state().objects.keys()).finish()
    }
}

impl MemoryObjects {
    /// Creates an empty provider that uses the system's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(WallClock)
    }

    /// Creates an empty provider that takes the instants of its writes from `clock`.
    #[must_use]
    pub fn with_clock(clock: impl Clock + Send + Sync + 'static) -> Self {
        Self { state: Arc::default(), clock: Arc::new(clock) }
    }

    /// Returns a copy of the objects as they are now, which shares nothing with the original, like a backup.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let state = self.state().clone();
        Self { state: Arc::new(Mutex::new(state)), clock: Arc::clone(&self.clock) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in `police` leaves the state as it was before the call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn holds(&self, key: &str, condition: &Condition) -> bool {
        match (self.objects.get(key), condition) {
            (None, Condition::Absent) => true,
            (Some(object), Condition::Matches(tag)) => object.head.tag == *tag,
            _ => false,
        }
    }

    fn police(&self, key: &ObjectKey, text: &str, form: Digest, attributes: &Attributes) {
        let Some(before) = self.objects.get(text) else { return };
        if key.is_mutable() || attributes.content_type == TOMBSTONE_TYPE {
            return;
        }
        // A repair of a provider that missed both a deletion and the store after it.
        let later = match (Facts::read(&before.head.attributes), Facts::read(attributes)) {
            (Ok(before), Ok(after)) => before.sha256 == after.sha256 && before.generation < after.generation,
            _ => false,
        };
        assert!(
            later || before.head.attributes.content_type == TOMBSTONE_TYPE,
            "{text} is immutable, and was about to be replaced by other content"
        );
        assert!(
            !self.forms.get(text).is_some_and(|forms| forms.contains(&form)),
            "{text} was deleted, and was about to be restored in a stored form that stood there before"
        );
    }
}

impl Objects for MemoryObjects {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        Ok(self.state().objects.get(&key.to_string()).cloned())
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        Ok(self.state().objects.get(&key.to_string()).map(|object| object.head.clone()))
    }

    async fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Failure> {
        let text = key.to_string();
        let form = Digest::of(&body);
        let modified = self.clock.now();
        let mut state = self.state();
        if !state.holds(&text, &condition) {
            return Ok(Put::Lost);
        }
        state.police(key, &text, form, attributes);
        if !key.is_mutable() && attributes.content_type != TOMBSTONE_TYPE {
            state.forms.entry(text.clone()).or_default().insert(form);
        }
        let tag = StoredTag(form.to_string());
        let head =
            Head { attributes: attributes.clone(), size: body.len() as u64, tag: tag.clone(), modified };
        // Copied, as a provider would: the caller's buffer may be a slice of a larger one.
        state.objects.insert(text, Object { head, body: Bytes::copy_from_slice(&body) });
        Ok(Put::Stored(tag))
    }

    async fn put_in_order(
        &self,
        first: ObjectWrite,
        second: ObjectWrite,
    ) -> Result<(Put, Option<Put>), Failure> {
        put_one_by_one(self, first, second).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        let text = key.to_string();
        let mut state = self.state();
        state.objects.remove(&text);
        state.forms.remove(&text);
        Ok(())
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        assert!((1..=1_000).contains(&limit), "a page has 1 to 1,000 objects, not {limit}");
        let state = self.state();
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut items: Vec<Listed> = state
            .objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit + 1)
            .map(|(key, object)| Listed {
                key: key.clone(),
                size: object.head.size,
                modified: object.head.modified,
            })
            .collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(|item| item.key.clone()) } else { None };
        Ok(Page { items, next })
    }
}

impl LongObjects for MemoryObjects {
    async fn get_piece(
        &self,
        key: &ObjectKey,
        tag: &StoredTag,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, Failure> {
        let Some(object) = self.get(key).await?.filter(|object| object.head.tag == *tag) else {
            return Ok(None);
        };
        let end = |at| usize::try_from(at).unwrap_or(usize::MAX);
        Ok(Some(object.body.slice(end(range.start)..end(range.end))))
    }

    async fn put_pieces(&self, key: &ObjectKey, write: LongWrite) -> Result<Put, Failure> {
        let LongWrite { size, sha256, pieces, attributes, condition } = write;
        if !self.state().holds(&key.to_string(), &condition) {
            return Ok(Put::Lost);
        }
        let pieces: Vec<Bytes> = pieces.try_collect().await?;
        let body = Bytes::from(pieces.concat());
        if body.len() as u64 != size || Digest::of(&body) != sha256 {
            let message = format!("{key}: the pieces are not the bytes that were announced");
            return Err(Failure { provider: self.name(), kind: FailureKind::Damaged, message });
        }
        self.put(key, body, &attributes, condition).await
    }
}

/// There is one copy of each object.
impl SingleProvider for MemoryObjects {}

impl Medium for MemoryObjects {
    fn has_cheap_lookups(&self) -> bool {
        true
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        None
    }
}

impl Checksummed for MemoryObjects {
    async fn head_with_checksum(&self, key: &ObjectKey) -> Result<Option<(Head, Option<Checksum>)>, Failure> {
        let state = self.state();
        let object = state.objects.get(&key.to_string());
        Ok(object.map(|object| (object.head.clone(), Some(Checksum::Sha256(Digest::of(&object.body))))))
    }
}

#[cfg(test)]
mod tests {
    use credlink_core::tenant::Tenant;
    use credlink_core::time::Timestamp;
    use credlink_core::tombstone::Tombstone;

    use super::*;

    async fn replace(objects: &MemoryObjects, key: &ObjectKey, body: &[u8], attributes: &Attributes) {
        let condition = match objects.head(key).await.unwrap() {
            Some(head) => Condition::Matches(head.tag),
            None => Condition::Absent,
        };
        let put = objects.put(key, Bytes::copy_from_slice(body), attributes, condition).await.unwrap();
        assert!(matches!(put, Put::Stored(_)));
    }

    async fn deleted() -> (MemoryObjects, ObjectKey) {
        let (objects, key) = (MemoryObjects::new(), ObjectKey::Manifest("urn:c2pa:x".parse().unwrap()));
        replace(&objects, &key, b"content", &Attributes::default()).await;
        let (body, attributes) =
            Tombstone::new(Timestamp::from_milliseconds(0), 0).object(&key, &Tenant::default());
        replace(&objects, &key, &body, &attributes).await;
        (objects, key)
    }

    #[tokio::test]
    #[should_panic(expected = "manifests/urn%3Ac2pa%3Ax is immutable")]
    async fn immutable_content_is_not_replaced() {
        let (objects, key) = (MemoryObjects::new(), ObjectKey::Manifest("urn:c2pa:x".parse().unwrap()));
        replace(&objects, &key, b"content", &Attributes::default()).await;
        replace(&objects, &key, b"other", &Attributes::default()).await;
    }

    #[tokio::test]
    #[should_panic(expected = "in a stored form that stood there before")]
    async fn a_deleted_form_does_not_come_back() {
        let (objects, key) = deleted().await;
        replace(&objects, &key, b"content", &Attributes::default()).await;
    }

    #[tokio::test]
    async fn deletion_and_restoration_in_another_form_are_no_breach() {
        let (objects, key) = deleted().await;
        replace(&objects, &key, b"content, packed", &Attributes::default()).await;
        objects.delete(&key).await.unwrap();
        replace(&objects, &key, b"content", &Attributes::default()).await;
    }
}
