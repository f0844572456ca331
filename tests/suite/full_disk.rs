//! A real `credlink serve` on a disk that fills up: acknowledged proofs can be read, a store is refused with an
//! explanation, health states the reason, deletions continue, and once there is room everything works again without a
//! restart. The folder that remains has nothing broken and no leftovers.
//!
//! The disk is an in-memory file system that only this test sees: the test starts itself again in its own mount
//! namespace. A user other than root may create one (`unshare --map-root-user`), and so may the root of a container
//! that is allowed to mount.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use credlink_core::hash::Digest;
use credlink_core::testing::manifest_store;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::server::{Server, binary};

/// The variable that gives the path of the disk to the test in the namespace.
const DISK: &str = "CREDLINK_TESTS_FULL_DISK";
/// The size of the disk: three times the reserve for deletions, and 8 MB to fill.
const SIZE: &str = "size=32m";
/// A disk of the same size with few inodes. Even an empty file takes one.
const INODES: &str = "size=32m,nr_inodes=400";
/// The longest time that the server may take to notice that there is room.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_server_outlives_a_full_disk() {
    with_a_disk("full_disk::a_server_outlives_a_full_disk", SIZE, on_disk);
}

#[test]
fn a_server_outlives_a_disk_whose_inodes_are_used_up() {
    with_a_disk("full_disk::a_server_outlives_a_disk_whose_inodes_are_used_up", INODES, without_inodes);
}

#[test]
fn a_withdrawal_waits_for_room() {
    with_a_disk("full_disk::a_withdrawal_waits_for_room", SIZE, withdrawing);
}

#[test]
fn a_server_that_was_killed_starts_on_a_full_disk() {
    with_a_disk("full_disk::a_server_that_was_killed_starts_on_a_full_disk", SIZE, killed);
}

/// Every write to `/dev/full` fails as on a full disk.
#[test]
#[cfg(target_os = "linux")]
fn a_log_that_cannot_be_written_stops_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::logging(folder.path(), &[], Path::new("/dev/full"));
    for number in 0..3 {
        let proof = json!({"media_hash": Digest::of(&[number]).to_string(), "manifest": {"number": number}});
        assert_eq!(server.post("/v1/proofs", &proof).0, 201);
        assert_eq!(server.post("/v1/proofs", &json!({"media_hash": "none"})).0, 400);
    }
    server.stop();
}

