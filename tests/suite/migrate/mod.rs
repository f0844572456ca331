//! Migration over real stores. `sources` tests the items that each source yields, `remote` another CredLink as a
//! destination through its API, and `at_hand` one that is opened directly. `beside` tests the items besides proofs that
//! both accept, and `withdrawing` the manifests that both make private. `places` opens both by name, and `ground` has
//! the data that they share.

mod at_hand;
mod beside;
mod ground;
mod places;
mod remote;
mod sources;
mod withdrawing;
