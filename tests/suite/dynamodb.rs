//! The index on DynamoDB beyond its contract: what it costs, what it makes of answers that get lost or ask to wait, and
//! its sums. What many processes at once do to it is in `clouds::races`.

mod billing;
mod faults;
mod intents;
mod ledger;
mod load;
mod start;
mod sums;
mod wire;
