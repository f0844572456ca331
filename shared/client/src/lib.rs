//! HTTP to servers, for whoever in this workspace calls one: the CLI, a migration, the purges of the edge, and the keys of
//! access tokens.
//!
//! **In scope:** agents, time-outs, proxies, bounded bodies, redirections, and the meaning of an answer of CredLink's API:
//! absence, refusal, throttling or failure.
//! **Out of scope:** what is asked, the credential, and how often a call is repeated: those are the caller's. Calls to the
//! providers go through their SDKs (`credlink-aws`).
//!
//! Calls block: inside a tokio runtime they belong on a thread that may wait (`tokio::task::spawn_blocking`).
//!
//! | to find | look in |
//! |---|---|
//! | time-outs, connections, the proxy | [`Policy`], [`Timeouts`] |
//! | one call, and the bound of its answer's body | [`Client`], [`Unread`] |
//! | redirections of a server that is somebody else's | [`GuardedClient`] |
//! | whole answers of CredLink's API, and their meaning | [`Answer`] |
//! | why there is no answer | [`CallError`] |
//! | addresses of this machine and of the internet | [`is_this_machine`], `network` |
//!
//! 1. A body is never longer in memory than the bound that its reader names.
//! 2. No redirection is followed unless the caller says so, and a credential is not shown where one leads to.
//! 3. A [`GuardedClient`] follows a server on the internet to the internet alone.

mod answer;
mod client;
mod error;
mod guarded;
mod network;
mod policy;

pub use answer::{Answer, readers};
pub use client::{Client, Unread};
pub use error::{CallError, CallErrorKind, twice};
pub use guarded::GuardedClient;
pub use network::is_this_machine;
pub use policy::{Policy, Timeouts, USER_AGENT};
