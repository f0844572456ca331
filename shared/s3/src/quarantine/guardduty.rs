//! GuardDuty Malware Protection for S3, which scans what arrives in a bucket by itself, and puts its verdict into a tag of
//! the object (GuardDuty User Guide, "Monitoring S3 object scans with GuardDuty managed tags").

use std::sync::Arc;

use credlink_aws::Error;
use credlink_core::row::UploadRow;
use credlink_ports::{Begun, Scanner, Scanning, Verdict};

use super::S3Quarantine;

/// The tag with the verdict.
const TAG: &str = "GuardDutyMalwareScanStatus";

/// The scanner of a quarantine that GuardDuty protects. It sends nothing anywhere: each look reads the tags of one object.
#[derive(Debug)]
struct GuardDuty(S3Quarantine);

impl S3Quarantine {
    /// Returns GuardDuty as the scanner of what clients upload. The bucket needs a protection plan that tags objects.
    #[must_use]
    pub fn guardduty(&self) -> Arc<dyn Scanner> {
        Arc::new(GuardDuty(self.clone()))
    }
}

impl GuardDuty {
    async fn look(&self, upload: &UploadRow) -> Result<Verdict, Error> {
        let objects = &self.0.objects;
        let key = upload.key().to_string();
        let asked = objects.client().get_object_tagging().bucket(objects.bucket()).key(&key);
        let answer = Box::pin(asked.customize().config_override(objects.config()).send()).await;
        let tags = answer.map_err(|error| objects.error(&error))?.tag_set;
        let status = tags.iter().find(|tag| tag.key() == TAG).map(aws_sdk_s3::types::Tag::value);
        Ok(verdict(&key, status))
    }
}

impl Scanner for GuardDuty {
    fn begin<'a>(&'a self, upload: &'a UploadRow) -> Scanning<'a, Begun> {
        Box::pin(async move { Ok(Begun::Said(self.look(upload).await?)) })
    }
}

/// Returns the verdict that a tag says. After a failure of GuardDuty, the verdict is still to come: once its reason is mended, the
/// object can be scanned again, and is not rejected for something that its owner cannot help.
fn verdict(key: &str, status: Option<&str>) -> Verdict {
    let pending = |why: &str| {
        tracing::warn!(key, status, "an upload waits: {why}");
        Verdict::Pending
    };
    match status {
        None => Verdict::Pending,
        Some("NO_THREATS_FOUND") => Verdict::Clean,
        Some("THREATS_FOUND") => Verdict::Malware("found by GuardDuty".to_owned()),
        Some("UNSUPPORTED") => Verdict::Unchecked(
            "GuardDuty cannot scan it: it is encrypted, or exceeds one of GuardDuty's limits".to_owned(),
        ),
        Some("ACCESS_DENIED") => {
            pending("GuardDuty may not read it; see the permissions of the role of its protection plan")
        }
        Some("FAILED") => pending("GuardDuty could not scan it"),
        Some(_) => pending("GuardDuty says something unknown of it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_tag_says_that_an_upload_is_clean() {
        assert_eq!(verdict("k", Some("NO_THREATS_FOUND")), Verdict::Clean);
        assert!(matches!(verdict("k", Some("THREATS_FOUND")), Verdict::Malware(_)));
        assert!(matches!(verdict("k", Some("UNSUPPORTED")), Verdict::Unchecked(_)));
        for status in [None, Some("ACCESS_DENIED"), Some("FAILED"), Some("no_threats_found"), Some("")] {
            assert_eq!(verdict("k", status), Verdict::Pending, "{status:?}");
        }
    }
}
