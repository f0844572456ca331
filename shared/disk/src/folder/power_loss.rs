//! Power cuts at any moment of a storm of writes: in every state that the disk may then have, the folder opens, holds
//! what was acknowledged byte for byte, and nothing else than that and what was under way.
//!
//! The storm runs once and is recorded; the states are built from the record ([`crash`]). The same states of a record
//! from which a sync is missing, or in which a rename comes too early, must be found wrong: otherwise the test proves
//! nothing.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use credlink_core::object::{Attributes, ObjectKey};
use credlink_ports::{Condition, Objects as _, Put};
use tempfile::TempDir;

use super::{Folder, FolderError};
use crate::recorder::crash::{Dice, Unsynced, build};
use crate::recorder::{Operation, Position, Recording};

/// A mark that means nothing, in the place of a call that a planted fault leaves out.
const NOTHING: u64 = u64::MAX;

/// A call of a client: what it writes under a key, or `None` if it deletes.
#[derive(Clone, Debug)]
struct Call {
    key: ObjectKey,
    content: Option<Bytes>,
}

/// A storm of writes.
#[derive(Clone, Copy, Debug)]
struct Storm {
    seed: u64,
    clients: usize,
    /// The number of calls of each client, before a restart and after it.
    calls: usize,
    /// The number of keys of each client.
    keys: usize,
    segment_bytes: u64,
    lengths: &'static [usize],
    /// `true` if syncs of the journal fail now and then.
    fails: bool,
}

/// Segments that are full after some changes, which are long and short.
const MIXED: Storm = Storm {
    seed: 1,
    clients: 4,
    calls: 12,
    keys: 3,
    segment_bytes: 120_000,
    lengths: &[0, 40, 900, 5_000, 30_000],
    fails: false,
};

/// So many keys in a segment that one sync of the file system settles them.
const MANY: Storm = Storm {
    seed: 2,
    clients: 4,
    calls: 90,
    keys: 60,
    segment_bytes: 500_000,
    lengths: &[10, 300],
    fails: false,
};

/// Syncs of the journal fail, and it is mended.
const FAILING: Storm = Storm { seed: 3, calls: 30, fails: true, ..MIXED };

/// A storm that is over.
#[derive(Debug)]
struct Record {
    operations: Vec<Operation>,
    calls: Vec<Call>,
}

/// A folder in memory, where a sync costs nothing.
pub(super) fn in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn key(client: usize, number: usize) -> ObjectKey {
    // Keys of all clients share two shards.
    format!("manifests/urn%3Ac2pa%3A{:02}{client}-{number}", number % 2).parse().unwrap()
}

fn attributes() -> Attributes {
    Attributes { content_type: "application/json".to_owned(), ..Attributes::default() }
}

impl Storm {
    fn run(self) -> Record {
        let home = in_memory();
        let recording = Recording::of(home.path());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let calls = std::sync::Mutex::new(Vec::new());
        let mut known: Vec<BTreeMap<usize, Option<Bytes>>> = vec![BTreeMap::new(); self.clients];
        for round in 0..2 {
            let folder = Folder::open_with(&home.path().join("data"), self.segment_bytes).unwrap();
            std::thread::scope(|scope| {
                for (client, known) in known.iter_mut().enumerate() {
                    let mut dice = Dice(self.seed ^ (client as u64) << 8 ^ round << 16);
                    let (folder, recording, calls, runtime) = (&folder, &recording, &calls, &runtime);
                    scope.spawn(move || {
                        for _ in 0..self.calls {
                            let number = dice.roll(self.keys);
                            let there = known.entry(number).or_default();
                            let content = (there.is_none() || dice.roll(3) > 0).then(|| {
                                let length = self.lengths[dice.roll(self.lengths.len())];
                                (0..length).map(|_| dice.roll(256) as u8).collect::<Bytes>()
                            });
                            let key = key(client, number);
                            let call = {
                                let mut calls = calls.lock().unwrap();
                                calls.push(Call { key: key.clone(), content: content.clone() });
                                calls.len() as u64 - 1
                            };
                            if self.fails {
                                let fails = dice.roll(6) == 0;
                                recording.fail_syncs(fails.then_some("data/journal/credlink-0.journal"));
                            }
                            recording.mark(2 * call);
                            let is_done = runtime.block_on(async {
                                match &content {
                                    None => folder.delete(&key).await.is_ok(),
                                    Some(content) => {
                                        let head = folder.head(&key).await.unwrap();
                                        let condition = head
                                            .map_or(Condition::Absent, |head| Condition::Matches(head.tag));
                                        let put =
                                            folder.put(&key, content.clone(), &attributes(), condition).await;
                                        assert!(matches!(put, Ok(Put::Stored(_)) | Err(_)), "{put:?}");
                                        put.is_ok()
                                    }
                                }
                            });
                            assert!(is_done || self.fails, "{key}");
                            if is_done {
                                recording.mark(2 * call + 1);
                                *there = content;
                            }
                        }
                    });
                }
            });
            recording.fail_syncs(None);
        }
        Record { operations: recording.operations(), calls: calls.into_inner().unwrap() }
    }
}

