//! HTTP (RFC 9110) as decisions: no server, no client, no stream.
//!
//! | to find | look in |
//! |---|---|
//! | the operation that a request asks for | [`route`] |
//! | query strings | [`query`] |
//! | `If-Match` and its kin, entity tags, dates | [`conditional`] |
//! | `Range` | [`range`] |
//! | `Accept-Encoding`, `Accept` | [`negotiation`] |
//! | problem documents (RFC 9457) | [`problem`] |
//! | the instant that identifies a deletion | [`deletion`] |
//! | what scripts in browsers may read | [`cors`] |
//! | the address of a client | [`peer`] |
//! | the ID of a request | [`request_id`] |
//! | the header of the API's own answers | [`mark`] |
//! | the parts of an answer | [`reply`] |

pub mod conditional;
pub mod cors;
pub mod deletion;
pub mod mark;
pub mod negotiation;
pub mod peer;
pub mod problem;
pub mod query;
pub mod range;
pub mod reply;
pub mod request_id;
pub mod route;
