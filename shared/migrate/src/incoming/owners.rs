//! The tenants that own the imported proofs.

use credlink_core::tenant::Tenant;
use credlink_ports::migration::ledger::Reason;

use super::NotCopied;

/// The tenants that own the proofs that a source's items become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owners {
    /// The tenant of items that have none, such as legacy records.
    pub tenant: Tenant,
    /// `true` if the proofs of a CredLink keep their tenants, and with them their IDs. Otherwise the proofs of one
    /// tenant become those of `tenant`.
    pub keep: bool,
    /// The tenant of the proofs at the source, or `None` if it is `tenant` there as well.
    pub from: Option<Tenant>,
}

impl Owners {
    /// Returns the tenant that imports an item of the source's tenant `own`.
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