/// Starts this test again, by its `name`, with a disk of its own, and runs `work` on that disk.
fn with_a_disk(name: &str, options: &str, work: impl Fn(&Path)) {
    if let Some(disk) = std::env::var_os(DISK) {
        return work(Path::new(&disk));
    }
    let disk = tempfile::tempdir().unwrap();
    let mut refusals = String::new();
    for namespace in [&["--user", "--map-root-user", "--mount"][..], &["--mount"]] {
        match mounted(namespace, disk.path(), options, "true").output() {
            Ok(ended) if ended.status.success() => {}
            Ok(ended) => {
                refusals += &String::from_utf8_lossy(&ended.stderr);
                continue;
            }
            Err(error) => {
                refusals += &format!("{error}\n");
                continue;
            }
        }
        let again = format!("exec \"$0\" {name} --exact --nocapture");
        let inner = mounted(namespace, disk.path(), options, &again).output().unwrap();
        let said =
            [inner.stdout, inner.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        assert!(inner.status.success() && said.contains("1 passed"), "on the full disk:\n{said}");
        return;
    }
    panic!(
        "this test needs a small disk of its own, and may not mount one. Allow user namespaces \
         (`sysctl kernel.unprivileged_userns_clone=1`, and where AppArmor restricts them \
         `sysctl kernel.apparmor_restrict_unprivileged_userns=0`), or run it as root with CAP_SYS_ADMIN, with `unshare` \
         of util-linux installed. What was said:\n{refusals}"
    );
}

/// A shell that mounts the disk where no other process sees it, and continues with `script`, in which `$0` is this
/// test.
fn mounted(namespace: &[&str], disk: &Path, options: &str, script: &str) -> Command {
    let mut command = Command::new("unshare");
    let script = format!("mount -t tmpfs -o {options} tmpfs \"${DISK}\" && {script}");
    command.args(namespace).args(["sh", "-c", &script]).arg(std::env::current_exe().unwrap()).env(DISK, disk);
    command
}

/// A server on a disk that can be filled.
struct Filling {
    server: Server,
    disk: PathBuf,
    /// The proofs that were acknowledged and not deleted, with their manifests.
    stored: Vec<(String, Value)>,
    number: u32,
}

impl Filling {
    /// Starts a server over `data`, with forty proofs.
    fn start(disk: &Path, data: &Path) -> Self {
        let server = Server::over(data, &[]);
        let mut filling = Self { server, disk: disk.to_owned(), stored: Vec::new(), number: 0 };
        for _ in 0..40 {
            assert_eq!(filling.store().0, 201);
        }
        assert_eq!(filling.health()["status"], "ok");
        filling
    }

    /// Stores a further proof of about 10 KB that does not compress.
    fn store(&mut self) -> (u16, Value) {
        self.number += 1;
        let number = self.number;
        let mut bytes = Vec::new();
        while bytes.len() < 5_000 {
            let digest = Digest::of(format!("{number}/{}", bytes.len()).as_bytes());
            bytes.extend_from_slice(digest.as_bytes());
        }
        let manifest = json!({"number": number, "bytes": HEXLOWER.encode(&bytes)});
        let hash = Digest::of(&number.to_be_bytes()).to_string();
        let (status, answer) =
            self.server.post("/v1/proofs", &json!({"media_hash": hash, "manifest": manifest}));
        if status == 201 {
            self.stored.push((answer["id"].as_str().unwrap().to_owned(), manifest));
        }
        (status, answer)
    }

    /// Takes all the room that is left, as another program might, and what the server then gives up for a store or
    /// after one: the room of its journal.
    fn fill(&mut self) {
        loop {
            let taken = take_room(&self.disk);
            match self.store().0 {
                201 => continue,
                status => assert_eq!(status, 503),
            }
            if taken == 0 {
                return;
            }
        }
    }

    fn empty(&self) {
        fs::remove_file(self.disk.join("hog")).unwrap();
    }

    /// Deletes the proof that was stored last, and returns the status.
    fn delete(&mut self) -> u16 {
        let id = self.stored.last().unwrap().0.clone();
        let status = self.server.delete(&format!("/v1/proofs/{id}"));
        if status == 204 {
            self.stored.pop();
        }
        status
    }

    /// Deletes this many proofs in one request.
    fn delete_in_batch(&mut self, count: usize) {
        let last = self.stored.split_off(self.stored.len() - count);
        let ids: Vec<_> = last.into_iter().map(|(id, _)| id).collect();
        let (status, answer) = self.server.post("/v1/proofs/batch-delete", &json!({"ids": ids}));
        assert_eq!((status, answer["deleted"].as_array().map(Vec::len)), (200, Some(count)), "{answer}");
    }

    /// Binds a legacy ID, which changes only the index, and returns the status.
    fn bind(&mut self) -> u16 {
        self.number += 1;
        let proof = &self.stored[0].0;
        self.server.put(&format!("/v1/aliases/old-{}", self.number), &json!({"proof": proof})).0
    }

    /// Asserts that every acknowledged proof is served.
    fn check(&self) {
        for (id, manifest) in &self.stored {
            let record: Value =
                serde_json::from_slice(&self.server.get_bytes(&format!("/v1/proofs/{id}"))).unwrap();
            assert_eq!(record["manifest"]["json"], *manifest, "{id}");
        }
    }

    fn health(&self) -> Value {
        serde_json::from_slice(&self.server.get_bytes("/v1/health")).unwrap()
    }

    /// Asserts that nothing can be stored, and that callers are told so.
    fn is_full(&mut self) {
        let (status, answer) = self.store();
        assert_eq!(status, 503, "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains("out of space"), "{answer}");
        let health = self.health();
        assert_eq!(health["status"], "degraded", "{health}");
        let problems =
            health["providers"].as_array().unwrap().iter().filter_map(|one| one["problem"].as_str());
        let words = "out of space: nothing can be stored, while reading and deleting go on";
        assert!(problems.clone().any(|problem| problem == words), "{health}");
        self.check();
    }

    /// Waits until the server has noticed that there is room and stores again.
    fn recovers(&mut self) {
        let begun = Instant::now();
        loop {
            let (status, answer) = self.store();
            let health = self.health();
            if status == 201 && health["status"] == "ok" {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{answer} {health}");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(self.bind(), 201);
        assert_eq!(self.delete(), 204);
        assert!(self.disk.join("data/reserve").exists(), "room is kept for the next time");
        self.check();
    }
}

/// Takes all the room that is left, and returns the number of bytes that it was.
fn take_room(disk: &Path) -> u64 {
    let mut hog = File::options().create(true).append(true).open(disk.join("hog")).unwrap();
    let before = hog.metadata().unwrap().len();
    for block in [1_048_576, 65_536, 4_096, 1] {
        while hog.write_all(&vec![1; block]).is_ok() {}
    }
    hog.metadata().unwrap().len() - before
}

fn fsck(data: &Path) {
    let checked = Command::new(binary()).args(["fsck", "--data-dir"]).arg(data).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
}

fn on_disk(disk: &Path) {
    let data = disk.join("data");
    let mut filling = Filling::start(disk, &data);

    // Another program takes all the room: a store has no place for its object, but a deletion has the reserve.
    filling.fill();
    filling.is_full();
    for _ in 0..5 {
        assert_eq!(filling.delete(), 204);
        filling.is_full();
    }
    filling.empty();
    filling.recovers();

    // Many requests at once: all of them meet the full disk, and one of them releases the reserve.
    filling.fill();
    filling.delete_in_batch(10);
    filling.is_full();
    filling.empty();
    filling.recovers();

    // A legacy ID takes only a few bytes, and meets the full disk. Deletions continue after that.
    filling.fill();
    while filling.bind() == 201 {}
    filling.is_full();
    assert_eq!(filling.delete(), 204);
    filling.empty();
    filling.recovers();

    // The room of the reserve is taken as well: nothing can be written, but reads continue.
    filling.fill();
    assert_eq!(filling.delete(), 204);
    filling.fill();
    let begun = Instant::now();
    while filling.delete() == 204 {
        assert!(begun.elapsed() < PATIENCE, "the disk is full, and everything can be deleted");
    }
    filling.is_full();
    filling.empty();
    let begun = Instant::now();
    while filling.delete() != 204 {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    filling.recovers();

    // The reserve was removed from outside, and is created again with the rest.
    fs::remove_file(disk.join("data/reserve")).unwrap();
    filling.fill();
    let begun = Instant::now();
    while filling.bind() == 201 {
        assert!(begun.elapsed() < PATIENCE, "the disk is full, and everything can be written");
    }
    filling.is_full();
    filling.empty();
    filling.recovers();

    // A store, rather than another program, fills the disk.
    filling.fill();
    File::options().write(true).open(disk.join("hog")).unwrap().set_len(16_000_000).unwrap();
    let mut stores = 0;
    while filling.store().0 == 201 {
        stores += 1;
    }
    filling.is_full();
    assert_eq!(filling.delete(), 204);
    // The server stops on the full disk, and starts on it.
    filling.server.stop();
    fsck(&data);
    filling.server = Server::over(&data, &[]);
    filling.check();
    assert_eq!(filling.delete(), 204, "after {stores} stores");
    filling.empty();
    filling.recovers();
    filling.server.stop();
    fsck(&data);
}

/// A server is killed, which leaves its journal, and then the disk fills up.
fn killed(disk: &Path) {
    let data = disk.join("data");
    let mut filling = Filling::start(disk, &data);
    for is_reserve_taken in [false, true] {
        filling.server.kill();
        let journals = fs::read_dir(data.join("journal")).unwrap().count();
        assert!(journals > 0, "the journal is not empty");
        if is_reserve_taken {
            fs::remove_file(data.join("reserve")).unwrap();
        }
        take_room(disk);
        filling.server = Server::over(&data, &[]);
        filling.is_full();
        filling.empty();
        filling.recovers();
    }
    filling.server.stop();
    fsck(&data);
}

fn without_inodes(disk: &Path) {
    let (data, hogs) = (disk.join("data"), disk.join("hogs"));
    let mut filling = Filling::start(disk, &data);
    let fill = || {
        fs::create_dir_all(&hogs).unwrap();
        let names = (0..).map(|number: u32| hogs.join(number.to_string()));
        assert!(names.map(File::create).take_while(Result::is_ok).count() > 100);
    };
    for _ in 0..2 {
        fill();
        filling.is_full();
        for _ in 0..5 {
            assert_eq!(filling.delete(), 204);
            filling.is_full();
        }
        fs::remove_dir_all(&hogs).unwrap();
        filling.recovers();
    }
    filling.server.stop();
    fsck(&data);
}

/// A withdrawal rewrites the manifest: without room it is refused as a whole, and with room it is done.
fn withdrawing(disk: &Path) {
    let data = disk.join("data");
    let mut filling = Filling::start(disk, &data);
    let [id, other] = ["aa", "bb"].map(|end| format!("urn:c2pa:00000000-0000-4000-8000-0000000000{end}"));
    for id in [&id, &other] {
        let manifest = manifest_store(id, &Digest::of(b"a file"));
        assert_eq!(filling.server.post_bytes("/v1/manifests", "application/c2pa", &manifest).0, 201);
    }
    let path = format!("/v1/manifests/{id}");
    // A page of another site reads the same as a caller without a credential.
    let url = format!("{}{path}", filling.server.url());
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let stranger =
        || agent.get(&url).header("sec-fetch-site", "cross-site").call().unwrap().status().as_u16();
    let make = |filling: &Filling, visibility: &str| {
        filling.server.put(&format!("{path}/visibility"), &json!({ "visibility": visibility }))
    };
    assert_eq!(stranger(), 200);
    filling.fill();
    filling.is_full();
    let (status, answer) = make(&filling, "private");
    assert!(status == 503 && answer["detail"].as_str().unwrap().contains("out of space"), "{answer}");
    assert_eq!(stranger(), 200, "nothing was changed");
    // An owner who cannot wait deletes the manifest.
    assert_eq!(filling.server.delete(&format!("/v1/manifests/{other}")), 204);
    filling.empty();
    filling.recovers();
    assert_eq!(make(&filling, "private").0, 204);
    assert_eq!(stranger(), 404);
    assert_eq!(make(&filling, "public").0, 204);
    assert_eq!(stranger(), 200);
    filling.server.stop();
    fsck(&data);
}
