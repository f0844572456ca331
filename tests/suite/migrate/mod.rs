//! Migration over real things. `sources` is what each source gives of what is there, `remote` what another CredLink is as
//! a destination, and `at_hand` what one is without HTTP; `places` opens both by their names; `ground` has what they stand on.

mod at_hand;
mod ground;
mod places;
mod remote;
mod sources;
