//! The command `credlink storage`, between an S3 bucket and an R2 bucket.

use std::path::Path;
use std::process::{Command, Output};

use credlink_s3::S3Objects;
use serde_json::Value;

use crate::buckets;
use crate::engines::{ministack, r2};
use crate::server::binary;

struct World {
    folder: tempfile::TempDir,
    s3: S3Objects,
    r2: S3Objects,
}

impl World {
    async fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), s3: buckets::s3().await, r2: buckets::r2().await }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn output(&self, typed: &str) -> Output {
        let nowhere = Path::new("/nonexistent");
        let mut command = Command::new(binary());
        command.current_dir(self.folder.path()).arg("storage").args(typed.split(' '));
        for (name, _) in std::env::vars_os() {
            let said = name.to_string_lossy();
            if ["CREDLINK_", "STORAGE_", "R2_", "AWS_"].iter().any(|start| said.starts_with(start)) {
                command.env_remove(&name);
            }
        }
        command
            .env("STORAGE_PROVIDER", "s3")
            .env("STORAGE_BUCKET", &self.s3.settings().bucket)
            .env("STORAGE_REGION", ministack::REGION)
            .env("STORAGE_ENDPOINT", ministack::endpoint())
            .env("STORAGE_TIMEOUT", "120000")
            .env("AWS_ACCESS_KEY_ID", ministack::ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", ministack::SECRET)
            .env("AWS_CONFIG_FILE", nowhere)
            .env("AWS_SHARED_CREDENTIALS_FILE", nowhere)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("STORAGE_FALLBACK_PROVIDER", "r2")
            .env("R2_BUCKET", &self.r2.settings().bucket)
            .env("R2_ENDPOINT", r2::endpoint())
            .env("R2_ACCESS_KEY_ID", r2::ACCESS_KEY)
            .env("R2_SECRET_ACCESS_KEY", r2::SECRET);
        command.output().unwrap()
    }

    /// Runs a command, asserts its exit code, and returns its output.
    #[track_caller]
    fn ends(&self, code: i32, typed: &str) -> String {
        let output = self.output(typed);
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{typed}: {stdout}{stderr}");
        if code == 0 { stdout.into_owned() } else { format!("{stdout}{stderr}") }
    }

    #[track_caller]
    fn json(&self, typed: &str) -> Value {
        serde_json::from_str(&self.ends(0, &format!("{typed} --json"))).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_works_on_buckets() {
    let world = World::new().await;
    assert!(world.ends(0, "health primary").contains("primary answers"));
    assert_eq!(world.json("health r2")["ok"], true);

    let large: Vec<u8> =
        (0..9_000_000_u32).map(|number| (number.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
    std::fs::write(world.path("clip.mp4"), &large).unwrap();
    let stored = world.json("put clip.mp4 s3:media/ --content-type video/mp4");
    assert_eq!((stored["key"].as_str(), stored["parts"].as_u64()), (Some("media/clip.mp4"), Some(2)));
    std::fs::write(world.path("note.txt"), "a note").unwrap();
    world.ends(0, "put note.txt primary:media/notes/1 --content-type text/plain");

    assert!(world.ends(0, "ls s3:").ends_with("  media/\n"));
    let listed = world.ends(0, "ls s3:media/");
    assert!(listed.contains("9000000") && listed.contains("  media/clip.mp4\n"), "{listed}");
    assert!(listed.ends_with("  media/notes/\n"), "{listed}");
    assert!(world.ends(0, "ls -r s3:media/").contains("media/notes/1"));
    assert_eq!(world.ends(0, "cat s3:media/notes/1"), "a note");
    assert_eq!(world.ends(0, "cat s3:media/notes/1 --range -4"), "note");

    // From one provider to the other, with all attributes of an object.
    let copied = world.json("cp -r s3:media/ fallback:copy/");
    assert_eq!((copied["copied"].as_u64(), copied["bytes"].as_u64()), (Some(2), Some(9_000_006)));
    let stat = world.json("stat r2:copy/clip.mp4");
    assert_eq!(
        (stat["size"].as_u64(), &stat["attributes"]["content_type"]),
        (Some(9_000_000), &"video/mp4".into())
    );
    assert!(world.output("cat r2:copy/clip.mp4").stdout == large);
    assert_eq!(world.json("stats r2:copy/")["bytes"], 9_000_006);

    world.ends(0, "mv r2:copy/notes/1 s3:back");
    assert_eq!(world.ends(0, "cat s3:back"), "a note");
    assert!(world.ends(3, "stat r2:copy/notes/1").contains("There is no such object"));
    world.ends(0, "mv s3:back s3:again");
    world.ends(0, "mv primary:again s3:again");
    world.ends(0, "cp s3:again s3:dir/");
    assert_eq!(world.ends(0, "cat s3:dir/again"), "a note");

    let url = world.ends(0, "sign s3:again --expires-in 10m");
    assert!(url.contains("X-Amz-Expires=600"), "{url}");
    let fetched = tokio::task::spawn_blocking(move || {
        ureq::get(url.trim()).call().unwrap().body_mut().read_to_string().unwrap()
    });
    assert_eq!(fetched.await.unwrap(), "a note");
    assert_eq!(world.json("sign r2:x --method PUT --content-type text/plain")["method"], "PUT");

    assert!(world.ends(2, "rm -r s3:").contains("--yes"));
    assert!(world.ends(0, "rm s3:again s3:dir/again").contains("2 deleted"));
    assert!(world.ends(0, "rm -r s3: r2: --yes").contains("3 deleted"));
    assert_eq!(world.json("stats s3:")["objects"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_bucket_is_said() {
    let world = World::new().await;
    let nowhere = World { s3: buckets::open(buckets::s3_settings("missing-bucket")), ..world };
    assert!(nowhere.ends(1, "health s3").contains("there is no bucket `missing-bucket`"));
    assert!(nowhere.ends(1, "ls s3:").contains("NoSuchBucket"));
    assert!(nowhere.ends(1, "stat s3:x").contains("NoSuchBucket"), "and not that there is no object");
    assert!(nowhere.ends(1, "rm s3:x").contains("1 not"));
    nowhere.ends(1, "cp s3:x r2:y");
    assert!(nowhere.ends(0, "health r2").contains("answers"));
}