impl Record {
    /// Returns what may be under each key after a cut.
    fn possible(&self, cut: Position) -> BTreeMap<String, Vec<Option<Bytes>>> {
        let mut possible: BTreeMap<String, Vec<Option<Bytes>>> = BTreeMap::new();
        for operation in &self.operations[..cut] {
            let Operation::Mark(mark) = operation else { continue };
            let Some(call) = self.calls.get(usize::try_from(mark / 2).unwrap()) else { continue };
            let states = possible.entry(call.key.to_string()).or_insert_with(|| vec![None]);
            if mark % 2 == 1 {
                states.clear();
            }
            states.push(call.content.clone());
        }
        possible
    }

    /// Returns the positions at which a cut is interesting: before and after what makes something durable, or visible.
    fn cuts(&self) -> Vec<Position> {
        let is_interesting = |operation: &Operation| {
            !matches!(operation, Operation::Write(..) | Operation::Resize(..) | Operation::Mark(_))
        };
        let mut cuts = vec![self.operations.len()];
        for (position, operation) in self.operations.iter().enumerate() {
            if is_interesting(operation) {
                cuts.extend([position, position + 1]);
            }
        }
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }

    /// Returns at most `most` of the interesting cuts.
    fn some_cuts(&self, most: usize) -> Vec<Position> {
        let cuts = self.cuts();
        let stride = cuts.len().div_ceil(most);
        cuts.into_iter().step_by(stride).collect()
    }

    /// Returns the first wrong state of those after these cuts, if there is one.
    fn search(&self, cuts: impl IntoIterator<Item = Position>) -> Option<String> {
        for cut in cuts {
            let seed = cut as u64;
            for unsynced in [
                Unsynced::Lost,
                Unsynced::Kept,
                Unsynced::NamesOnly,
                Unsynced::ContentOnly,
                Unsynced::Random(seed),
                Unsynced::Random(!seed),
                Unsynced::Random(seed << 32),
            ] {
                let disk = in_memory();
                build(&self.operations, cut, unsynced, disk.path()).unwrap();
                if let Some(found) = wrong(disk.path(), &self.possible(cut)) {
                    return Some(format!("cut at {cut}, {unsynced:?}: {found}"));
                }
            }
        }
        None
    }

    /// Leaves out the calls that `is_skipped` says.
    fn without(&self, is_skipped: impl Fn(&Operation) -> bool) -> Self {
        let mut operations = self.operations.clone();
        for operation in operations.iter_mut().filter(|operation| is_skipped(operation)) {
            *operation = Operation::Mark(NOTHING);
        }
        Self { operations, calls: self.calls.clone() }
    }

    /// Moves a call to an earlier position.
    fn with_earlier(&self, from: Position, to: Position) -> Self {
        let mut operations = self.operations.clone();
        let moved = operations.remove(from);
        operations.insert(to, moved);
        for operation in &mut operations {
            let (Operation::Sync(_, until)
            | Operation::SyncFolder(_, until)
            | Operation::SyncEverything(until)) = operation
            else {
                continue;
            };
            if (to..from).contains(until) {
                *until += 1;
            }
        }
        Self { operations, calls: self.calls.clone() }
    }

