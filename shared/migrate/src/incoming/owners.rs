//! The tenants whose proofs items become.

use credlink_core::tenant::Tenant;
use credlink_ports::migration::ledger::Reason;

use super::NotCopied;

/// Whose proofs a source's items become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owners {
    /// The tenant of what has none: of legacy records.
    pub tenant: Tenant,
    /// `true` if the proofs of a CredLink keep their tenants, and with them their ids. Otherwise those of one tenant become
    /// `tenant`'s.
    pub keep: bool,
    /// The tenant whose proofs these are at the source; `None`: `tenant`, as there.
    pub from: Option<Tenant>,
}

impl Owners {
    /// The tenant of what is `own`'s at the source.
    pub(super) fn of(&self, own: &Tenant) -> Result<Tenant, NotCopied> {
        if self.keep {
            return Ok(own.clone());
        }
        let Self { tenant, from, .. } = self;
        match from {
            Some(from) if from == own => Ok(tenant.clone()),
            None if tenant == own => Ok(tenant.clone()),
            Some(from) => {
                let detail = format!("it is the tenant `{own}`'s, and this job takes what is `{from}`'s");
                Err(NotCopied::new(Reason::LeftOut, detail))
            }
            None => {
                let detail = format!(
                    "it is the tenant `{own}`'s at the source, and this job is for `{tenant}`: name the tenant with --tenant, or \
                     give `{tenant}` what is `{own}`'s with --from-tenant {own}"
                );
                Err(NotCopied::new(Reason::OtherTenant, detail))
            }
        }
    }
}
