//! The one pass over the bytes of a recording: its hash, those of its segments, the copy of its sound, and its index.

mod fragments;
mod progressive;

use bytes::Bytes;
use credlink_core::hash::{Digest, Hashing};

use crate::index::{Head, Index, Segment};
use crate::plan::{Kind, Plan};
use crate::unplayable::Unplayable;
use fragments::Fragments;
use progressive::Samples;

/// A pass over the bytes of a recording, which are pushed in order, in pieces of any length.
///
/// It keeps the index, the sound of one segment and one `moof` box in memory, whatever the length of the recording.
#[derive(Debug)]
pub struct Pass {
    at: u64,
    whole: Hashing,
    work: Result<Work, Unplayable>,
}

#[derive(Debug)]
enum Work {
    Samples(Box<Samples>),
    Fragments(Box<Fragments>),
}

/// The result of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The number of bytes.
    pub length: u64,
    /// Their SHA-256.
    pub sha256: Digest,
    /// The index, in its format, or the reason why the recording is not played.
    pub index: Result<Bytes, Unplayable>,
}

/// The members of an index that a pass makes.
struct Parts {
    head: Head,
    segments: Vec<Segment>,
    blocks: Vec<u8>,
}

impl Pass {
    /// Begins the pass, with the plan of the recording or the reason why there is none.
    #[must_use]
    pub fn new(plan: Result<Plan, Unplayable>) -> Self {
        let work = plan.map(|plan| match plan.0 {
            Kind::Progressive(plan) => Work::Samples(Box::new(Samples::new(plan))),
            Kind::Fragmented(plan) => Work::Fragments(Box::new(Fragments::new(plan))),
        });
        Self { at: 0, whole: Hashing::default(), work }
    }

    /// Adds the next bytes. Returns the bytes of the copy of the sound that are finished by them, if any.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.whole.add(bytes);
        let mut sound = Vec::new();
        let done = match &mut self.work {
            Ok(Work::Samples(samples)) => samples.push(self.at, bytes, &mut sound),
            Ok(Work::Fragments(fragments)) => fragments.push(bytes),
            Err(_) => Ok(()),
        };
        if let Err(reason) = done {
            self.work = Err(reason);
            sound.clear();
        }
        self.at += bytes.len() as u64;
        sound
    }

    /// Ends the pass.
    #[must_use]
    pub fn finish(self) -> Passed {
        let length = self.at;
        let parts = self.work.and_then(|work| match work {
            Work::Samples(samples) => samples.finish(),
            Work::Fragments(fragments) => fragments.finish(),
        });
        let index = parts.and_then(|parts| {
            if parts.head.length != length {
                return Err(Unplayable::Incomplete);
            }
            // Only a head of more than 4 GB could not be written.
            Index::write(&parts.head, &parts.segments, &parts.blocks).map_err(|_| Unplayable::Incomplete)
        });
        Passed { length, sha256: self.whole.digest(), index }
    }
}
