//! The index on DynamoDB beyond its contract: what it costs, what it makes of answers that get lost or ask to wait, and
//! what many processes at once do to it.

mod billing;
mod faults;
mod load;
mod processes;
mod shared;
mod start;
mod sums;
mod wire;
