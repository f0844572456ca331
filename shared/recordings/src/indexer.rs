//! The one pass over the bytes of a recording: its hash, those of its segments, the copy of its sound, and its index.

mod copy;
mod fragments;
mod gathered;
mod samples;
mod sound;

use credlink_core::hash::{Digest, Hashing};

use crate::index::{self, Entry, Head, Index, IndexError, LeftOut, Stream};
use crate::plan::{Kind, Plan};
use crate::rates;
use crate::unplayable::Unplayable;
use fragments::Fragments;
use samples::Samples;

/// An indexer of a recording, to which its bytes are pushed in order, in pieces of any length.
///
/// It keeps the blocks and the entries of the index in memory, the sound of one segment, and one `moof` box with its samples.
#[derive(Debug)]
pub struct Indexer {
    at: u64,
    whole: Hashing,
    work: Result<Work, Unplayable>,
    left_out: Vec<LeftOut>,
    planned: u64,
}

#[derive(Debug)]
enum Work {
    Samples(Box<Samples>),
    Fragments(Box<Fragments>),
}

/// The result of a pass over a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// The number of bytes.
    pub length: u64,
    /// Their SHA-256.
    pub sha256: Digest,
    /// The last bytes of the copy of the sound.
    pub sound: Vec<u8>,
    /// The index, or the reason why the recording is not played.
    pub index: Result<Index, Unplayable>,
}

/// The members of an index that a pass makes.
struct Made {
    video: Stream,
    audio: Option<Stream>,
    entries: Vec<Entry>,
    blocks: Vec<u8>,
    /// The digests of the bytes before the first and behind the last segment.
    front: Digest,
    tail: Digest,
    /// `true` if players get fragments as they are, so that no track is left out.
    is_unchanged: bool,
    /// A track of sound that turned out not to be playable.
    left_out: Option<LeftOut>,
}

impl Indexer {
    /// Begins the pass, with the plan of the recording or the reason why there is none.
    #[must_use]
    pub fn new(plan: Result<Plan, Unplayable>) -> Self {
        let (mut left_out, mut planned) = (Vec::new(), 0);
        let work = plan.map(|plan| {
            (left_out, planned) = (plan.left_out, plan.length);
            match plan.kind {
                Kind::Progressive { video, audio } => {
                    Work::Samples(Box::new(Samples::new(*video, audio.map(|audio| *audio))))
                }
                Kind::Fragmented(plan) => Work::Fragments(Box::new(Fragments::new(plan, planned))),
            }
        });
        Self { at: 0, whole: Hashing::default(), work, left_out, planned }
    }

    /// Adds the next bytes. Returns the bytes by which the copy of the sound goes on. All of that copy is void if
    /// [`finish`](Self::finish), which returns the last of them, returns no index, or one without sound.
    #[must_use = "these bytes are a part of the copy of the sound, which segments refer to"]
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.whole.add(bytes);
        let mut sound = Vec::new();
        let done = match &mut self.work {
            Ok(Work::Samples(samples)) => samples.push(self.at, bytes, &mut sound),
            Ok(Work::Fragments(fragments)) => fragments.push(bytes, &mut sound),
            Err(_) => Ok(()),
        };
        if let Err(reason) = done {
            self.work = Err(reason);
        }
        self.at += bytes.len() as u64;
        sound
    }

    /// Ends the pass.
    #[must_use]
    pub fn finish(self) -> Indexed {
        let Self { at: length, whole, work, left_out, planned } = self;
        let sha256 = whole.digest();
        let mut sound = Vec::new();
        let made = work.and_then(|work| {
            if length != planned {
                return Err(Unplayable::OtherLength { read: length, planned });
            }
            match work {
                Work::Samples(samples) => samples.finish(),
                Work::Fragments(fragments) => fragments.finish(&mut sound),
            }
        });
        let index = made.and_then(|made| {
            let Made { video, audio, entries, blocks, front, tail, is_unchanged, left_out: another } = made;
            let mut left_out = if is_unchanged { Vec::new() } else { left_out };
            left_out.extend(another);
            let head = index::head(length, [sha256, front, tail], video, audio, left_out);
            with_rates(head, &entries, &blocks)
                .and_then(|head| index::write(head, &entries, &blocks))
                .map_err(|_| {
                    Unplayable::malformed(
                        crate::bmff::FourCc(*b"stbl"),
                        "its samples do not fit into segments",
                    )
                })
        });
        Indexed { length, sha256, sound, index }
    }
}

/// Fills in what follows from the segments of the streams.
fn with_rates(mut head: Head, entries: &[Entry], blocks: &[u8]) -> Result<Head, IndexError> {
    let number = usize::try_from(head.video.segments).unwrap_or(usize::MAX).min(entries.len());
    let (of_video, of_audio) = entries.split_at(number);
    for (stream, entries) in [(Some(&mut head.video), of_video), (head.audio.as_mut(), of_audio)] {
        let Some(stream) = stream else { continue };
        stream.start = entries.first().map_or(0, |entry| entry.start);
        stream.end = entries.last().map_or(0, |entry| entry.start.saturating_add(entry.duration));
        stream.longest = entries.iter().map(|entry| entry.duration).max().unwrap_or_default();
        rates::measure(stream, entries, blocks)?;
    }
    Ok(head)
}
