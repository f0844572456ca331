//! The log of accesses to private files: its entries, and the rule which files have one.
//!
//! An entry is written before the answer, so that nobody gets the bytes of a private file, or a link to them, without
//! one. It is never changed, and is kept for [`AUDIT_KEPT_SECONDS`](crate::bounds::AUDIT_KEPT_SECONDS).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::access::{Caller, Scope};
use crate::file::{Access, FileId, MediaName, OwnerId};
use crate::rules::file_access::Guarded;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// An access to a private file, whether or not it was allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The time of the access.
    pub at: Timestamp,
    /// A random number, by which accesses of the same millisecond differ.
    pub number: u64,
    /// The file.
    pub file: FileId,
    /// The kind of the request.
    pub act: AuditAct,
    /// The part of the file that was asked for, such as `original`.
    pub name: String,
    /// The status of the answer.
    pub status: u16,
    /// The right by which the caller asked.
    pub by: AuditRight,
    /// The tenant of the caller's credential, if it was another one than the file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
    /// The subject of the caller's credential, if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<OwnerId>,
    /// The address of the client, as far as the server knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The ID of the request, as it is in the log.
    pub request_id: String,
    /// The number of accesses that the entry stands for, if it is not 1. It tells of the last of them. Only accesses that
    /// were refused to nobody in particular share an entry.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub times: u32,
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_one(times: &u32) -> bool {
    *times == 1
}

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditAct {
    /// The bytes.
    Read,
    /// A signed link to the bytes.
    SignLink,
}

/// The right by which a caller asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditRight {
    /// The caller owns the file.
    Owner,
    /// The caller administers the files of the tenant.
    Admin,
    /// The caller has a valid signed link, and no other right.
    Link,
    /// The caller has a credential, and none of these rights.
    Credential,
    /// The caller has neither a credential nor a valid link.
    Nobody,
}

impl AuditRight {
    /// Returns the strongest right of a caller.
    #[must_use]
    pub fn of(caller: &Caller, file: &Guarded<'_>, has_link: bool) -> Self {
        let is_tenant = caller.authenticated && caller.tenant == *file.tenant;
        if is_tenant && caller.subject.is_some() && caller.subject.as_ref() == file.owner {
            Self::Owner
        } else if is_tenant && caller.may(Scope::MediaAdmin) {
            Self::Admin
        } else if has_link {
            Self::Link
        } else if caller.authenticated {
            Self::Credential
        } else {
            Self::Nobody
        }
    }
}

/// The facts of a request that its entry repeats.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The kind of the request.
    pub act: AuditAct,
    /// The part of the file.
    pub name: &'a MediaName,
    /// The caller.
    pub caller: &'a Caller,
    /// `true` if the request carries a valid signed link.
    pub has_link: bool,
    /// The address of the client.
    pub address: Option<IpAddr>,
    /// The ID of the request.
    pub request_id: &'a str,
}

impl AuditEntry {
    /// Returns the entry of a request for `file` that is answered with `status` at `at`.
    #[must_use]
    pub fn of(
        asked: &Asked<'_>,
        (id, file): (FileId, &Guarded<'_>),
        status: u16,
        at: Timestamp,
        number: u64,
    ) -> Self {
        let caller = asked.caller;
        let is_other = caller.authenticated && caller.tenant != *file.tenant;
        Self {
            at,
            number,
            file: id,
            act: asked.act,
            name: asked.name.to_string(),
            status,
            by: AuditRight::of(caller, file, asked.has_link),
            tenant: is_other.then(|| caller.tenant.clone()),
            subject: caller.subject.clone(),
            address: asked.address,
            request_id: asked.request_id.to_owned(),
            times: 1,
        }
    }

    /// Returns `true` if the access was refused to somebody without a credential or a valid link. Anybody can cause any
    /// number of such entries.
    #[must_use]
    pub const fn is_refused_to_nobody(&self) -> bool {
        matches!(self.by, AuditRight::Nobody) && self.status >= 400
    }
}

/// Returns `true` if accesses to a file are logged: it is private, or it is in a private collection and not public. A
/// public file is in caches that nobody asks for a log. `of_collection` is the access of the collection, if it still exists.
/// It is decided whenever access is set, and kept in the record, because the edge knows no collections.
#[must_use]
pub fn is_audited(file: Access, of_collection: Option<Access>) -> bool {
    match file {
        Access::Private => true,
        Access::Authenticated => of_collection == Some(Access::Private),
        Access::Public => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn caller(tenant: &str, subject: Option<&str>, scope: Scope) -> Caller {
        Caller {
            tenant: tenant.parse().unwrap(),
            scopes: BTreeSet::from([scope]),
            authenticated: true,
            subject: subject.map(|subject| subject.parse().unwrap()),
        }
    }

    #[test]
    fn private_files_are_logged_and_public_ones_never() {
        for (file, of_collection, expected) in [
            (Access::Private, Some(Access::Private), true),
            (Access::Private, Some(Access::Public), true),
            (Access::Private, None, true),
            (Access::Authenticated, Some(Access::Private), true),
            (Access::Authenticated, Some(Access::Public), false),
            (Access::Authenticated, None, false),
            (Access::Public, Some(Access::Private), false),
        ] {
            assert_eq!(is_audited(file, of_collection), expected, "{file} {of_collection:?}");
        }
    }

    #[test]
    fn an_entry_says_who_when_and_from_where() {
        let (tenant, owner): (Tenant, OwnerId) = (Tenant::default(), "anna".parse().unwrap());
        let file =
            Guarded { tenant: &tenant, owner: Some(&owner), access: Access::Private, shows_original: true };
        let id = FileId::from_random([1; 20]);
        let (write, admin) = (Scope::MediaWrite, Scope::MediaAdmin);
        let callers = [
            (caller("default", Some("anna"), write), false, AuditRight::Owner),
            (caller("default", Some("anna"), admin), true, AuditRight::Owner),
            (caller("default", Some("backend"), admin), true, AuditRight::Admin),
            (caller("default", Some("bert"), write), true, AuditRight::Link),
            (caller("default", Some("bert"), write), false, AuditRight::Credential),
            (caller("acme", Some("anna"), admin), false, AuditRight::Credential),
            (caller("default", None, write), false, AuditRight::Credential),
            (Caller::anonymous(), true, AuditRight::Link),
            (Caller::anonymous(), false, AuditRight::Nobody),
        ];
        let mut lines = Vec::new();
        for (caller, has_link, right) in &callers {
            let asked = Asked {
                act: if *has_link { AuditAct::Read } else { AuditAct::SignLink },
                name: &MediaName::Original,
                caller,
                has_link: *has_link,
                address: "2001:db8::7".parse().ok(),
                request_id: "r-1",
            };
            let at = Timestamp::from_milliseconds(1_798_761_600_000);
            let entry = AuditEntry::of(&asked, (id, &file), 200, at, u64::MAX);
            assert_eq!(entry.by, *right);
            let text = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<AuditEntry>(&text).unwrap(), entry);
            lines.push(text);
        }
        insta::assert_snapshot!("entries", lines.join("\n"));
    }
}
