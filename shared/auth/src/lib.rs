//! CredLink's authenticators, and the signers that an operator lists.
//!
//! | to find | look in |
//! |---|---|
//! | access tokens, by their digests | [`tokens`] |
//! | JSON Web Tokens | [`jwt`] |
//! | the choice between them | [`gate`] |
//! | signers of C2PA manifests, listed for tenants | [`signers`] |

pub mod gate;
pub mod jwt;
pub mod signers;
pub mod tokens;
