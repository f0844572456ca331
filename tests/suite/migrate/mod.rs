//! Migration over real things. `sources` is what each source gives of what is there, `remote` what another CredLink is as
//! a destination, and `at_hand` what one is without HTTP; `beside` is what both take beside proofs, and `withdrawing` which manifests
//! both make private; `places` opens both by their names; `ground` has what they stand on.

mod at_hand;
mod beside;
mod ground;
mod places;
mod remote;
mod sources;
mod withdrawing;
