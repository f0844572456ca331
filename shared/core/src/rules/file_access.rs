//! The access rule of files: who may do what with a file. It is a pure function of the caller, the file and the act, and
//! its test is the table of all cases.
//!
//! | who | public | authenticated | private |
//! |---|---|---|---|
//! | reads: everybody | yes | 404 | 404 |
//! | reads: a credential of the tenant | yes | yes | 404 |
//! | reads: a signed link, the owner, `media:admin` | yes | yes | yes |
//! | changes: the owner with `media:write`, `media:admin` | yes | yes | yes |
//! | changes: others | 401 or 403 | 404 if they may not read it | 404 |

use crate::access::{Caller, Scope};
use crate::file::{Access, OwnerId};
use crate::http::problem::{Problem, ProblemKind};
use crate::tenant::Tenant;

/// The facts about a file that decide who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarded<'a> {
    /// The tenant that the file belongs to.
    pub tenant: &'a Tenant,
    /// The owner within the tenant, or `None` for the tenant itself.
    pub owner: Option<&'a OwnerId>,
    /// The readers.
    pub access: Access,
    /// `true` if readers get the bytes that were uploaded, and not just renditions of them.
    pub shows_original: bool,
}

/// An act on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reading a rendition, or what everybody may know of the file.
    Read,
    /// Reading the bytes that were uploaded.
    ReadOriginal,
    /// Reading the details: the owner, EXIF, the name at the client.
    ReadDetails,
    /// Changing access, description or lists; signing links; making renditions again.
    Change,
    /// Deleting the file.
    Delete,
}

/// The reason why an act is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 404: for this caller the file is not there.
    Absent,
    /// 401: a credential is needed.
    Unauthenticated,
    /// 403: the owner's credential lacks `media:write`.
    Scope,
    /// 403: the file is another owner's.
    OtherOwner,
    /// 403: the file is another tenant's.
    OtherTenant,
}

/// Decides whether `caller` may do `action` with `file`. `has_link` is `true` if the request carries a valid signed link
/// to what it reads.
///
/// # Errors
/// The reason why not. A caller who may not read the file is told that it is absent, whatever the act (guarantee 13).
pub fn may(caller: &Caller, file: &Guarded<'_>, action: Action, has_link: bool) -> Result<(), Refusal> {
    let is_tenant = caller.authenticated && caller.tenant == *file.tenant;
    let is_admin = is_tenant && caller.may(Scope::MediaAdmin);
    let is_owner = is_tenant && caller.subject.is_some() && caller.subject.as_ref() == file.owner;
    let reads = match file.access {
        Access::Public => true,
        Access::Authenticated => is_tenant,
        Access::Private => false,
    } || is_owner
        || is_admin;
    let is_allowed = match action {
        Action::Read => reads || has_link,
        Action::ReadOriginal => is_owner || is_admin || has_link || reads && file.shows_original,
        Action::ReadDetails => is_owner || is_admin,
        Action::Change | Action::Delete => is_admin || is_owner && caller.may(Scope::MediaWrite),
    };
    if is_allowed {
        return Ok(());
    }
    Err(match action {
        // The original of a public picture is as absent as a private file: its address tells nothing.
        _ if !reads => Refusal::Absent,
        Action::Read | Action::ReadOriginal => Refusal::Absent,
        _ if !caller.authenticated => Refusal::Unauthenticated,
        _ if !is_tenant => Refusal::OtherTenant,
        _ if is_owner => Refusal::Scope,
        Action::ReadDetails | Action::Change | Action::Delete => Refusal::OtherOwner,
    })
}

impl Refusal {
    /// Returns the answer. `what` is the absent thing, such as ``no file has the id `x` ``.
    #[must_use]
    pub fn problem(self, what: &str) -> Problem {
        match self {
            Self::Absent => Problem::new(ProblemKind::NotFound, what),
            Self::Unauthenticated => Problem::unauthenticated(None),
            Self::Scope => Problem::insufficient_scope(Scope::MediaWrite),
            Self::OtherOwner => Problem::new(
                ProblemKind::OtherOwner,
                "this file belongs to another owner of the tenant; only its owner, and callers with the scope \
                 `media:admin`, may do this",
            ),
            Self::OtherTenant => {
                Problem::new(ProblemKind::OtherTenant, "this file belongs to another tenant")
            }
        }
    }
}