    /// Returns the files that had a name in the journal.
    fn journals(&self) -> Vec<u64> {
        let is_journal = |path: &Path| path.starts_with("data/journal");
        self.operations
            .iter()
            .filter_map(|operation| match operation {
                Operation::Create(path, number) if is_journal(path) => Some(*number),
                _ => None,
            })
            .collect()
    }
}

/// Opens the folder twice. Returns what is wrong with it.
fn wrong(disk: &Path, possible: &BTreeMap<String, Vec<Option<Bytes>>>) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut before = None;
    for opening in ["first", "second"] {
        let folder = match Folder::open(disk.join("data")) {
            Ok(folder) => folder,
            Err(error) => return Some(format!("the {opening} opening fails: {error}")),
        };
        let mut found = BTreeMap::new();
        for (key, states) in possible {
            let object = runtime.block_on(folder.get(&key.parse().unwrap()));
            let content = match object {
                Ok(object) => object.map(|object| object.body),
                Err(failure) => return Some(format!("{key}: {failure}")),
            };
            if !states.contains(&content) {
                let lengths = |state: &Option<Bytes>| state.as_ref().map(Bytes::len);
                let known: Vec<_> = states.iter().map(lengths).collect();
                return Some(format!("{key} has the length {:?}; possible: {known:?}", lengths(&content)));
            }
            if let Some(content) = content {
                found.insert(key.clone(), content);
            }
        }
        let listed = runtime.block_on(folder.list("", None, 1_000)).unwrap().items;
        if !listed.iter().map(|listed| &listed.key).eq(found.keys()) {
            return Some(format!("{listed:?} are listed"));
        }
        if before.as_ref().is_some_and(|before| *before != found) {
            return Some(format!("the {opening} opening finds something else"));
        }
        before = Some(found);
    }
    None
}

#[test]
fn every_state_after_a_cut_has_what_was_acknowledged() {
    for (storm, cuts) in [(MIXED, 100), (MANY, 20), (FAILING, 100)] {
        let record = storm.run();
        let failed = |operation: &Operation| matches!(operation, Operation::FailedSync(_));
        assert_eq!(record.operations.iter().any(failed), storm.fails);
        if cfg!(target_os = "linux") && storm.keys == MANY.keys {
            let is_whole = |operation: &Operation| matches!(operation, Operation::SyncEverything(_));
            assert!(record.operations.iter().any(is_whole), "no segment was settled with one sync");
        }
        assert_eq!(record.search(record.some_cuts(cuts)), None, "{storm:?}");
    }
}

/// A folder that is only read is not changed, so it must be complete.
#[test]
fn a_folder_is_opened_for_reading_only_if_its_journal_is_in_its_files() {
    let record = MIXED.run();
    let is_mark = |operation: &Operation| matches!(operation, Operation::Mark(_));
    let cut = record.operations.iter().rposition(is_mark).unwrap() + 1;
    let disk = in_memory();
    build(&record.operations, cut, Unsynced::Lost, disk.path()).unwrap();
    let refused = Folder::look(disk.path().join("data")).unwrap_err();
    assert!(matches!(refused, FolderError::Unfinished(_)), "{refused}");
    drop(Folder::open(disk.path().join("data")).unwrap());
    Folder::look(disk.path().join("data")).unwrap();
    let disk = in_memory();
    build(&record.operations, cut, Unsynced::Kept, disk.path()).unwrap();
    Folder::look(disk.path().join("data")).unwrap();
}

/// The power may be cut again while the journal is replayed.
#[test]
fn a_replay_that_is_cut_off_is_replayed_again() {
    let record = MIXED.run();
    let cuts = record.cuts();
    for (number, cut) in cuts.iter().step_by(cuts.len().div_ceil(16)).enumerate() {
        let disk = in_memory();
        build(&record.operations, *cut, Unsynced::Random(number as u64), disk.path()).unwrap();
        let recording = Recording::of(disk.path());
        drop(Folder::open(disk.path().join("data")).unwrap());
        let again = Record { operations: recording.operations(), calls: Vec::new() };
        // What was there before is synced.
        let is_there = |operation: &Operation| matches!(operation, Operation::SyncEverything(_));
        let begin = again.operations.iter().position(is_there).map_or(0, |there| there + 1);
        let cuts: Vec<_> = again.cuts().into_iter().filter(|cut| *cut >= begin).collect();
        for cut_again in cuts.iter().step_by(cuts.len().div_ceil(12)) {
            for unsynced in [Unsynced::NamesOnly, Unsynced::Random(*cut_again as u64)] {
                let disk = in_memory();
                build(&again.operations, *cut_again, unsynced, disk.path()).unwrap();
                let found = wrong(disk.path(), &record.possible(*cut));
                assert_eq!(found, None, "cut at {cut}, and at {cut_again} of the replay, {unsynced:?}");
            }
        }
    }
}

