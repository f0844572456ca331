//! The renderer of pictures: codecs on threads of their own, and the words of CredLink for what they say.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use credlink_core::bounds::{MAX_ANIMATION_PIXELS, MAX_FRAMES};
use credlink_core::collection::{Collection, Collections, Encoding, ExtractedField, Fit, Profile};
use credlink_core::file::{FileType, Format, Rejection};
use credlink_core::file_record::{Details, Exposure, Location};
use credlink_core::rules::renditions::{Fits, Planned, RenditionPlan, fits};
use credlink_pictures::{
    Animations, Bounds, Deadline, Facts, FocalPoint, PictureType, Refusal, RenditionProfile, Shape,
    Treatment, measure,
};
use credlink_ports::{
    Failure, FailureKind, MadeRendition, NotRendered, RenderOrder, RenderedPicture, Renderer, Rendering,
    Work as _,
};
use credlink_runtime::threads::Threads;
use tokio::sync::oneshot;

/// The time that a picture may take. The largest one that the built-in collections accept takes a few seconds.
const TIME: Duration = Duration::from_secs(30);

/// The quality of a rendition whose profile names none.
const QUALITY: u8 = 80;
/// The effort of WebP, of 0 to 6: the usual one.
const EFFORT: u8 = 4;

/// The renderer of pictures.
#[derive(Debug, Default)]
pub struct Pictures {
    threads: Threads,
}