/// Returns the owner of what `caller` uploads, when the request names `asked`.
///
/// # Errors
/// 403 if the caller may not upload for that owner, and 400 if nobody says who the owner is.
pub fn owner_of_upload(caller: &Caller, asked: Option<OwnerId>) -> Result<Option<OwnerId>, Problem> {
    let is_admin = caller.may(Scope::MediaAdmin);
    match (asked, &caller.subject) {
        (Some(asked), subject) if is_admin || subject.as_ref() == Some(&asked) => Ok(Some(asked)),
        (Some(_), _) => Err(Problem::insufficient_scope(Scope::MediaAdmin).at("owner")),
        (None, Some(subject)) => Ok(Some(subject.clone())),
        // A server without credentials, and a backend that keeps the files of the tenant itself.
        (None, None) if is_admin => Ok(None),
        (None, None) => Err(Problem::field(
            "owner",
            "it is missing: the credential names no subject that could be an owner (its claim `sub` would be 1 to 255 \
             visible ASCII characters, without spaces), so the owner has to be named, which needs the scope `media:admin`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use super::*;

    fn caller(tenant: &str, subject: Option<&str>, scopes: &[Scope]) -> Caller {
        Caller {
            tenant: tenant.parse().unwrap(),
            scopes: scopes.iter().copied().collect::<BTreeSet<_>>(),
            authenticated: true,
            subject: subject.map(|subject| subject.parse().unwrap()),
        }
    }

    /// Every caller, with and without a link, against every file and every act: 12 x 2 x 8 x 5 decisions, as a person would
    /// review them.
    #[test]
    fn the_table_of_all_decisions() {
        use Scope::{Admin, MediaAdmin, MediaWrite, Operator, Store};
        let callers = [
            ("nobody", Caller::anonymous()),
            ("owner, media:write", caller("acme", Some("ann"), &[MediaWrite])),
            ("owner, no scope", caller("acme", Some("ann"), &[])),
            ("other, media:write", caller("acme", Some("bob"), &[MediaWrite])),
            ("other, no scope", caller("acme", Some("bob"), &[])),
            ("no subject, media:write", caller("acme", None, &[MediaWrite])),
            ("media:admin", caller("acme", None, &[MediaAdmin])),
            ("admin", caller("acme", Some("bob"), &[Admin])),
            ("operator", caller("acme", None, &[Operator])),
            ("store:manifests", caller("acme", Some("bob"), &[Store])),
            ("same name elsewhere", caller("other", Some("ann"), &[MediaWrite])),
            ("operator elsewhere", caller("other", None, &[Operator])),
        ];
        let (tenant, ann): (Tenant, OwnerId) = ("acme".parse().unwrap(), "ann".parse().unwrap());
        let actions =
            [Action::Read, Action::ReadOriginal, Action::ReadDetails, Action::Change, Action::Delete];
        let mut table = String::new();
        for (access, shows_original, owner) in [
            (Access::Public, false, Some(&ann)),
            (Access::Public, true, Some(&ann)),
            (Access::Authenticated, false, Some(&ann)),
            (Access::Authenticated, true, Some(&ann)),
            (Access::Private, false, Some(&ann)),
            (Access::Private, true, Some(&ann)),
            (Access::Private, false, None),
            (Access::Public, false, None),
        ] {
            let original = if shows_original { "shown" } else { "hidden" };
            let whose = owner.map_or("nobody", OwnerId::as_str);
            writeln!(table, "{access}, original {original}, owned by {whose}").unwrap();
            let file = Guarded { tenant: &tenant, owner, access, shows_original };
            for (name, caller) in &callers {
                for has_link in [false, true] {
                    let told = actions.map(|action| match may(caller, &file, action, has_link) {
                        Ok(()) => "yes",
                        Err(Refusal::Absent) => "404",
                        Err(Refusal::Unauthenticated) => "401",
                        Err(Refusal::Scope) => "403 scope",
                        Err(Refusal::OtherOwner) => "403 owner",
                        Err(Refusal::OtherTenant) => "403 tenant",
                    });
                    let link = if has_link { " + link" } else { "" };
                    let [read, original, details, change, delete] = told;
                    writeln!(
                        table,
                        "  {:<30} read {read} | original {original} | details {details} | change {change} | delete {delete}",
                        format!("{name}{link}")
                    )
                    .unwrap();
                }
            }
        }
        insta::assert_snapshot!("decisions", table);
    }

    #[test]
    fn who_may_not_read_learns_nothing_whatever_the_act() {
        let (tenant, ann): (Tenant, OwnerId) = ("acme".parse().unwrap(), "ann".parse().unwrap());
        let file =
            Guarded { tenant: &tenant, owner: Some(&ann), access: Access::Private, shows_original: true };
        for stranger in [
            Caller::anonymous(),
            Caller::trusted(),
            caller("acme", Some("bob"), &[Scope::MediaWrite]),
            caller("other", Some("ann"), &[Scope::Admin]),
        ] {
            for action in
                [Action::Read, Action::ReadOriginal, Action::ReadDetails, Action::Change, Action::Delete]
            {
                assert_eq!(may(&stranger, &file, action, false), Err(Refusal::Absent), "{action:?}");
            }
        }
        let problem = Refusal::Absent.problem("no file has the id x");
        assert_eq!(problem.kind.status().as_u16(), 404);
        for (refusal, status) in [
            (Refusal::Unauthenticated, 401),
            (Refusal::Scope, 403),
            (Refusal::OtherOwner, 403),
            (Refusal::OtherTenant, 403),
        ] {
            assert_eq!(refusal.problem("").kind.status().as_u16(), status);
        }
    }

    #[test]
    fn an_upload_has_the_owner_that_its_caller_may_name() {
        let ann: OwnerId = "ann".parse().unwrap();
        for (caller, asked, owner) in [
            (caller("acme", Some("ann"), &[Scope::MediaWrite]), None, Ok(Some("ann"))),
            (caller("acme", Some("ann"), &[Scope::MediaWrite]), Some("ann"), Ok(Some("ann"))),
            (caller("acme", Some("bob"), &[Scope::MediaWrite]), Some("ann"), Err(403)),
            (caller("acme", None, &[Scope::MediaWrite]), Some("ann"), Err(403)),
            (caller("acme", None, &[Scope::MediaWrite]), None, Err(400)),
            (caller("acme", None, &[Scope::MediaAdmin]), Some("ann"), Ok(Some("ann"))),
            (caller("acme", None, &[Scope::MediaAdmin]), None, Ok(None)),
            (caller("acme", Some("bob"), &[Scope::Admin]), Some("ann"), Ok(Some("ann"))),
            (Caller::trusted(), None, Ok(None)),
        ] {
            let asked = asked.map(|_| ann.clone());
            let found = owner_of_upload(&caller, asked).map_err(|problem| problem.kind.status().as_u16());
            let found = found.map(|owner| owner.map(|owner| owner.to_string()));
            assert_eq!(found, owner.map(|owner| owner.map(str::to_owned)), "{caller:?}");
        }
    }
}
