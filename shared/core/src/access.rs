//! Who may do what.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use subtle::ConstantTimeEq as _;

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

impl FromStr for Visibility {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "public" => Ok(Self::Public),
            "private" => Ok(Self::Private),
            _ => Err(()),
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
    /// `admin`: list, read statistics, and everything the other scopes allow, within the tenant.
    Admin,
}

/// A scope that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scope `{0}`; there are store:manifests, delete:manifests and admin")]
pub struct ScopeError(String);

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store:manifests",
            Self::Delete => "delete:manifests",
            Self::Admin => "admin",
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

    /// The only user of a service that asks for no credentials.
    #[must_use]
    pub fn trusted() -> Self {
        Self { tenant: Tenant::default(), scopes: BTreeSet::from([Scope::Admin]), authenticated: true }
    }

    /// Whether the caller holds `scope`, or the one that includes it.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
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
    fn admin_includes_the_other_scopes_and_nobody_else_does() {
        assert!(
            [Scope::Store, Scope::Delete, Scope::Admin].iter().all(|scope| Caller::trusted().may(*scope))
        );
        let mut caller = Caller::anonymous();
        assert!(!caller.may(Scope::Store) && !caller.reads_private(&Tenant::default()));
        caller.scopes.insert(Scope::Store);
        assert!(caller.may(Scope::Store) && !caller.may(Scope::Delete) && !caller.may(Scope::Admin));
    }
}
