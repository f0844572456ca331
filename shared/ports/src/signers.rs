//! Who signed a manifest, as far as the operator's rule says.

use std::fmt::Debug;

use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

/// The signers that an operator lists for tenants. A trait object, and no port: it computes, and asks nobody.
///
/// * **No errors.** Whatever is odd (a signature that is missing, damaged or of an unknown kind, a certificate that cannot be read)
///   is no signature of that tenant's, and keeps nobody from storing anything.
/// * **The same question has the same answer**, for as long as the configuration is the same.
pub trait Signers: Debug + Send + Sync {
    /// Returns `true` if the active manifest of the C2PA store `manifest` was signed for `tenant`: the signature over its claim
    /// verifies, and the certificate that it verifies with is valid at `at` and is one of those that the operator lists for
    /// that tenant, or was issued under one of that tenant's trust anchors.
    ///
    /// It takes about a millisecond, and more for a claim of megabytes, which is hashed.
    fn signed_by(&self, tenant: &Tenant, manifest: &[u8], at: Timestamp) -> bool;

    /// Returns `true` if the operator lists a signer for `tenant`: otherwise nothing is signed for it.
    fn lists(&self, tenant: &Tenant) -> bool;
}

/// No signer is listed for anybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSigners;

impl Signers for NoSigners {
    fn signed_by(&self, _: &Tenant, _: &[u8], _: Timestamp) -> bool {
        false
    }

    fn lists(&self, _: &Tenant) -> bool {
        false
    }
}
