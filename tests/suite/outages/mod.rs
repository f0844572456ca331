//! A whole deployment over the real engines, each behind a proxy: the possible effects of an outage of one of them, and
//! the cost of every operation in billable calls.
//!
//! A [`site::Site`] holds the permanent parts: buckets, a table, a queue. A deployment over it is a process, configured
//! by the variables that an operator sets. Timeouts and circuit breakers are those of production. Flags are checked
//! every half second and repairs start at once, so that a test takes seconds.

mod calls;
mod copies;
mod faults;
mod flags;
mod index;
mod load;
mod queue;
mod redis;
pub mod site;
mod throttled;
