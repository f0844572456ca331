//! An HTTP client for the parts of this workspace that call servers: the CLI, migrations, the purges of the edge, and
//! the keys of access tokens.
//!
//! **In scope:** agents, timeouts, proxies, bounded bodies, redirections, and the meaning of an answer of CredLink's
//! API: absence, refusal, throttling or failure. **Out of scope:** the content of requests, the credential, and
//! retries, which are the caller's. Calls to the providers go through their SDKs (`credlink-aws`).
//!
//! Calls block: inside a Tokio runtime they belong on a thread that may wait (`tokio::task::spawn_blocking`).
//!
//! | to find | look in |
//! |---|---|
//! | timeouts, connections, the proxy | [`Policy`], [`Timeouts`] |
//! | one call, and the bound of its answer's body | [`Client`], [`Unread`] |
//! | the time that an answer asks to wait | [`retry_after`] |
//! | redirections of a server that is not trusted | [`GuardedClient`] |
//! | whole answers of CredLink's API, and their meaning | [`Answer`] |
//! | the reasons why there is no answer | [`CallError`] |
//! | addresses of this machine and of the internet | [`is_this_machine`], `network` |
//!
//! 1. A body is never longer in memory than the bound that its reader sets. Files pass through a buffer.
//! 2. No redirection is followed unless the caller says so, and a credential is not sent where one leads to.
//! 3. A [`GuardedClient`] follows a server on the internet only to the internet.

mod answer;
mod client;
mod error;
mod guarded;
mod network;
mod policy;
mod retry;

pub use answer::{Answer, readers};
pub use client::{Client, Unread};
pub use error::{CallError, CallErrorKind, twice};
pub use guarded::GuardedClient;
pub use network::is_this_machine;
pub use policy::{Policy, Timeouts, USER_AGENT};
pub use retry::retry_after;
