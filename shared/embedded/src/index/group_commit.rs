//! The single writer, which makes waiting commits durable together (group commit).
//!
//! While one group is synced to the disk, the next one gathers. A commit never waits for others to join: a single one
//! is written at once. The commits of a group are checked and applied in the order in which they arrived, each on top
//! of its predecessors, so the answers are those of a serial execution. No answer is sent before the sync.
//!
//! While the disk's reserve is in use, a group holds only jobs that free space, and all others are refused. A store
//! whose objects were written earlier may still commit.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use credlink_core::audit::AuditEntry;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{AliasRow, BlobRow, FileRow, ManifestRow, ProofRow, Reads, Row, State};
use credlink_ports::{Commit, Failure, FailureKind};
use redb::Durability;
use tokio::sync::oneshot;

use credlink_disk::failure::from_io;

use super::tables::{Prepared, Tables};
use super::{NAME, failure};
use crate::database::Database;

/// Maximum number of jobs in a group. With 50,000 requests waiting, a group of this size still answers in tens of
/// milliseconds.
const MAX_GROUP: usize = 1_000;

/// Maximum number of consecutive groups that are not synced because they hold nothing but read counts. redb cannot
/// reuse freed pages before a synced commit, so the file would grow without one.
const MAX_RELAXED: u32 = 100;

/// A job that waits for the writer.
enum Job {
    Commit(Vec<Prepared>, oneshot::Sender<Result<Commit, Failure>>),
    Reads(Vec<(ProofId, Reads)>, oneshot::Sender<Result<(), Failure>>),
    Bookmark(String, Option<String>, oneshot::Sender<Result<(), Failure>>),
    Access(Box<AuditEntry>, oneshot::Sender<Result<(), Failure>>),
}

impl Job {
    /// Returns `true` if the job frees space, or records a deletion that did, so that it may use the disk's reserve.
    fn makes_room(&self) -> bool {
        match self {
            Self::Commit(writes, _) => writes.iter().any(|write| is_removal(&write.row)),
            Self::Reads(..) | Self::Bookmark(..) | Self::Access(..) => false,
        }
    }

    /// Answers with a failure. The answer is dropped if the caller has gone away.
    fn refuse(self, failure: &Failure) {
        match self {
            Self::Commit(_, answer) => drop(answer.send(Err(failure.clone()))),
            Self::Reads(_, answer) | Self::Bookmark(_, _, answer) | Self::Access(_, answer) => {
                drop(answer.send(Err(failure.clone())));
            }
        }
    }
}

/// Returns `true` if a row belongs to a deletion: to its first step, to its last step, or to a replica that missed it.
const fn is_removal(row: &Row) -> bool {
    matches!(
        row,
        Row::Proof(ProofRow { state: State::Deleting(_) | State::Deleted(_), .. })
            | Row::Manifest(ManifestRow { state: State::Deleting(_) | State::Deleted(_), .. })
            | Row::File(FileRow { state: State::Deleting(_) | State::Deleted(_), .. })
            | Row::Blob(BlobRow { state: State::Deleting(_) | State::Deleted(_), .. })
            | Row::Alias(AliasRow { withdrawn: Some(_), .. })
            | Row::Replica(_)
    )
}

/// A handle to the writer's thread, which is joined when the handle is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(database: Arc<Database>) -> std::io::Result<Self> {
        let (jobs, waiting) = channel();
        let thread = std::thread::Builder::new()
            .name("index-writer".into())
            .spawn(move || work(&database, &waiting))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    pub(super) async fn commit(&self, writes: Vec<Prepared>) -> Result<Commit, Failure> {
        self.ask(|answer| Job::Commit(writes, answer)).await
    }

    pub(super) async fn count(&self, reads: Vec<(ProofId, Reads)>) -> Result<(), Failure> {
        self.ask(|answer| Job::Reads(reads, answer)).await
    }

    pub(super) async fn note_access(&self, entry: AuditEntry) -> Result<(), Failure> {
        self.ask(|answer| Job::Access(Box::new(entry), answer)).await
    }

    pub(super) async fn bookmark(&self, name: String, text: Option<String>) -> Result<(), Failure> {
        self.ask(|answer| Job::Bookmark(name, text, answer)).await
    }

    async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> Job,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        let stopped = || Failure {
            provider: NAME,
            kind: FailureKind::Unavailable,
            message: "the writer has stopped".into(),
        };
        self.jobs.as_ref().and_then(|jobs| jobs.send(job(answer)).ok()).ok_or_else(stopped)?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Without a sender the thread finishes the waiting jobs and ends.
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(database: &Database, waiting: &Receiver<Job>) {
    let mut relaxed = 0;
    while let Ok(first) = waiting.recv() {
        let mut group: Vec<Job> = std::iter::once(first).chain(waiting.try_iter()).take(MAX_GROUP).collect();
        if let Err(full) = database.reserve().admit_the_end() {
            let full = from_io(NAME, "writing its file", &full);
            let refused: Vec<Job>;
            (group, refused) = group.into_iter().partition(Job::makes_room);
            refused.into_iter().for_each(|job| job.refuse(&full));
            if group.is_empty() {
                continue;
            }
        }
        match database.write(|open| commit(open, &group, &mut relaxed)) {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                // Sending fails only if the caller has gone away, and then nobody needs the answer.
                for job in group {
                    match job {
                        Job::Commit(_, answer) => {
                            if let Some(commit) = answers.next() {
                                drop(answer.send(Ok(commit)));
                            }
                        }
                        Job::Reads(_, answer) | Job::Bookmark(_, _, answer) | Job::Access(_, answer) => {
                            drop(answer.send(Ok(())));
                        }
                    }
                }
            }
            Err(failure) => group.into_iter().for_each(|job| job.refuse(&failure)),
        }
    }
    if relaxed > 0
        && let Err(error) = database.write(sync)
    {
        tracing::warn!(provider = NAME, %error, "the last read counts were not synced");
    }
}

/// Applies a group in one transaction. Returns the answers to its commits, in order.
fn commit(database: &redb::Database, group: &[Job], relaxed: &mut u32) -> Result<Vec<Commit>, Failure> {
    let mut transaction = database.begin_write().map_err(failure)?;
    let mut answers = Vec::with_capacity(group.len());
    let (mut counted, mut kept) = (false, false);
    let mut tables = Tables::open(&transaction)?;
    for job in group {
        match job {
            Job::Commit(writes, _) => answers.push(tables.apply(writes)?),
            Job::Reads(reads, _) => {
                tables.count(reads).map_err(failure)?;
                counted = true;
            }
            Job::Bookmark(name, text, _) => {
                tables.keep(name, text.as_deref()).map_err(failure)?;
                kept = true;
            }
            Job::Access(entry, _) => {
                tables.note_access(entry)?;
                kept = true;
            }
        }
    }
    tables.close()?;
    // The row that a lost commit is answered with is synced already, or will be with this group.
    let durable = kept || answers.contains(&Commit::Done) || *relaxed >= MAX_RELAXED;
    if durable {
        *relaxed = 0;
    } else if counted {
        *relaxed += 1;
        transaction.set_durability(Durability::None).map_err(failure)?;
    } else {
        transaction.abort().map_err(failure)?;
        return Ok(answers);
    }
    transaction.commit().map_err(failure)?;
    Ok(answers)
}

fn sync(database: &redb::Database) -> Result<(), Failure> {
    database.begin_write().map_err(failure)?.commit().map_err(failure)
}
