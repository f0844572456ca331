//! The port for making the renditions of pictures.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use credlink_core::collection::Collection;
use credlink_core::file::{FileType, FocalPoint, ProfileName, Rejection, RenditionName};
use credlink_core::file_record::Details;

use crate::{Failure, FailureKind};

/// The order for the renditions of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderOrder {
    /// The type of the picture, by its first bytes.
    pub kind: FileType,
    /// The rules of the picture's collection: bounds, profiles, and the metadata that is read.
    pub collection: Collection,
    /// The point around which parts are cut.
    pub focal: FocalPoint,
}

/// A picture that was rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedPicture {
    /// The width, upright, in pixels.
    pub width: u32,
    /// The height, upright, in pixels.
    pub height: u32,
    /// The number of frames.
    pub frames: u32,
    /// The renditions, in the order of the collection's profiles and their formats.
    pub renditions: Vec<MadeRendition>,
    /// The profiles without renditions of their own, each with the profile that it shares them with.
    pub same: BTreeMap<ProfileName, ProfileName>,
    /// The placeholder: a ThumbHash in base64.
    pub thumbhash: Option<String>,
    /// The metadata, as far as the collection asks for it.
    pub details: Option<Details>,
}

/// A rendition that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeRendition {
    /// The name.
    pub name: RenditionName,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The bytes.
    pub bytes: Bytes,
}

/// A reason why a picture has no renditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRendered {
    /// The picture is refused. Another attempt ends in the same way.
    Refused(Rejection),
    /// The picture is not at fault. Another attempt may succeed.
    Failed(Failure),
}

impl From<Failure> for NotRendered {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The future of a rendering.
pub type Rendering<'a> = Pin<Box<dyn Future<Output = Result<RenderedPicture, NotRendered>> + Send + 'a>>;

/// A renderer of pictures. This is a trait object and not one of [`Ports`](crate::Ports), because codecs are heavy, and
/// only the program that finalises uploads has them.
///
/// * **Bounded.** Nothing is allocated for a picture before it is within the bounds of its collection, and no picture
///   takes longer than the adapter allows.
/// * **Proven.** A picture that is rendered was decoded to its end: it is whole, and of the type that was named.
/// * **Clean.** A rendition is upright, in sRGB, no larger than the picture, and has nothing of its metadata.
/// * **Isolated.** While a picture is rendered, requests are answered as if it were not.
pub trait Renderer: Debug + Send + Sync {
    /// Makes the renditions that the profiles of the collection ask for, and reads what is known of the picture.
    fn render(&self, original: Bytes, order: RenderOrder) -> Rendering<'_>;
}

/// Renders nothing, in a program that leaves pictures to another one.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRenderer;

impl Renderer for NoRenderer {
    fn render(&self, _original: Bytes, _order: RenderOrder) -> Rendering<'_> {
        let message = "this program renders no pictures; the finaliser does".to_owned();
        let failure = Failure { provider: "renderer", kind: FailureKind::Unavailable, message };
        Box::pin(std::future::ready(Err(failure.into())))
    }
}
