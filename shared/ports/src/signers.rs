//! The signers of manifests, as the operator lists them.

use std::fmt::Debug;

use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

/// The signers that an operator lists for tenants. This is a trait object and not a port, because it only computes.
///
/// * **No errors.** A signature that is missing, damaged or of an unknown kind, or whose certificate cannot be read,
///   counts as not made by that tenant. It prevents nobody from storing anything.
/// * **Determinism.** The same question has the same answer as long as the configuration is the same.
pub trait Signers: Debug + Send + Sync {
    /// Returns `true` if the active manifest of the C2PA manifest store `manifest` was signed for `tenant`: the
    /// signature over its claim verifies, and the certificate that it verifies with is valid at `at`, and is either
    /// listed by the operator for that tenant or issued under one of that tenant's trust anchors.
    ///
    /// The check takes about a millisecond, and more for a claim of megabytes, which has to be hashed.
    fn signed_by(&self, tenant: &Tenant, manifest: &[u8], at: Timestamp) -> bool;

    /// Returns `true` if the operator lists a signer for `tenant`. Otherwise no manifest counts as signed for it.
    fn lists(&self, tenant: &Tenant) -> bool;
}

/// An empty list of signers.
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
