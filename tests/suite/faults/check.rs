//! Checks that a world is in order: what it serves, what fsck finds, and what cleanup leaves.

use std::collections::BTreeSet;

use credlink_core::hash::{Digest, MediaHash};
use credlink_core::record::Record;
use credlink_service::fsck::{Severity, fsck};

use super::act::{Act, File, Outcome, What, c2pa_id, proof_id};
use super::model::Model;
use super::world::{Step, World, ready};

/// The files of all worlds.
pub const FILES: [File; 3] = ["a", "b", "c"];
/// The C2PA manifests of all worlds.
pub const MANIFESTS: [&str; 3] = ["one", "two", "three"];
/// The legacy IDs of all worlds.
pub const IDS: [&str; 2] = ["p-1", "p-2"];
/// A revision number that no proof of a world reaches.
const REVISIONS: u32 = 6;

/// The answers for a file: the manifest of its current record, and of each earlier one.
pub type Served = Option<(Digest, Vec<Digest>)>;

/// Leftovers of acts that were not acknowledged.
#[derive(Debug, Default)]
pub struct Left {
    /// C2PA manifests that remain until cleanup.
    manifests: BTreeSet<&'static str>,
    /// Unacknowledged records that remain until cleanup.
    records: Vec<(File, Served)>,
}

impl Left {
    /// Returns the leftovers that the crashes of `steps` may leave behind, and those of `acts`, which may fail.
    pub fn by(steps: &[Step], acts: &[&Act]) -> Self {
        let mut left = Self::default();
        let crashed = steps.iter().filter_map(|step| match step {
            Step::Crash(act, _) => Some(act),
            _ => None,
        });
        for act in crashed {
            if let Act::Store(file, what) | Act::TakeOver(file, what, _) = act {
                left.records.push((file, Some((what.digest(), Vec::new()))));
            }
            left.manifests.extend(act.brings());
        }
        left.manifests.extend(acts.iter().filter_map(|act| act.brings()));
        left
    }
}

impl Left {
    /// The records of a file that may be present.
    pub fn records_of(&self, file: File) -> impl Iterator<Item = &Served> {
        self.records.iter().filter(move |(left, _)| *left == file).map(|(_, served)| served)
    }

    /// Removes what an acknowledged deletion takes with it: the leftovers of its proof, or of its manifest.
    pub fn after(&mut self, act: &Act, outcome: Outcome) {
        if !matches!(outcome, Outcome::Done(_)) {
            return;
        }
        match act {
            Act::Delete(file) => self.records.retain(|(left, _)| left != file),
            Act::Batch(files) => self.records.retain(|(left, _)| !files.contains(left)),
            Act::DeleteManifest(name) => _ = self.manifests.remove(name),
            _ => {}
        }
    }
}

impl World {
    /// Asserts that each served part agrees with one of the known models, though not all with the same one, since an
    /// act may be half done. Anything in `left` may be present.
    pub fn check_parts(&self, left: &Left, when: &str) {
        for file in FILES {
            let served = self.served(file, when);
            let fits = |model: &Model| expected(model, file) == served;
            let fits = self.known.0.iter().any(fits) || left.records.contains(&(file, served.clone()));
            assert!(fits, "{when}: {file} is {served:?}; {:#?}", self.known);
        }
        for id in IDS {
            let named = self.named(id, when);
            let fits = |model: &Model| model.aliases.get(id).copied() == named;
            assert!(self.known.0.iter().any(fits), "{when}: {id} leads to {named:?}; {:#?}", self.known);
        }
        for name in MANIFESTS {
            let there = self.manifest(name, when);
            let fits = |model: &Model| model.has_manifest(name) == there;
            let fits = self.known.0.iter().any(fits) || (there && left.manifests.contains(name));
            assert!(fits, "{when}: manifest {name} is there: {there}; {:#?}", self.known);
        }
    }

    /// Lets the cache, if there is one, see everything before it changes.
    pub fn warm_up(&self) {
        if self.has_cache() {
            FILES.iter().for_each(|file| drop(self.served(file, "before")));
            MANIFESTS.iter().for_each(|name| _ = self.manifest(name, "before"));
        }
    }

    /// Asserts that everything agrees with one known model, and that deleted proofs are reported as deleted.
    pub fn check_whole(&mut self, left: &Left, when: &str) {
        self.known.look_around();
        let served = FILES.map(|file| (file, self.served(file, when), self.says_deleted(file)));
        let manifests = MANIFESTS.map(|name| (name, self.manifest(name, when)));
        let ids = IDS.map(|id| (id, self.named(id, when)));
        let fits = |model: &&Model| {
            let deleted = |file| {
                let proof = model.proofs.get(file);
                proof.is_some_and(|proof| proof.lives > 0 && proof.served().is_none())
            };
            served.iter().all(|(file, served, says_deleted)| {
                expected(model, file) == *served && (*says_deleted || !deleted(file))
            }) && ids.iter().all(|(id, named)| model.aliases.get(id) == named.as_ref())
                && manifests.iter().all(|(name, there)| {
                    model.has_manifest(name) == *there || (*there && left.manifests.contains(name))
                })
        };
        let kept: Vec<Model> = self.known.0.iter().filter(fits).cloned().collect();
        assert!(!kept.is_empty(), "{when}: served is {served:?}, {manifests:?}; {:#?}", self.known);
        self.known.0 = kept;
    }

