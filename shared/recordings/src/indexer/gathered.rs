//! The samples of fragments that players cannot be given as they are: blocks for the pictures, and a copy of the sound.

use super::copy::left_out;
use super::sound::Sound;
use crate::bmff::fragments::{Fragment, FragmentedTrack};
use crate::bmff::tables::Sample;
use crate::bounds::MAX_FRAGMENTED_SAMPLES;
use crate::index::block::BlockWriter;
use crate::index::{LeftOut, Stream};
use crate::plan::{Fragmented, Shift};
use crate::unplayable::Unplayable;

/// Samples for which headers are generated.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) stream: Stream,
    /// The times of the pictures, which are known with the first fragment.
    pub(super) shift: Shift,
    pub(super) blocks: Vec<u8>,
    /// The sound that is copied, or the reason why none is.
    pub(super) sound: Option<Result<Sound, LeftOut>>,
    /// The end of the last picture in the recording.
    pub(super) end: u64,
    /// The last picture that was added, and where it was added.
    last: Option<Added>,
}

/// A picture in a block.
#[derive(Clone, Copy, Debug)]
struct Added {
    picture: Sample,
    /// The length of all blocks before and after it.
    blocks: (usize, usize),
    /// The state of the writer before it.
    writer: BlockWriter,
}

impl Gathered {
    /// Begins with the first fragment that has pictures. Returns `None` if this one has none. The pictures are the first of the
    /// tracks of a recording of `length` bytes.
    pub(super) fn new(
        plan: &Fragmented,
        fragment: &Fragment<'_>,
        tracks: &[FragmentedTrack],
        length: u64,
    ) -> Result<Option<Self>, Unplayable> {
        let mut first = Vec::new();
        fragment.read(&mut tracks.to_vec(), 1, &mut { MAX_FRAGMENTED_SAMPLES }, |_, sample| {
            first.push(Ok(*sample));
            Ok(())
        })?;
        if first.is_empty() {
            return Ok(None);
        }
        let shift = Shift::of(plan.video.times, first.into_iter())?;
        let sound = plan.audio.clone().map(|audio| match shift.of_sound(audio.times) {
            Ok(audible) => Ok(Sound::new(audio, audible, length)),
            Err(reason) => Err(left_out(&audio.stream, &reason)),
        });
        let stream = plan.video.stream.clone();
        Ok(Some(Self { stream, shift, blocks: Vec::new(), sound, end: 0, last: None }))
    }

    /// Goes on with the sound. If that fails, there is none: pictures without sound are worth more than nothing.
    pub(super) fn hear(&mut self, go_on: impl FnOnce(&mut Sound) -> Result<(), Unplayable>) {
        if let Some(Ok(sound)) = &mut self.sound
            && let Err(reason) = go_on(sound)
        {
            self.sound = Some(Err(left_out(sound.stream(), &reason)));
        }
    }

    /// Adds the pictures of a fragment, which lie behind `at`, to a block.
    pub(super) fn add(
        &mut self,
        track: u32,
        at: u64,
        pictures: &[Sample],
        writer: &mut BlockWriter,
    ) -> Result<(), Unplayable> {
        for picture in pictures {
            if picture.offset < self.end.max(at) {
                return Err(Unplayable::Scattered(track));
            }
            self.end = picture.offset.saturating_add(picture.size.into());
            let (before, state) = (self.blocks.len(), *writer);
            writer.add(&mut self.blocks, picture);
            self.last = Some(Added { picture: *picture, blocks: (before, self.blocks.len()), writer: state });
        }
        Ok(())
    }

    /// Lets the last picture, which is in the same block, last until `next`, whatever its fragment said: a header has no gaps.
    /// Returns the length of all blocks before and after, if the picture was written anew.
    pub(super) fn join(
        &mut self,
        track: u32,
        next: u64,
        writer: &mut BlockWriter,
    ) -> Result<Option<(usize, usize)>, Unplayable> {
        let Some(Added { picture, blocks: (begin, end), writer: state }) = self.last else { return Ok(None) };
        let duration = next.checked_sub(picture.decode_time).and_then(|time| u32::try_from(time).ok());
        let duration = duration.ok_or(Unplayable::Scattered(track))?;
        if duration == picture.duration {
            return Ok(None);
        }
        self.blocks.truncate(begin);
        *writer = state;
        writer.add(&mut self.blocks, &Sample { duration, ..picture });
        Ok(Some((end, self.blocks.len())))
    }
}
