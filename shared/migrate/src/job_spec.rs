//! The requested job, and its comparison with the one in the ledger.

use credlink_core::tenant::Tenant;
use credlink_ports::Clock;
use credlink_ports::migration::Ledger;
use credlink_ports::migration::ledger::{Job, JobName, LEDGER_VERSION};

use crate::error::RunError;
use crate::incoming::Owners;
use crate::removal::is_being_removed;

/// The job to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// The name of the job.
    pub name: JobName,
    /// The source, as given.
    pub from: String,
    /// The destination, as given.
    pub to: String,
    /// The tenant that owns the imported legacy records, and the proofs of a CredLink unless they keep their tenants.
    pub tenant: Tenant,
    /// `true` if the proofs of a CredLink keep their tenants, and with them their IDs.
    pub keep_tenants: bool,
    /// The tenant of a CredLink whose proofs become those of `tenant`, if it is another one.
    pub from_tenant: Option<Tenant>,
}

impl JobSpec {
    /// Returns the tenants that own the imported proofs.
    #[must_use]
    pub fn owners(&self) -> Owners {
        Owners { tenant: self.tenant.clone(), keep: self.keep_tenants, from: self.from_tenant.clone() }
    }
}

impl From<&Job> for JobSpec {
    /// Returns the specification of an existing job.
    fn from(job: &Job) -> Self {
        let Job { name, from, to, tenant, keep_tenants, from_tenant, .. } = job;
        Self {
            name: name.clone(),
            from: from.clone(),
            to: to.clone(),
            tenant: tenant.clone(),
            keep_tenants: *keep_tenants,
            from_tenant: from_tenant.clone(),
        }
    }
}

/// Returns the job, and starts it if it is new.
///
/// # Errors
/// Fails if the job has another specification or is being removed, or if the ledger fails.
pub async fn open<L: Ledger, C: Clock>(ledger: &L, clock: &C, spec: &JobSpec) -> Result<Job, RunError> {
    let job = ledger.job().await?;
    if is_being_removed(ledger, job.as_ref()).await? {
        return Err(RunError::Removing(spec.name.clone()));
    }
    if let Some(job) = job {
        for (member, kept, given) in [
            ("the source", job.from.as_str(), spec.from.as_str()),
            ("the destination", job.to.as_str(), spec.to.as_str()),
            ("the tenant", job.tenant.as_str(), spec.tenant.as_str()),
            (
                "proofs of",
                origin(job.keep_tenants, job.from_tenant.as_ref()),
                origin(spec.keep_tenants, spec.from_tenant.as_ref()),
            ),
        ] {
            if kept != given {
                let (kept, given) = (kept.to_owned(), given.to_owned());
                return Err(RunError::Differs { name: spec.name.clone(), member, kept, given });
            }
        }
        return Ok(job);
    }
    let job = Job {
        version: LEDGER_VERSION,
        name: spec.name.clone(),
        from: spec.from.clone(),
        to: spec.to.clone(),
        tenant: spec.tenant.clone(),
        keep_tenants: spec.keep_tenants,
        from_tenant: spec.from_tenant.clone(),
        created: clock.now(),
        listed: None,
        elapsed_ms: 0,
        queued: false,
        left_behind: None,
        removing: false,
    };
    ledger.keep_job(&job).await?;
    Ok(job)
}

/// Names the tenants whose proofs a job imports from a CredLink, in one word.
fn origin(keep_tenants: bool, from_tenant: Option<&Tenant>) -> &str {
    match from_tenant {
        _ if keep_tenants => "every tenant, for themselves",
        Some(tenant) => tenant.as_str(),
        None => "its tenant",
    }
}

/// Returns the job, which must exist.
///
/// # Errors
/// Fails if there is no such job or it is being removed, or if the ledger fails.
pub async fn known<L: Ledger>(ledger: &L, name: &JobName) -> Result<Job, RunError> {
    let job = ledger.job().await?.ok_or_else(|| RunError::Unknown(name.clone()))?;
    if job.removing { Err(RunError::Removing(name.clone())) } else { Ok(job) }
}
