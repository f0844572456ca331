//! The operator's list of the sources that queued migrations may read, each with the tenant that its proofs are
//! imported for.
//!
//! The functions read sources with the deployment's own credentials. So a source is never a bucket of the deployment
//! itself, whose private records would become another tenant's. Buckets are compared by their names alone, because the
//! same bucket can be reached by `s3://` and `r2://`, and at more than one endpoint.

use credlink_core::tenant::Tenant;
use credlink_ports::migration::jobs::{AllowedRequest, JobError, JobRequest};

use super::location::MigrationLocation;
use crate::configuration::value::{ConfigurationError, Variables};

/// The variable that holds the list.
const SOURCES: &str = "CREDLINK_MIGRATION_SOURCES";
/// The variables that name the buckets of the deployment.
const OWN_BUCKETS: [&str; 2] = ["STORAGE_BUCKET", "R2_BUCKET"];
/// The tenant of an entry whose proofs keep their tenants.
const KEPT: &str = "*";
/// The values that the variable accepts.
const ALLOWED: &str = "`PLACE=TENANT`, and more of them with commas between; a place is s3://BUCKET/PREFIX or \
                       r2://BUCKET/PREFIX and is there once; `FROM>TENANT` gives the tenant what is the tenant FROM's in a CredLink, \
                       and `*` means that the proofs of a CredLink keep their tenants";

/// The sources of queued migrations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationSources(Vec<Listed>);

/// A source on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    location: MigrationLocation,
    /// The tenant of items that have no tenant, or do not keep it.
    tenant: Tenant,
    /// `true` if the proofs of a CredLink store keep their tenants.
    keep_tenants: bool,
    /// The tenant of a CredLink store whose proofs become proofs of `tenant`, if the two differ.
    from_tenant: Option<Tenant>,
}

impl MigrationSources {
    /// Reads the list.
    ///
    /// # Errors
    /// Returns an error for an entry that is malformed, listed twice, or a bucket of the deployment itself.
    pub fn read(source: &Variables<'_>) -> Result<Self, ConfigurationError> {
        let Some(text) = source.text(SOURCES) else { return Ok(Self::default()) };
        let mut listed: Vec<Listed> = Vec::new();
        for entry in text.split(',').map(str::trim) {
            let invalid = |allowed: &str| ConfigurationError::invalid(SOURCES, entry, allowed);
            let read = entry.rsplit_once('=').and_then(|(location, tenant)| Listed::read(location, tenant));
            let read = read.ok_or_else(|| invalid(ALLOWED))?;
            if let Some(variable) = own_bucket(source, &read.location) {
                return Err(invalid(&format!(
                    "another bucket than the deployment's own, which {variable} names"
                )));
            }
            if listed.iter().any(|other| is_named_by(&other.location, &read.location)) {
                return Err(invalid(ALLOWED));
            }
            listed.push(read);
        }
        Ok(Self(listed))
    }

    /// Returns the requested job, if its source is on the list. The job has the source as the list spells it, and the
    /// tenant that the list names.
    ///
    /// # Errors
    /// Returns an error if the source is not a bucket, or not on the list.
    pub fn allow(&self, request: &JobRequest) -> Result<AllowedRequest, JobError> {
        let location: MigrationLocation =
            request.from.parse().map_err(|error| JobError::Source(format!("{error}")))?;
        if !matches!(location, MigrationLocation::Bucket { .. }) {
            let allowed = format!(
                "a queued job reads from s3://BUCKET/PREFIX or r2://BUCKET/PREFIX, not from {location}"
            );
            return Err(JobError::Source(allowed));
        }
        let Some(listed) = self.0.iter().find(|listed| is_named_by(&listed.location, &location)) else {
            let why = format!(
                "{location} is not among the sources that the operator has listed; the setting {SOURCES} has those, each with \
                 the tenant whose proofs become of it"
            );
            return Err(JobError::NotListed(why));
        };
        Ok(AllowedRequest {
            name: request.name.clone(),
            from: listed.location.to_string(),
            tenant: listed.tenant.clone(),
            keep_tenants: listed.keep_tenants,
            from_tenant: listed.from_tenant.clone(),
            batch_size: request.batch_size,
            request_id: request.request_id.clone(),
        })
    }
}

impl Listed {
    fn read(location: &str, tenant: &str) -> Option<Self> {
        let location: MigrationLocation = location.trim().parse().ok()?;
        let tenant = tenant.trim();
        let keep_tenants = tenant == KEPT;
        let (from_tenant, tenant) = match tenant.split_once('>') {
            _ if keep_tenants => (None, Tenant::default()),
            Some((from, tenant)) => (Some(from.trim().parse().ok()?), tenant.trim().parse().ok()?),
            None => (None, tenant.parse().ok()?),
        };
        matches!(location, MigrationLocation::Bucket { .. }).then_some(Self {
            location,
            tenant,
            keep_tenants,
            from_tenant,
        })
    }
}