impl Pictures {
    /// Checks that the files of all collections can be finalised, of which the `longest` has this number of bytes.
    ///
    /// # Errors
    /// Returns what is impossible, and what is possible.
    pub fn check(collections: &Collections, longest: u64) -> Result<(), String> {
        for name in collections.names() {
            let Some(rules) = collections.get(name) else { continue };
            if rules.max_bytes > longest {
                return Err(format!(
                    "`collections.{name}.max_bytes`: at most {longest} here, where the whole of a file is in memory, not {}",
                    rules.max_bytes
                ));
            }
            for (place, profile) in rules.renditions.iter().enumerate() {
                let at = format!("`collections.{name}.renditions[{place}]`");
                if profile.fit == Fit::Cover && profile.width != profile.height {
                    return Err(format!(
                        "{at}: a `cover` is a square here, and has the same width and height"
                    ));
                }
                if let Some(other) = profile.formats.iter().find(|encoding| encoded(encoding).is_none()) {
                    return Err(format!(
                        "{at}: `jpg` and `webp` are encoded here, and not `{}`",
                        other.format
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Renderer for Pictures {
    fn render(&self, original: Bytes, order: RenderOrder) -> Rendering<'_> {
        Box::pin(async move {
            let (tell, told) = oneshot::channel();
            let job = move || {
                // Nobody listens if the process is ending.
                let _ = tell.send(render(&original, &order));
            };
            self.threads.run(Box::new(job)).await;
            told.await.unwrap_or_else(|_| Err(failed("the process ends, and renders nothing more").into()))
        })
    }
}

fn failed(message: &str) -> Failure {
    Failure { provider: "renderer", kind: FailureKind::Unavailable, message: message.to_owned() }
}

fn render(original: &[u8], order: &RenderOrder) -> Result<RenderedPicture, NotRendered> {
    let rules = &order.collection;
    let bounds = Bounds {
        bytes: usize::try_from(rules.max_bytes).unwrap_or(usize::MAX),
        pixels: rules.max_pixels,
        frames: MAX_FRAMES,
        frame_pixels: MAX_ANIMATION_PIXELS,
        ..Bounds::default()
    };
    let measures = measure(original, &bounds).map_err(|refusal| refused(&refusal))?;
    if file_type(measures.format) != Some(order.kind) {
        return Err(NotRendered::Refused(Rejection::TypeMismatch));
    }
    match fits(rules, measures.width, measures.height, measures.frames) {
        Fits::Yes => {}
        Fits::TooManyPixels => return Err(NotRendered::Refused(Rejection::TooManyPixels)),
        Fits::Animated => return Err(NotRendered::Refused(Rejection::Animated)),
        Fits::TooManyFrames => return Err(NotRendered::Refused(Rejection::TooManyFrames)),
    }
    let plan = RenditionPlan::of(rules, order.kind, measures.width, measures.height, order.focal);
    let profiles = profiles(rules, &plan)?;
    let (x, y) = order.focal.rounded().fractions();
    let treatment = Treatment {
        focal: FocalPoint::new(x, y).unwrap_or_default(),
        animations: Animations::Keep,
        ..Treatment::default()
    };
    let rendered = credlink_pictures::render(original, &profiles, &treatment, &bounds, Deadline::after(TIME));
    let rendered = rendered.map_err(|refusal| refused(&refusal))?;
    let facts = &rendered.facts;
    let mut made: HashMap<(String, PictureType), _> = HashMap::new();
    for rendition in rendered.renditions {
        made.insert((rendition.profile.clone(), rendition.format), rendition);
    }
    let mut renditions = Vec::new();
    for planned in &plan.made {
        let Some(format) = picture_type(planned.name.format) else { continue };
        // A JPEG of an animation is not made.
        let Some(rendition) = made.remove(&(place_of(rules, planned), format)) else { continue };
        renditions.push(MadeRendition {
            name: planned.name.clone(),
            width: rendition.width,
            height: rendition.height,
            bytes: rendition.bytes.into(),
        });
    }
    Ok(RenderedPicture {
        width: facts.width,
        height: facts.height,
        frames: facts.frames,
        renditions,
        same: plan.same,
        thumbhash: Some(facts.placeholder.to_string()),
        details: details(rules, facts),
    })
}

/// Returns the name under which the codecs know the profile of a rendition: its place in the collection.
fn place_of(rules: &Collection, planned: &Planned) -> String {
    let place = rules.renditions.iter().position(|profile| profile.name == planned.name.profile);
    format!("profile-{}", place.unwrap_or_default())
}

/// Returns the profiles as the codecs take them, with the sizes that the plan has. None is larger than the picture.
fn profiles(rules: &Collection, plan: &RenditionPlan) -> Result<Vec<RenditionProfile>, NotRendered> {
    let mut profiles = Vec::new();
    for profile in &rules.renditions {
        let planned: Vec<&Planned> =
            plan.made.iter().filter(|planned| planned.name.profile == profile.name).collect();
        let Some(first) = planned.first() else { continue };
        let encodings: Option<Vec<_>> = planned.iter().map(|planned| encoded(&planned.encoding)).collect();
        let shape = shape(profile, first);
        let encodings = encodings.ok_or_else(|| failed("a format of the profile is not encoded here"))?;
        let made = RenditionProfile::new(&place_of(rules, first), profile.version.get(), shape, encodings);
        profiles.push(made.map_err(|error| failed(&error.to_string()))?);
    }
    Ok(profiles)
}

const fn shape(profile: &Profile, planned: &Planned) -> Shape {
    let (width, height) = (planned.geometry.width, planned.geometry.height);
    match profile.fit {
        Fit::Cover => Shape::Square(width),
        Fit::Inside if width >= height => Shape::LongestSide(width),
        Fit::Inside => Shape::LongestSide(height),
    }
}

fn encoded(encoding: &Encoding) -> Option<credlink_pictures::Encoding> {
    let quality = encoding.quality.unwrap_or(QUALITY);
    match encoding.format {
        Format::Jpeg => {
            Some(credlink_pictures::Encoding::Jpeg { quality, progressive: encoding.progressive })
        }
        Format::Webp => Some(credlink_pictures::Encoding::WebP { quality, effort: EFFORT }),
        Format::Png | Format::Avif => None,
    }
}

const fn picture_type(format: Format) -> Option<PictureType> {
    match format {
        Format::Jpeg => Some(PictureType::Jpeg),
        Format::Webp => Some(PictureType::WebP),
        Format::Png | Format::Avif => None,
    }
}

const fn file_type(format: PictureType) -> Option<FileType> {
    match format {
        PictureType::Jpeg => Some(FileType::Jpeg),
        PictureType::Png => Some(FileType::Png),
        PictureType::WebP => Some(FileType::Webp),
        PictureType::Gif => Some(FileType::Gif),
        PictureType::Heic => Some(FileType::Heic),
        PictureType::Avif => Some(FileType::Avif),
        _ => None,
    }
}

fn refused(refusal: &Refusal) -> NotRendered {
    tracing::debug!(%refusal, "a picture is refused");
    NotRendered::Refused(match refusal {
        Refusal::NotAPicture => Rejection::TypeMismatch,
        Refusal::TooManyPixels { .. } | Refusal::SideTooLong { .. } => Rejection::TooManyPixels,
        Refusal::TooManyFrames { .. } | Refusal::TooManyFramePixels { .. } => Rejection::TooManyFrames,
        Refusal::TooManyBytes { .. }
        | Refusal::ProfileTooLong { .. }
        | Refusal::TooManyScans { .. }
        | Refusal::ScansTooCostly { .. } => Rejection::TooExpensive,
        // What takes long on a busy machine is done in time on another day.
        Refusal::TookTooLong => return failed("a picture took too long").into(),
        Refusal::CutOff { .. } => Rejection::Truncated,
        Refusal::Animation { .. } => Rejection::Animated,
        Refusal::NotEncoded { .. } => return failed(&refusal.to_string()).into(),
        _ => Rejection::Undecodable,
    })
}

/// Returns the metadata that the collection asks for.
fn details(rules: &Collection, facts: &Facts) -> Option<Details> {
    let asks = |field| rules.metadata.extract.contains(&field);
    let camera = &facts.camera;
    let details = Details {
        camera: asks(ExtractedField::Camera).then(|| name(facts)).flatten(),
        taken: camera.taken.clone().filter(|_| asks(ExtractedField::Time)),
        exposure: asks(ExtractedField::Exposure).then(|| exposure(facts)).flatten(),
        location: facts
            .position
            .filter(|_| asks(ExtractedField::Location))
            .and_then(|position| Location::new(position.latitude, position.longitude).ok()),
    };
    (details != Details::default()).then_some(details)
}

/// Returns maker and model of a camera. Many models begin with their maker.
fn name(facts: &Facts) -> Option<String> {
    match (&facts.camera.make, &facts.camera.model) {
        (Some(make), Some(model)) if !model.starts_with(make.as_str()) => Some(format!("{make} {model}")),
        (make, model) => model.clone().or_else(|| make.clone()),
    }
}

fn exposure(facts: &Facts) -> Option<Exposure> {
    let camera = &facts.camera;
    let time = |seconds: f64| match seconds {
        fast if fast > 0.0 && fast < 0.3 => format!("1/{:.0}", 1.0 / fast),
        slow => slow.to_string(),
    };
    let exposure = Exposure {
        time: camera.exposure_seconds.map(time),
        aperture: camera.f_number.map(|number| number.to_string()),
        sensitivity: camera.iso,
        focal_length: camera.focal_length_mm.map(|length| length.to_string()),
    };
    (exposure != Exposure::default()).then_some(exposure)
}