    /// Returns what is served of `file` on every path to it. Fails the test if anything is not exact.
    pub fn served(&self, file: File, when: &str) -> Served {
        let path = format!("/v1/proofs/{}", proof_id(file));
        let current = self.record(&path, file, when);
        let by_hash = format!("/v1/proofs/by-hash/{}", MediaHash::of(file.as_bytes()).digest());
        let found = self.record(&by_hash, file, when).map(|record| record.manifest.sha256);
        assert_eq!(found, current.as_ref().map(|record| record.manifest.sha256), "{when}: {by_hash}");
        let mut earlier = Vec::new();
        if !self.known.0.iter().any(|model| model.has_heard_of(file)) {
            return current.map(|record| (record.manifest.sha256, earlier));
        }
        for revision in 1..REVISIONS {
            let Some(found) = self.record(&format!("{path}/{revision}"), file, when) else { continue };
            assert_eq!(found.revision, revision, "{when}");
            let current =
                current.as_ref().unwrap_or_else(|| panic!("{when}: {file} is gone, but {revision}"));
            if revision < current.revision {
                earlier.push(found.manifest.sha256);
            } else {
                // The first step of a replacement makes this copy.
                assert_eq!(found.to_bytes(), current.to_bytes(), "{when}: the copy of {file}");
            }
        }
        current.map(|record| (record.manifest.sha256, earlier))
    }

    fn record(&self, path: &str, file: File, when: &str) -> Option<Record> {
        let response = self.get(path);
        match response.status().as_u16() {
            200 => {
                let tag = format!("\"{}\"", Digest::of(response.body()));
                assert_eq!(response.headers()["etag"], tag, "{when}: {path}");
                let record = Record::parse(response.body()).unwrap();
                assert_eq!(record.media_hash, MediaHash::of(file.as_bytes()), "{when}: {path}");
                Some(record)
            }
            404 | 410 => None,
            status => panic!("{when}: {path} is answered with {status}: {:?}", response.body()),
        }
    }

    /// Returns the file whose proof a legacy ID leads to.
    fn named(&self, id: &str, when: &str) -> Option<File> {
        let response = self.get(&format!("/v1/proofs/{id}"));
        match response.status().as_u16() {
            308 => {
                let proof = response.headers()["location"].to_str().unwrap();
                let file = FILES.into_iter().find(|file| proof_id(file).to_string() == proof);
                assert!(file.is_some(), "{when}: {id} leads to {proof}");
                file
            }
            404 => None,
            status => panic!("{when}: {id} is answered with {status}: {:?}", response.body()),
        }
    }

    fn says_deleted(&self, file: File) -> bool {
        self.get(&format!("/v1/proofs/{}", proof_id(file))).status() == 410
    }

    /// Returns `true` if a manifest is served. Fails the test if it is not exact.
    fn manifest(&self, name: &'static str, when: &str) -> bool {
        let response = self.get(&format!("/v1/manifests/{}", c2pa_id(name)));
        match response.status().as_u16() {
            200 => {
                assert_eq!(response.body(), &What::C2pa(name).bytes(), "{when}: {name}");
                let tag = format!("\"{}\"", What::C2pa(name).digest());
                assert_eq!(response.headers()["etag"], tag, "{when}: {name}");
                true
            }
            404 | 410 => false,
            status => panic!("{when}: {name} is answered with {status}: {:?}", response.body()),
        }
    }

    /// Asserts that fsck finds nothing worse than this severity.
    pub fn check_store(&self, worst: Severity, when: &str) {
        let mut findings = Vec::new();
        let run = ready(fsck(&self.calm(), |finding| findings.push(finding)));
        run.unwrap_or_else(|failure| panic!("{when}: {failure}\n{self:#?}"));
        findings.retain(|finding| finding.severity >= worst);
        assert!(findings.is_empty(), "{when}: {findings:#?}\n{:#?}", self);
    }

    /// Cleans up, and asserts that nothing is left over.
    pub fn settle(&mut self, when: &str) {
        self.clean();
        if self.second.is_some() {
            // Cleanup meets copies that a crash left behind, and queues their repairs.
            self.drain();
        }
        self.check_store(Severity::Leftover, &format!("{when}, cleaned"));
        self.check_whole(&Left::default(), &format!("{when}, cleaned"));
    }

    /// Settles the world, and asserts that every proof can be stored and deleted as always.
    pub fn go_on(&mut self, when: &str) {
        self.settle(when);
        let plan = credlink_ports::doubles::faults::FaultPlan::none;
        for (file, name) in FILES.into_iter().zip(MANIFESTS) {
            self.act(&Act::Store(file, What::C2pa(name)), plan());
        }
        self.act(&Act::Batch(&FILES), plan());
        for name in MANIFESTS {
            self.act(&Act::DeleteManifest(name), plan());
        }
        self.check_store(Severity::Leftover, &format!("{when}, all deleted"));
        self.check_whole(&Left::default(), &format!("{when}, all deleted"));
    }
}

/// Returns what a model serves of `file`.
pub fn expected(model: &Model, file: File) -> Served {
    let (current, earlier) = model.proofs.get(file)?.served()?;
    Some((current.digest(), earlier.iter().map(|what| what.digest()).collect()))
}
