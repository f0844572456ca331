//! The pipeline: from the bytes of a picture to its facts and renditions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use credlink_core::hash::MediaHash;

use crate::bitmap::Bitmap;
use crate::bounds::Bounds;
use crate::deadline::Deadline;
use crate::facts::{Facts, ThumbHash};
use crate::plan::{Made, Plan};
use crate::profile::{Encoding, FocalPoint, RenditionProfile};
use crate::source::Source;
use crate::{PictureType, Refusal, jpeg, webp};

/// The decisions about a picture that its profiles do not make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Treatment {
    /// The point that squares keep.
    pub focal: FocalPoint,
    /// The colour behind transparent pixels, as red, green and blue, where a rendition cannot be transparent.
    pub background: [u8; 3],
    /// The decision about animations.
    pub animations: Animations,
}

impl Default for Treatment {
    /// Squares from the middle, white behind transparent pixels, animations kept.
    fn default() -> Self {
        Self { focal: FocalPoint::CENTRE, background: [255; 3], animations: Animations::Keep }
    }
}

/// The decision about animations. There is none that keeps only their first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Animations {
    /// Renditions as WebP are animations, and there are none as JPEG.
    Keep,
    /// An animation is refused.
    Refuse,
}

/// A rendition, with nothing of the original's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// The name of its profile.
    pub profile: String,
    /// The version of its profile.
    pub version: u32,
    /// The type.
    pub format: PictureType,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The number of stored frames: 1 for a still picture. Frames that show the same are stored once.
    pub frames: u32,
    /// The content.
    pub bytes: Vec<u8>,
    /// The SHA-256 of the content.
    pub hash: MediaHash,
}

/// A rendition that was asked for and not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omission {
    /// The name of the profile.
    pub profile: String,
    /// The version of the profile.
    pub version: u32,
    /// The reason.
    pub reason: OmissionReason,
}

/// The reason for which a rendition was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OmissionReason {
    /// The picture has no more pixels than this other profile's rendition, which is to be used instead.
    Repeats {
        /// The name of the other profile.
        profile: String,
    },
    /// The picture is an animation, and this type can only be a still picture.
    CannotMove {
        /// The type.
        format: PictureType,
    },
}

/// The result of rendering a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// Everything that is known of the picture.
    pub facts: Facts,
    /// The renditions, the largest first.
    pub renditions: Vec<Rendition>,
    /// The renditions that were asked for and not made.
    pub omissions: Vec<Omission>,
}

/// The measures of a picture, as it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measures {
    /// The type, by content.
    pub format: PictureType,
    /// The width after the orientation is applied.
    pub width: u32,
    /// The height after the orientation is applied.
    pub height: u32,
    /// The number of frames: 1 for a still picture.
    pub frames: u32,
}

/// Reads the structure of a picture without decoding it.
///
/// # Errors
///
/// If the picture is refused for its structure. Its pixels may still be damaged.
pub fn measure(bytes: &[u8], bounds: &Bounds) -> Result<Measures, Refusal> {
    let measured = catch_unwind(|| {
        let source = Source::read(bytes, bounds)?;
        let (width, height) = source.fields.orientation.size(source.width, source.height);
        Ok(Measures { format: source.format(), width, height, frames: source.frames })
    });
    measured.unwrap_or_else(|_| {
        let format = PictureType::of(bytes).ok_or(Refusal::NotAPicture)?;
        Err(Refusal::damaged(format, "its structure cannot be read"))
    })
}

/// Decodes a picture and returns everything that is known of it.
///
/// # Errors
///
/// If the picture is refused. Animations are not refused here.
pub fn inspect(bytes: &[u8], bounds: &Bounds, deadline: Deadline) -> Result<Facts, Refusal> {
    Ok(render(bytes, &[], &Treatment::default(), bounds, deadline)?.facts)
}

/// Decodes a picture once and makes its renditions: upright, in sRGB, never enlarged, without metadata.
///
/// # Errors
///
/// If the picture is refused.
pub fn render(
    bytes: &[u8],
    profiles: &[RenditionProfile],
    treatment: &Treatment,
    bounds: &Bounds,
    deadline: Deadline,
) -> Result<Rendered, Refusal> {
    // A decoder that panics must cost this picture and not the process. The bounds are checked first, so little can.
    catch_unwind(AssertUnwindSafe(|| rendered(bytes, profiles, treatment, bounds, deadline))).unwrap_or_else(
        |_| {
            let format = PictureType::of(bytes).ok_or(Refusal::NotAPicture)?;
            Err(Refusal::damaged(format, "its decoder failed"))
        },
    )
}

fn rendered(
    bytes: &[u8],
    profiles: &[RenditionProfile],
    treatment: &Treatment,
    bounds: &Bounds,
    deadline: Deadline,
) -> Result<Rendered, Refusal> {
    deadline.check()?;
    let source = Source::read(bytes, bounds)?;
    if source.frames > 1 && treatment.animations == Animations::Refuse {
        return Err(Refusal::Animation { frames: source.frames });
    }
    let (width, height) = source.fields.orientation.size(source.width, source.height);
    let plan = Plan::new(width, height, treatment.focal, profiles);
    let mut omissions: Vec<_> = plan
        .repeated
        .iter()
        .map(|(profile, other)| {
            omission(profile, OmissionReason::Repeats { profile: other.name().to_owned() })
        })
        .collect();
    let (renditions, placeholder) = if source.frames > 1 {
        let animated = animated(&source, &plan, bounds, deadline)?;
        omissions.extend(animated.omissions);
        (animated.renditions, animated.placeholder)
    } else {
        still(&source, &plan, treatment, bounds, deadline)?
    };
    Ok(Rendered { facts: facts(&source, placeholder), renditions, omissions })
}