/// Returns the variable that names this bucket as one of the deployment's own.
pub(crate) fn own_bucket(source: &Variables<'_>, location: &MigrationLocation) -> Option<&'static str> {
    let MigrationLocation::Bucket { bucket, .. } = location else { return None };
    let names = |variable: &&str| source.text(variable).is_some_and(|own| own.eq_ignore_ascii_case(bucket));
    OWN_BUCKETS.into_iter().find(names)
}

/// Returns `true` if both spell the same location: case does not matter in a bucket's name, nor does a slash at the end of
/// a prefix.
fn is_named_by(one: &MigrationLocation, two: &MigrationLocation) -> bool {
    let (
        MigrationLocation::Bucket { kind, bucket, prefix },
        MigrationLocation::Bucket { kind: other_kind, bucket: other, prefix: other_prefix },
    ) = (one, two)
    else {
        return one == two;
    };
    kind == other_kind
        && bucket.eq_ignore_ascii_case(other)
        && prefix.trim_end_matches('/') == other_prefix.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Result<MigrationSources, String> {
        let find = |name: &str| {
            let value = match name {
                SOURCES => list,
                "STORAGE_BUCKET" => "Proofs",
                "R2_BUCKET" => "replica",
                _ => return None,
            };
            Some(value.to_owned())
        };
        MigrationSources::read(&Variables::new(find)).map_err(|error| error.to_string())
    }

    fn request(from: &str) -> JobRequest {
        JobRequest {
            name: "a".parse().unwrap(),
            from: from.to_owned(),
            batch_size: 7,
            request_id: "r".to_owned(),
        }
    }

    #[test]
    fn a_source_is_for_the_tenant_that_the_list_names() {
        let sources =
            read("s3://old/proofs/=acme, r2://former=*,s3://old/a=b=press, s3://other=acme > team").unwrap();
        for (from, spelt, tenant, keep_tenants) in [
            ("s3://old/proofs/", "s3://old/proofs/", "acme", false),
            ("s3://old/proofs", "s3://old/proofs/", "acme", false),
            ("s3://OLD/proofs//", "s3://old/proofs/", "acme", false),
            ("r2://former", "r2://former", "default", true),
            ("r2://Former/", "r2://former", "default", true),
            ("s3://old/a=b", "s3://old/a=b", "press", false),
            ("s3://other", "s3://other", "team", false),
        ] {
            let job = sources.allow(&request(from)).unwrap();
            let found = (job.from.as_str(), job.tenant.as_str(), job.keep_tenants, job.batch_size);
            assert_eq!(found, (spelt, tenant, keep_tenants, 7), "{from}");
            let former = job.from_tenant.map(|tenant| tenant.to_string());
            assert_eq!(former.as_deref(), (from == "s3://other").then_some("acme"), "{from}");
        }
    }

    #[test]
    fn nothing_else_is_read() {
        for sources in [read("").unwrap(), read("s3://old/proofs=acme").unwrap()] {
            for from in [
                "s3://old",
                "s3://old/",
                "s3://old/proofs/a",
                "s3://old/Proofs",
                "r2://old/proofs",
                "r2://replica",
            ] {
                let refused = sources.allow(&request(from)).unwrap_err();
                assert!(
                    matches!(&refused, JobError::NotListed(why) if why.contains(SOURCES)),
                    "{from}: {refused}"
                );
            }
            for from in ["dir:/srv/old", "credlink:https://a.example.com", "gs://old", "s3://"] {
                let refused = sources.allow(&request(from)).unwrap_err();
                assert!(matches!(refused, JobError::Source(_)), "{from}: {refused}");
            }
        }
    }

    #[test]
    fn the_deployments_own_buckets_are_never_sources_however_they_are_spelt() {
        for own in
            ["s3://proofs", "r2://proofs", "s3://PROOFS/", "s3://replica", "r2://Replica/x", "r2://replica//"]
        {
            let error = read(&format!("s3://old=acme,{own}=*")).unwrap_err();
            assert!(
                error.contains("another bucket than the deployment's own") && error.contains(own),
                "{error}"
            );
        }
        for wrong in [
            "s3://old",
            "s3://old=",
            "s3://old=Acme",
            "dir:/srv=acme",
            "old=acme",
            "s3://a-b=x,",
            "s3://old=a,s3://Old/=b",
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.starts_with(SOURCES) && error.contains("`PLACE=TENANT`"), "{wrong}: {error}");
        }
    }
}
