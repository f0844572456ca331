//! A whole deployment over the real engines, each behind a proxy: what an outage of one of them may cost, and what every
//! operation costs in billable calls.
//!
//! A [`site::Site`] is what stays where it is: buckets, a table, a queue. A deployment over it is a process, made from the
//! variables that an operator sets. Time-outs and breakers are those of production; flags are looked at every half
//! second and repairs wait for nobody, so that a test takes seconds.

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
