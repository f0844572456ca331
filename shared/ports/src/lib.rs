//! The ports of CredLink: the contracts between its use cases and the outside world, and the types that they use.
//!
//! Each method documents a guarantee, not a mechanism. Futures carry no `Send` bound: the compiler finds it at the
//! concrete type, in `main`. The contract suites in `tests/` run over every adapter.
//!
//! **In scope:** the traits, their types, the bounds that all implementations share, and the ID of the current request.
//! **Out of scope:** implementations, except the test doubles behind the feature `doubles`, which police the contracts.
//!
//! | to find | look in |
//! |---|---|
//! | objects | [`Objects`] · long ones that are read piece by piece: [`OpenObjects`], their checksums: [`PieceSums`], and copied so: [`LongObjects`] · copies at several providers: [`Replicas`] · the medium: [`Medium`] · checksums: [`Checksummed`] |
//! | rows | [`Index`] |
//! | bytes that clients upload | [`Quarantine`] · renditions of pictures: [`Renderer`], and their manifests: [`RenditionSigner`] · manifests in files: [`ManifestReader`] · malware in them: [`Scanner`] |
//! | messages | [`Queue`] |
//! | the cache in front of the objects | [`Cache`] |
//! | time and request IDs | [`Clock`] |
//! | counted events | [`Events`] |
//! | credentials | [`Authenticator`] · listed signers: [`Signers`] |
//! | computation that must not block requests | [`Work`] |
//! | all ports of one service | [`Ports`] |
//! | failures | [`Failure`], [`FailureKind`] |
//! | the ports of a migration | [`migration`] |
//! | a port for a wrapper, or for an enum of adapters | [`forward`] |
//! | pages of listings, and their cursors | [`Page`], [`cursor`] |
//! | the state of a provider, for reports | [`ProviderState`] |
//! | shared bounds | [`limits`] |
//! | the current request, for logs and queues | [`request`] |

mod authenticator;
mod cache;
mod checksum;
mod clock;
pub mod cursor;
#[cfg(any(test, feature = "doubles"))]
pub mod doubles;
mod events;
mod failure;
pub mod forward;
mod index;
pub mod limits;
mod long_objects;
mod manifest_reader;
mod medium;
pub mod migration;
mod objects;
mod opened;
mod page;
mod parts;
mod piece_sums;
mod provider_state;
mod quarantine;
mod queue;
mod renderer;
mod rendition_signer;
mod replicas;
pub mod request;
mod scanner;
mod signers;
mod work;

pub use authenticator::{Authenticator, Credentials, Refused, Unread};
pub use cache::{Cache, CacheStats, LayerStats};
pub use checksum::{Checksum, Checksummed};
pub use clock::Clock;
pub use events::{Event, Events};
pub use failure::{Failure, FailureKind};
pub use index::{Commit, FilesOf, Index, Intent, Listing, Write};
pub use long_objects::{LongObjects, LongWrite, PIECE_BYTES, Pieces};
pub use manifest_reader::{ManifestReader, NoManifests, ReadingManifest};
pub use medium::Medium;
pub use objects::{Condition, Listed, ObjectWrite, Objects, Put, put_one_by_one};
pub use opened::{OpenObjects, OpenedContent, Opening};
pub use page::Page;
pub use parts::{Parts, Ports};
pub use piece_sums::{ChangedPiece, PieceSums};
pub use provider_state::{BreakerState, ProviderState};
pub use quarantine::{Quarantine, SignedPut};
pub use queue::{Delivery, Queue};
pub use renderer::{
    MadeRendition, NoRenderer, NotRendered, RenderOrder, RenderedPicture, Renderer, Rendering,
};
pub use rendition_signer::{
    NotSigned, RenditionSigner, SignedRendition, Signing, SigningOrder, UnsignedRendition,
};
pub use replicas::{Copies, Lag, Lagging, Replicas, SingleProvider};
pub use scanner::{Begun, Scan, Scanner, Scanning, Verdict};
pub use signers::{NoSigners, Signers};
pub use work::{InPlace, Job, Work};
