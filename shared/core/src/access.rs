//! Who may do what.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use subtle::ConstantTimeEq as _;

use crate::excerpt::excerpt;
use crate::hash::{Digest, serde_as_text};
use crate::tenant::Tenant;

/// Who may read a proof and its manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Anybody.
    #[default]
    Public,
    /// A caller of the owning tenant, or the holder of a signed link.
    Private,
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Private => "private",
        })
    }
}

/// Text that is no visibility: the beginning of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`public` or `private`, not `{0}`")]
pub struct VisibilityError(String);

impl FromStr for Visibility {
    type Err = VisibilityError;

    fn from_str(text: &str) -> Result<Self, VisibilityError> {
        match text {
            "public" => Ok(Self::Public),
            "private" => Ok(Self::Private),
            _ => Err(VisibilityError(excerpt(text).into_owned())),
        }
    }
}

/// What a credential allows (RFC 6749, section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// `store:manifests`: store and supersede proofs and manifests, and sign links to them.
    Store,
    /// `delete:manifests`: delete proofs and manifests.
    Delete,
    /// `admin`: list, bind legacy ids, and everything that the scopes above allow, within the tenant.
    Admin,
    /// `operator`: what concerns the deployment and not one tenant, and everything that the scopes above allow. Who has it
    /// runs the deployment; proofs are stored, listed and deleted in the tenant that the credential names all the same.
    Operator,
}

/// A scope that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scope `{0}`; there are store:manifests, delete:manifests, admin and operator")]
pub struct ScopeError(String);

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store:manifests",
            Self::Delete => "delete:manifests",
            Self::Admin => "admin",
            Self::Operator => "operator",
        })
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        match text {
            "store:manifests" => Ok(Self::Store),
            "delete:manifests" => Ok(Self::Delete),
            "admin" => Ok(Self::Admin),
            "operator" => Ok(Self::Operator),
            _ => Err(ScopeError(text.to_owned())),
        }
    }
}

serde_as_text!(Scope);

/// Who asks: what a credential says, once it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name space that the caller writes to.
    pub tenant: Tenant,
    /// What the caller may do there.
    pub scopes: BTreeSet<Scope>,
    /// Whether the caller showed a credential.
    pub authenticated: bool,
}

impl Caller {
    /// A reader without a credential: it may read what is public.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { tenant: Tenant::default(), scopes: BTreeSet::new(), authenticated: false }
    }

    /// The only user of a service that asks for no credentials: who owns the machine that it runs on.
    #[must_use]
    pub fn trusted() -> Self {
        Self { tenant: Tenant::default(), scopes: BTreeSet::from([Scope::Operator]), authenticated: true }
    }

    /// Whether the caller holds `scope`, or one that includes it: `admin` includes what is done in a tenant, and `operator`
    /// includes everything.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        let by_admin = match scope {
            Scope::Store | Scope::Delete | Scope::Admin => self.scopes.contains(&Scope::Admin),
            Scope::Operator => false,
        };
        by_admin || self.scopes.contains(&scope) || self.scopes.contains(&Scope::Operator)
    }

    /// Whether the caller may read what `tenant` keeps private.
    #[must_use]
    pub fn reads_private(&self, tenant: &Tenant) -> bool {
        self.authenticated && self.tenant == *tenant
    }
}

/// Whether `shown` is `secret`. The comparison is of digests, and takes the same time wherever they differ.
#[must_use]
pub fn is_secret(shown: &str, secret: &str) -> bool {
    let (shown, secret) = (Digest::of(shown.as_bytes()), Digest::of(secret.as_bytes()));
    shown.as_bytes().ct_eq(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_whole() {
        assert!(is_secret("open sesame", "open sesame"));
        for shown in ["", "open sesam", "open sesame ", "Open sesame"] {
            assert!(!is_secret(shown, "open sesame"), "{shown}");
        }
    }

    #[test]
    fn a_scope_includes_those_below_it_and_none_above() {
        use Scope::{Admin, Delete, Operator, Store};
        for (held, included) in [
            (Store, vec![Store]),
            (Delete, vec![Delete]),
            (Admin, vec![Store, Delete, Admin]),
            (Operator, vec![Store, Delete, Admin, Operator]),
        ] {
            let caller = Caller { scopes: BTreeSet::from([held]), ..Caller::anonymous() };
            let may: Vec<Scope> =
                [Store, Delete, Admin, Operator].into_iter().filter(|scope| caller.may(*scope)).collect();
            assert_eq!(may, included, "{held}");
            assert_eq!(held.to_string().parse(), Ok(held));
        }
        assert!(Caller::trusted().may(Operator) && !Caller::anonymous().may(Store));
    }

    #[test]
    fn what_is_private_is_for_its_own_tenant_whatever_the_scope() {
        let other: Tenant = "other".parse().unwrap();
        assert!(Caller::trusted().reads_private(&Tenant::default()));
        assert!(!Caller::trusted().reads_private(&other));
        assert!(!Caller::anonymous().reads_private(&Tenant::default()));
    }
}
