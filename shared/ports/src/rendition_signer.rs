//! The port for signing the renditions of pictures.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use credlink_core::collection::ParentLocation;
use credlink_core::file::{FileType, RenditionName};
use credlink_core::manifest_id::ManifestId;

use crate::Failure;

/// The order for the manifests of the renditions of one picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningOrder {
    /// The type of the original.
    pub kind: FileType,
    /// The address of the original's proof, which the manifests name.
    pub proof_url: String,
    /// The handling of an original whose manifest tells where it was taken.
    pub location: ParentLocation,
    /// The renditions. Without any, it is only found out whether the original may be a parent.
    pub renditions: Vec<UnsignedRendition>,
}

/// A rendition that is to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedRendition {
    /// The name.
    pub name: RenditionName,
    /// The bytes.
    pub bytes: Bytes,
    /// `true` if the rendition is smaller than the part of the original that it shows.
    pub is_scaled: bool,
    /// `true` if the rendition shows a part of the original.
    pub is_cropped: bool,
    /// The ID that the manifest gets.
    pub manifest: ManifestId,
    /// The address at which readers find the manifest.
    pub manifest_url: String,
}

/// A rendition that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRendition {
    /// The name.
    pub name: RenditionName,
    /// The bytes: the rendition, with the address of its manifest.
    pub bytes: Bytes,
    /// The C2PA manifest store.
    pub manifest: Bytes,
}

/// A reason why the renditions of a picture are not signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSigned {
    /// The manifest of the original tells where it was taken, and the order does not redact that, or it cannot be redacted.
    Location,
    /// These renditions cannot be signed, and another attempt ends in the same way.
    Unable(String),
    /// Another attempt may succeed.
    Failed(Failure),
}

impl From<Failure> for NotSigned {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The future of a signing.
pub type Signing<'a> = Pin<Box<dyn Future<Output = Result<Vec<SignedRendition>, NotSigned>> + Send + 'a>>;

/// A signer of renditions. This is a trait object and not one of [`Ports`](crate::Ports), because only a program that
/// finalises uploads and has a certificate has one.
///
/// * **All or none.** The answer has each rendition of the order, in its order.
/// * **Outside.** A rendition holds only the address of its manifest. Its bytes follow from those of the order and from this
///   address: another attempt makes the same ones. The manifest differs each time.
/// * **Bound.** The manifest binds all bytes of the signed rendition, and names the original as its only parent.
/// * **Discreet.** No manifest tells where the original was taken, or holds a picture.
/// * **Bounded.** A file that is made to take hours or all memory costs a bounded part of either.
pub trait RenditionSigner: Debug + Send + Sync {
    /// Signs the renditions of a picture.
    fn sign(&self, original: Bytes, order: SigningOrder) -> Signing<'_>;
}
