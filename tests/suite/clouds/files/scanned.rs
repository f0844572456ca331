//! Uploads that wait for the verdict of GuardDuty. No engine scans a bucket, so that the tests put the tags.

use aws_sdk_s3::types::{Tag, Tagging};

use super::*;
use crate::files::pictures::png;

/// A deployment whose uploads GuardDuty scans.
async fn protected() -> Site {
    let ground = Ground::plain().await;
    let watch = Watch::over(&ground.s3.settings().bucket);
    Site::over(ground, &[("CREDLINK_GUARDDUTY", "on")], Some(watch)).await
}

impl Site {
    /// Tags the bytes of an upload as GuardDuty does, and returns the event of the bucket about it.
    async fn tag(&self, upload: &str, status: &str) -> String {
        let key = format!("uploads/default/{upload}");
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build().unwrap();
        let tags = [tag("project", "x"), tag("GuardDutyMalwareScanStatus", status)];
        let tags = Tagging::builder().set_tag_set(Some(tags.into())).build().unwrap();
        let bucket = &self.ground.s3.settings().bucket;
        raw().put_object_tagging().bucket(bucket).key(&key).tagging(tags).send().await.unwrap();
        json!({"Records": [{
            "eventVersion": "2.3", "eventSource": "aws:s3", "awsRegion": "eu-central-1", "eventName": "ObjectTagging:Put",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
        }]})
        .to_string()
    }
}

#[tokio::test]
async fn an_upload_waits_for_the_verdict() {
    let site = protected().await;
    let finaliser = site.start("finalise");
    for (seed, status, state, reason) in [
        (1, "NO_THREATS_FOUND", "ready", None),
        (2, "THREATS_FOUND", "rejected", Some("malware")),
        (3, "UNSUPPORTED", "rejected", Some("not-scanned")),
    ] {
        let upload = site.upload(&png(400, 300, seed), &json!({})).await;
        let messages = site.messages(&upload).await;
        assert_eq!(finalise(&finaliser, &messages).await, [""; 0]);
        assert_eq!(site.state(&upload).await["state"], "scanning", "{status}");
        // An event that comes again, or before the verdict, changes nothing.
        assert_eq!(finalise(&finaliser, &messages).await, [""; 0]);
        assert_eq!(site.state(&upload).await["state"], "scanning", "{status}");
        let event = site.tag(&upload, status).await;
        assert_eq!(finalise(&finaliser, &[event]).await, [""; 0]);
        let document = site.state(&upload).await;
        assert_eq!((&document["state"], document["reason"].as_str()), (&json!(state), reason), "{document}");
        assert_eq!(site.keys("uploads/").await, [""; 0]);
    }
    assert_eq!(site.keys("files/").await.len(), 1);
    site.assert_sound("after the scans").await;
    site.watch.as_ref().unwrap().assert_allowed(&["finalise s3:GetObjectTagging"]);
}

#[tokio::test]
async fn an_upload_that_guardduty_could_not_read_is_kept_until_it_has_been() {
    let site = protected().await;
    let finaliser = site.start("finalise");
    let upload = site.upload(&png(400, 300, 4), &json!({})).await;
    let messages = site.messages(&upload).await;
    assert_eq!(finalise(&finaliser, &messages).await, [""; 0]);
    for status in ["ACCESS_DENIED", "FAILED"] {
        let event = site.tag(&upload, status).await;
        assert_eq!(finalise(&finaliser, &[event]).await, [""; 0], "{status}");
        assert_eq!(site.state(&upload).await["state"], "scanning", "{status}");
    }
    // The event about the next scan is lost, and cleanup looks.
    site.tag(&upload, "NO_THREATS_FOUND").await;
    let row = site.row(&upload).await;
    site.commit(Row::Upload(row.in_state(row.state, Timestamp::from_milliseconds(1)))).await;
    let run = site.clean_up().await;
    assert_eq!(run["files"], json!({"done": 1, "failed": 0}), "{run}");
    let messages = site.messages(&upload).await;
    assert_eq!(finalise(&finaliser, &messages).await, [""; 0]);
    assert_eq!(site.state(&upload).await["state"], "ready");
    site.assert_sound("after the second scan").await;
}
