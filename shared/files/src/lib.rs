//! Files: the use cases of uploads, of files and their lists, and of the bytes that readers get.
//!
//! **In scope:** the order of steps that keeps the guarantees below, in every interleaving and after every crash.
//! **Out of scope:** the rules (`credlink-core`), the codecs ([`Renderer`](credlink_ports::Renderer)), the place that clients
//! send bytes to ([`Quarantine`](credlink_ports::Quarantine)), and the service, which knows nothing of this crate and is
//! wrapped from outside, at the seam of [`credlink_service::handler`].
//!
//! | to find | look in |
//! |---|---|
//! | the files of a service, and their settings | [`files`] |
//! | the requests that are about files | [`handler`] |
//! | announcing an upload; the addresses of its bytes | `announcement`; `addresses`, and `signing` one by one |
//! | receiving bytes where the server keeps them itself | [`reception`] |
//! | what has arrived; the hint that all has; giving up | `progress`, `completion`, `ending` |
//! | from bytes in quarantine to a file | [`finaliser`]: `content`, `scan`, `signing`, `provenance`, `publication` |
//! | uploads, files and blobs that are due; what remains in quarantine | [`sweeper`]; [`stock`] |
//! | lists of entities, and whose they are | `lists`, `list_owner` |
//! | a file: showing, changing, links; deleting one, or many | `file`, `links`; `deletion`, `batch` |
//! | blobs that no file holds | `blobs` |
//! | the bytes that readers get; where they get them, if not here | `media`; [`elsewhere`] |
//! | who got those of private files | `audit` |
//! | finding files | `search` |
//! | rows, the writes of one commit, quotas | `rows`, `changes`, `quotas` |
//! | objects; keeping records and rows of files consistent | `objects`; `consistency` |
//!
//! # Guarantees
//!
//! 1. A file's row is committed after its objects, so that no file points at nothing.
//! 2. Each step of a finaliser may be repeated, and a finaliser that was cut off is followed by another one. An upload
//!    becomes one file or none.
//! 3. Quotas change in the commits of what they count, so they are exact.
//! 4. A caller who may not read a file is told that it is absent.
//! 5. Nobody gets the bytes of a private file, or a link to them, before an entry about it is in the log.
//!
//! They hold for any number of processes over one index, one store and one quarantine: what would be a lock in one process
//! is a conditional commit.

mod addresses;
mod announcement;
mod audit;
mod batch;
mod blobs;
mod changes;
mod completion;
mod consistency;
mod deletion;
pub mod elsewhere;
mod ending;
mod file;
pub mod files;
pub mod finaliser;
pub mod handler;
mod links;
mod list_owner;
mod lists;
mod media;
mod objects;
mod progress;
mod quotas;
pub mod reception;
mod refusals;
mod rows;
mod search;
mod signing;
pub mod stock;
pub mod sweeper;
mod turns;

pub use files::{Files, FilesPorts, FilesSettings, Notices, Noticing};
pub use finaliser::Others;
pub use handler::WithFiles;