/// Returns the largest whole picture that the plan needs, upright and in sRGB.
fn base(source: &Source<'_>, plan: &Plan<'_>, decoded: &Bitmap) -> Bitmap {
    let (width, height) = plan.base();
    // Turned last, when it is smallest. An orientation that swaps the sides swaps them back.
    let (width, height) = source.fields.orientation.size(width, height);
    let smaller = decoded.resized(width, height, None);
    source.colour.to_srgb(source.fields.orientation.apply(smaller))
}

fn still(
    source: &Source<'_>,
    plan: &Plan<'_>,
    treatment: &Treatment,
    bounds: &Bounds,
    deadline: Deadline,
) -> Result<(Vec<Rendition>, Bitmap), Refusal> {
    let decoded = source.decode(plan.scale(), bounds, deadline)?;
    deadline.check()?;
    let base = base(source, plan, &decoded);
    drop(decoded);
    let Made { renditions: made, placeholder } = plan.make(base);
    let mut renditions = Vec::new();
    for (profile, bitmap) in made {
        for encoding in profile.encodings() {
            deadline.check()?;
            let bytes = match *encoding {
                Encoding::Jpeg { quality, progressive } => {
                    jpeg::encode(&bitmap.over(treatment.background), quality, progressive)?
                }
                Encoding::WebP { quality, effort } => webp::encode(&bitmap, quality, effort)?,
            };
            renditions.push(rendition(profile, encoding.format(), (bitmap.width, bitmap.height), 1, bytes));
        }
    }
    Ok((renditions, placeholder))
}

/// The renditions of an animation.
struct Animated {
    renditions: Vec<Rendition>,
    omissions: Vec<Omission>,
    placeholder: Bitmap,
}

fn animated(
    source: &Source<'_>,
    plan: &Plan<'_>,
    bounds: &Bounds,
    deadline: Deadline,
) -> Result<Animated, Refusal> {
    let mut omissions = Vec::new();
    let mut animations: Vec<(&RenditionProfile, (u32, u32), webp::Animation)> = Vec::new();
    let mut first = None;
    source.each_frame(bounds, deadline, &mut |frame, time| {
        deadline.check()?;
        let Made { renditions: made, placeholder } = plan.make(base(source, plan, frame));
        if first.is_none() {
            first = Some(placeholder);
            for (profile, bitmap) in &made {
                for encoding in profile.encodings() {
                    match *encoding {
                        Encoding::WebP { quality, effort } => {
                            let animation = webp::Animation::new(quality, effort, source.plays);
                            animations.push((profile, (bitmap.width, bitmap.height), animation));
                        }
                        Encoding::Jpeg { .. } => {
                            let format = encoding.format();
                            omissions.push(omission(profile, OmissionReason::CannotMove { format }));
                        }
                    }
                }
            }
        }
        for (profile, bitmap) in made {
            // A profile has each type at most once.
            if let Some((.., animation)) =
                animations.iter_mut().find(|(other, ..)| std::ptr::eq(*other, profile))
            {
                animation.add(bitmap.with_opacity(), time)?;
            }
        }
        Ok(())
    })?;
    let mut renditions = Vec::new();
    for (profile, size, animation) in animations {
        let frames = animation.frames();
        renditions.push(rendition(profile, PictureType::WebP, size, frames, animation.finish()?));
    }
    let placeholder = first.ok_or_else(|| Refusal::damaged(source.format(), "it has no frame"))?;
    Ok(Animated { renditions, omissions, placeholder })
}

fn rendition(
    profile: &RenditionProfile,
    format: PictureType,
    (width, height): (u32, u32),
    frames: u32,
    bytes: Vec<u8>,
) -> Rendition {
    let hash = MediaHash::of(&bytes);
    Rendition {
        profile: profile.name().to_owned(),
        version: profile.version(),
        format,
        width,
        height,
        frames,
        bytes,
        hash,
    }
}

fn omission(profile: &RenditionProfile, reason: OmissionReason) -> Omission {
    Omission { profile: profile.name().to_owned(), version: profile.version(), reason }
}

fn facts(source: &Source<'_>, placeholder: Bitmap) -> Facts {
    let (width, height) = source.fields.orientation.size(source.width, source.height);
    let small = placeholder.with_opacity();
    let hash = thumbhash::rgba_to_thumb_hash(small.width as usize, small.height as usize, &small.samples);
    Facts {
        format: source.format(),
        bytes: source.length(),
        width,
        height,
        orientation: source.fields.orientation,
        frames: source.frames,
        bit_depth: source.bit_depth,
        colours: source.colours,
        has_alpha: source.has_alpha,
        profile: source.colour.facts.clone(),
        camera: source.fields.camera.clone(),
        position: source.fields.position,
        placeholder: ThumbHash::new(hash),
    }
}
