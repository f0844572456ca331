//! The index on DynamoDB beyond its contract: its cost, its handling of answers that get lost or ask for a delay, and
//! its sums. `clouds::races` tests what many concurrent processes do to it.

mod billing;
mod faults;
mod intents;
mod ledger;
mod load;
mod start;
mod sums;
mod wire;
