//! Files: their names and parts.
//!
//! A *blob* is a content within a tenant, named by the same pair as a proof: tenant and SHA-256. A *file* is an entry
//! about a blob: who owns it, which entity shows it, and who may read it.
//!
//! | to find | look in |
//! |---|---|
//! | IDs | [`BlobId`] (derived), [`FileId`] and [`UploadId`] (random) |
//! | names that the operator chooses | [`CollectionName`], [`ProfileName`] |
//! | who and what files belong to | [`OwnerId`], [`EntityRef`], [`ListPlace`] |
//! | readers | [`Access`] |
//! | types by content | [`FileType`], [`FileClass`] |
//! | renditions | [`RenditionName`], [`Format`], [`FocalPoint`] |
//! | ordered lists | [`FileList`] |
//! | why an upload is rejected | [`Rejection`] |
//! | addresses of bytes | [`MediaPath`], [`MediaName`] |

mod access;
mod blob_id;
mod entity;
mod file_type;
mod focal_point;
mod list;
mod media_path;
mod name;
mod owner;
mod random_id;
mod rejection;
mod rendition;

pub use access::{Access, AccessError};
pub use blob_id::{BlobId, BlobIdError};
pub use entity::{EntityError, EntityId, EntityRef, EntityType, ListPlace};
pub use file_type::{FileClass, FileType, FileTypeError};
pub use focal_point::{FocalPoint, FocalPointError};
pub use list::{FileList, FileListError};
pub use media_path::{MediaName, MediaNameError, MediaPath};
pub use name::{CollectionName, CollectionNameError, ORIGINAL, ProfileName, ProfileNameError};
pub use owner::{OwnerId, OwnerIdError};
pub use random_id::{FileId, FileIdError, UploadId, UploadIdError};
pub use rejection::Rejection;
pub use rendition::{Format, FormatError, RenditionName, RenditionNameError};
