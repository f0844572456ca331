//! Access: visibilities, scopes and callers.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use subtle::ConstantTimeEq as _;

use crate::excerpt::excerpt;
use crate::file::OwnerId;
use crate::hash::{Digest, serde_as_text};
use crate::tenant::Tenant;

/// The readers of a proof and its manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody.
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

/// The error for text that is not a visibility. It holds the beginning of the text.
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

/// A permission of a credential (RFC 6749, section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// `store:manifests`: storing and replacing proofs and manifests, and signing links to them.
    Store,
    /// `delete:manifests`: deleting proofs and manifests.
    Delete,
    /// `media:write`: uploading files of one's own, changing and deleting them.
    MediaWrite,
    /// `media:admin`: the same for the files of every owner within the tenant, and reading them.
    MediaAdmin,
    /// `admin`: listing, binding legacy IDs, and everything that the scopes above allow, within the tenant.
    Admin,
    /// `operator`: everything that concerns the deployment and not a single tenant, and everything that the scopes
    /// above allow. An operator's proofs are still stored, listed and deleted in the tenant that the credential names.
    Operator,
}

/// The error for a scope that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no scope `{0}`; there are store:manifests, delete:manifests, media:write, media:admin, admin and operator"
)]
pub struct ScopeError(String);

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store:manifests",
            Self::Delete => "delete:manifests",
            Self::MediaWrite => "media:write",
            Self::MediaAdmin => "media:admin",
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
            "media:write" => Ok(Self::MediaWrite),
            "media:admin" => Ok(Self::MediaAdmin),
            "admin" => Ok(Self::Admin),
            "operator" => Ok(Self::Operator),
            _ => Err(ScopeError(text.to_owned())),
        }
    }
}

serde_as_text!(Scope);

/// The sender of a request, as its credential says once that is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The namespace that the caller writes to.
    pub tenant: Tenant,
    /// The scopes that the caller has there.
    pub scopes: BTreeSet<Scope>,
    /// `true` if the caller showed a credential.
    pub authenticated: bool,
    /// The subject of the credential, who owns the files that the caller uploads, if the credential names one.
    pub subject: Option<OwnerId>,
}

impl Caller {
    /// Returns a caller without a credential, who may read what is public.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { tenant: Tenant::default(), scopes: BTreeSet::new(), authenticated: false, subject: None }
    }

    /// Returns the only caller of a service that asks for no credentials: the owner of the machine that it runs on.
    #[must_use]
    pub fn trusted() -> Self {
        Self {
            tenant: Tenant::default(),
            scopes: BTreeSet::from([Scope::Operator]),
            authenticated: true,
            subject: None,
        }
    }

    /// Returns `true` if the caller holds `scope`, or a scope that includes it: `admin` includes everything within a
    /// tenant, and `operator` includes everything.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        let has = |scope| self.scopes.contains(&scope);
        let by_admin = match scope {
            Scope::MediaWrite => has(Scope::MediaAdmin) || has(Scope::Admin),
            Scope::Store | Scope::Delete | Scope::MediaAdmin | Scope::Admin => has(Scope::Admin),
            Scope::Operator => false,
        };
        by_admin || self.scopes.contains(&scope) || self.scopes.contains(&Scope::Operator)
    }

    /// Returns `true` if the caller may read the private objects of `tenant`.
    #[must_use]
    pub fn reads_private(&self, tenant: &Tenant) -> bool {
        self.authenticated && self.tenant == *tenant
    }
}

/// Returns `true` if `shown` equals `secret`. Digests are compared, in a time that does not depend on where they
/// differ.
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
        use Scope::{Admin, Delete, MediaAdmin, MediaWrite, Operator, Store};
        let all = [Store, Delete, MediaWrite, MediaAdmin, Admin, Operator];
        for (held, included) in [
            (Store, vec![Store]),
            (Delete, vec![Delete]),
            (MediaWrite, vec![MediaWrite]),
            (MediaAdmin, vec![MediaWrite, MediaAdmin]),
            (Admin, vec![Store, Delete, MediaWrite, MediaAdmin, Admin]),
            (Operator, all.to_vec()),
        ] {
            let caller = Caller { scopes: BTreeSet::from([held]), ..Caller::anonymous() };
            let may: Vec<Scope> = all.into_iter().filter(|scope| caller.may(*scope)).collect();
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
