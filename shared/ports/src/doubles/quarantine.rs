//! A quarantine in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use credlink_core::file::UploadId;
use credlink_core::row::UploadRow;
use credlink_core::rules::upload::{Arrived, Found, Part, Plan};
use credlink_core::time::Timestamp;

use crate::{Failure, Quarantine, SignedPut};

/// A quarantine in memory. Clones share their bytes.
///
/// # Panics
/// A method panics if its caller breaks the contract: a part that is not one of the upload's, parts that are joined
/// before all have arrived, a range beyond the end, or the bytes of an upload without a multipart upload of its own that
/// are sent in parts.
#[derive(Clone, Debug, Default)]
pub struct MemoryQuarantine(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    whole: HashMap<UploadId, Bytes>,
    /// The parts of each multipart upload, by the provider's ID.
    parts: HashMap<(UploadId, String), BTreeMap<u32, Bytes>>,
    /// The number of multipart uploads that were begun.
    begun: u32,
}

impl MemoryQuarantine {
    /// Creates an empty quarantine.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Receives what a client sends to an address: all bytes of `upload`, or one part. Returns `false`, and keeps what
    /// there was, if the bytes have another length than the address was signed for, or all bytes are there already.
    pub fn receive(&self, upload: &UploadRow, part: Option<&Part>, bytes: Bytes) -> bool {
        let mut state = self.state();
        let expected = part.map_or(upload.size, Part::length);
        if bytes.len() as u64 != expected || state.whole.contains_key(&upload.id) {
            return false;
        }
        match part {
            None => {
                state.whole.insert(upload.id, bytes);
            }
            Some(part) => {
                let multipart = own(upload);
                let parts =
                    state.parts.get_mut(&(upload.id, multipart)).expect("its multipart upload goes on");
                parts.insert(part.number, bytes);
            }
        }
        true
    }

    /// Returns `true` if nothing is there for `upload`, and no multipart upload goes on.
    #[must_use]
    pub fn is_empty_for(&self, upload: &UploadId) -> bool {
        let state = self.state();
        !state.whole.contains_key(upload) && state.parts.keys().all(|(id, _)| id != upload)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the provider's ID of an upload's own multipart upload.
fn own(upload: &UploadRow) -> String {
    upload.multipart.clone().expect("an upload in parts has a multipart upload")
}

fn signed(upload: &UploadRow, part: Option<&Part>, until: Timestamp) -> SignedPut {
    let number = part.map_or(0, |part| part.number);
    let length = part.map_or(upload.size, Part::length);
    SignedPut {
        url: format!("memory:{}/{number}", upload.id),
        headers: vec![("content-length", length.to_string())],
        expires: until,
    }
}

impl Quarantine for MemoryQuarantine {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn sign_put(&self, upload: &UploadRow, until: Timestamp) -> Result<SignedPut, Failure> {
        Ok(signed(upload, None, until))
    }

    async fn begin(&self, upload: &UploadRow) -> Result<String, Failure> {
        let mut state = self.state();
        state.begun += 1;
        let multipart = state.begun.to_string();
        state.parts.insert((upload.id, multipart.clone()), BTreeMap::new());
        Ok(multipart)
    }

    async fn sign_part(
        &self,
        upload: &UploadRow,
        part: &Part,
        until: Timestamp,
    ) -> Result<SignedPut, Failure> {
        assert_eq!(
            Plan::of(upload.size).part(part.number).as_ref(),
            Some(part),
            "it is a part of the upload"
        );
        own(upload);
        Ok(signed(upload, Some(part), until))
    }

    async fn found(&self, upload: &UploadRow) -> Result<Found, Failure> {
        let state = self.state();
        if let Some(bytes) = state.whole.get(&upload.id) {
            return Ok(Found::Whole(bytes.len() as u64));
        }
        let parts = upload.multipart.clone().and_then(|multipart| state.parts.get(&(upload.id, multipart)));
        let arrived: Vec<Arrived> = parts
            .into_iter()
            .flatten()
            .map(|(number, bytes)| Arrived { number: *number, size: bytes.len() as u64 })
            .collect();
        Ok(if arrived.is_empty() { Found::Nothing } else { Found::Parts(arrived) })
    }

    async fn join(&self, upload: &UploadRow) -> Result<(), Failure> {
        let mut state = self.state();
        if state.whole.contains_key(&upload.id) {
            return Ok(());
        }
        let parts = state.parts.remove(&(upload.id, own(upload))).expect("its multipart upload goes on");
        assert_eq!(parts.len(), Plan::of(upload.size).count() as usize, "all parts have arrived");
        let whole: Vec<u8> = parts.into_values().flatten().collect();
        state.whole.insert(upload.id, whole.into());
        Ok(())
    }

    async fn read(&self, upload: &UploadRow, range: Range<u64>) -> Result<Option<Bytes>, Failure> {
        let state = self.state();
        let Some(bytes) = state.whole.get(&upload.id) else { return Ok(None) };
        assert!(
            range.start <= range.end && range.end <= bytes.len() as u64,
            "the range lies within the whole"
        );
        let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        Ok(Some(bytes.slice(position(range.start)..position(range.end))))
    }

    async fn abort(&self, upload: &UploadRow, multipart: &str) -> Result<(), Failure> {
        self.state().parts.remove(&(upload.id, multipart.to_owned()));
        Ok(())
    }

    async fn remove(&self, upload: &UploadRow) -> Result<(), Failure> {
        let mut state = self.state();
        state.whole.remove(&upload.id);
        if let Some(multipart) = upload.multipart.clone() {
            state.parts.remove(&(upload.id, multipart));
        }
        Ok(())
    }
}