/// A process that is killed leaves much in memory that is not on the disk. The next one finds it there, and the power is
/// cut while it opens the folder.
#[test]
fn what_a_killed_process_left_in_memory_is_not_taken_for_synced() {
    for storm in [MIXED, FAILING] {
        let record = storm.run();
        // Also behind a write.
        let is_written = |position: &Position| matches!(record.operations[*position], Operation::Write(..));
        let writes: Vec<_> = (0..record.operations.len()).filter(is_written).map(|at| at + 1).collect();
        for killed in writes.iter().copied().step_by(writes.len().div_ceil(20)) {
            let disk = in_memory();
            let recording = Recording::after(&record.operations[..killed], disk.path());
            drop(Folder::open(disk.path().join("data")).unwrap());
            let again = Record { operations: recording.operations(), calls: Vec::new() };
            let cuts: Vec<_> = again.cuts().into_iter().filter(|cut| *cut >= killed).collect();
            for cut in cuts.iter().step_by(cuts.len().div_ceil(12)) {
                for unsynced in [Unsynced::Lost, Unsynced::NamesOnly, Unsynced::Random(*cut as u64)] {
                    let disk = in_memory();
                    build(&again.operations, *cut, unsynced, disk.path()).unwrap();
                    let found = wrong(disk.path(), &record.possible(killed));
                    assert_eq!(found, None, "{storm:?} killed at {killed}, cut at {cut}, {unsynced:?}");
                }
            }
        }
    }
}

#[test]
fn planted_faults_are_found() {
    let record = MIXED.run();
    let journals = record.journals();
    let is_journal = |file: &u64| journals.contains(file);
    let without_journal_sync =
        record.without(|operation| matches!(operation, Operation::Sync(file, _) if is_journal(file)));
    // Without a sync of the journal, it may also be found damaged.
    let is_lost = |found: Option<String>| found.is_some_and(|found| !found.contains("opening fails"));
    assert!(
        without_journal_sync.search(without_journal_sync.some_cuts(160)).is_some(),
        "the journal is not synced"
    );
    let without_file_sync =
        record.without(|operation| matches!(operation, Operation::Sync(file, _) if !is_journal(file)));
    assert!(
        is_lost(without_file_sync.search(without_file_sync.some_cuts(160))),
        "files are not synced before the journal forgets them"
    );
    for folder in ["data/journal", "data/objects"] {
        let is_its = |path: &Path| path.starts_with(folder);
        let without =
            record.without(|operation| matches!(operation, Operation::SyncFolder(path, _) if is_its(path)));
        assert!(without.search(without.some_cuts(160)).is_some(), "{folder} is not synced");
    }
    // A file replaces another one before the journal is synced.
    let position = |before: &[Operation], is_it: &dyn Fn(&Operation) -> bool| before.iter().rposition(is_it);
    let found = record.operations.iter().enumerate().any(|(from, operation)| {
        let Operation::Rename(temporary, object) = operation else { return false };
        let before = &record.operations[..from];
        let is_replacement =
            position(before, &|earlier| matches!(earlier, Operation::Rename(_, name) if name == object));
        let sync =
            position(before, &|earlier| matches!(earlier, Operation::Sync(file, _) if is_journal(file)));
        let made =
            position(before, &|earlier| matches!(earlier, Operation::Create(name, _) if name == temporary));
        let (Some(_), Some(sync), Some(made)) = (is_replacement, sync, made) else { return false };
        let to = sync.max(made + 1);
        let early = record.with_earlier(from, to);
        is_lost(early.search(to..=sync + 1))
    });
    assert!(found, "a file is renamed before its journal is synced");
}
