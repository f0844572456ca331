//! `credlink files put`: files are announced, sent to the addresses that the server names, and waited for.
//!
//! | to find | look in |
//! |---|---|
//! | the file: its identity, type and parts | [`source`] |
//! | what an interrupted command leaves for the next one | [`unfinished`] |
//! | the parts of an upload, and those that are missing | [`plan`] |
//! | sending them; one request; how many at once | [`sending`]; [`transfer`]; [`slots`] |
//! | waiting for the file | [`waiting`] |
//! | the output | [`told`] |

mod plan;
mod sending;
mod slots;
mod source;
mod told;
mod transfer;
mod unfinished;
mod waiting;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use super::calls::Calls;
use super::meter::Meter;
use crate::args::files::Put;
use crate::client::{Announcement, Client, Upload};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;
use sending::Sending;
use slots::Slots;
use source::Source;
use told::Told;
use transfer::Transfer;
use unfinished::Unfinished;

/// Everything that the files of a command share.
struct Command<'a> {
    args: &'a Put,
    server: &'a str,
    calls: &'a Calls<'a>,
    meter: &'a Meter,
    transfer: Transfer,
    slots: Slots,
    /// The index of the next file.
    next: AtomicUsize,
    /// `true` once no further file is begun, because it would fail as well.
    is_over: AtomicBool,
    /// The number of files that came into the list.
    listed: AtomicU32,
}

/// A file, by its index, and what became of it.
type Outcome = (usize, Result<Told, Trouble>);

/// Uploads the files. One that fails does not keep the others from being sent, unless they would fail in the same way.
pub(super) fn put(client: &Client, args: &Put, printer: &Printer) -> Result<Exit, Trouble> {
    if args.resume.is_some() && args.files.len() > 1 {
        let detail = "--resume continues one upload, with one file";
        return Err(Trouble::new(TroubleKind::Usage, detail));
    }
    let (server, is_encrypted) = client.server()?;
    let meter = Meter::new(printer.is_json(), args.files.len());
    let calls = Calls::new(client, &meter);
    let concurrency = usize::from(args.concurrency);
    let command = Command {
        args,
        server,
        calls: &calls,
        meter: &meter,
        transfer: Transfer::new(is_encrypted),
        slots: Slots::new(concurrency),
        next: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        listed: AtomicU32::new(0),
    };
    // Files of a list come in order: each is in its place before the next one is sent.
    let workers = if args.entity.is_some() { 1 } else { concurrency.min(args.files.len()) };
    let (sender, outcomes) = channel();
    let ended: Result<Vec<Trouble>, Trouble> = std::thread::scope(|scope| {
        for _ in 0..workers {
            let (command, sender) = (&command, sender.clone());
            scope.spawn(move || command.work(&sender));
        }
        drop(sender);
        let mut problems: Vec<Trouble> = Vec::new();
        for (index, outcome) in outcomes {
            match outcome {
                Ok(told) => meter.suspended(|| printer.say(|| told.words(), &told.json()))?,
                Err(trouble) => {
                    // Files that are sent at once meet the problem that they share before any of them has told it.
                    let is_told = |told: &Trouble| told.to_string() == trouble.to_string();
                    if !trouble.is_about_all_files() || !problems.iter().any(is_told) {
                        meter.suspended(|| printer.problem_of(&args.files[index], &trouble));
                    }
                    problems.push(trouble);
                }
            }
        }
        Ok(problems)
    });
    meter.end();
    exit(&ended?, args.files.len(), &command, printer)
}

/// Returns the exit code: that of the problem, if all files have one of the same kind.
fn exit(
    problems: &[Trouble],
    files: usize,
    command: &Command<'_>,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let Some(first) = problems.first() else { return Ok(Exit::Done) };
    let begun = command.next.load(Ordering::Relaxed).min(files);
    if files > 1 {
        let not_begun = match files - begun {
            0 => String::new(),
            count => format!("; {count} not tried, because they would fail in the same way"),
        };
        printer.remark(&format!("{} of {files} files failed{not_begun}", problems.len()));
    }
    let is_one = problems.iter().all(|problem| problem.exit() == first.exit());
    Ok(if is_one && problems.len() == begun { first.exit() } else { Exit::Failed })
}

impl Command<'_> {
    fn work(&self, outcomes: &Sender<Outcome>) {
        while !self.is_over.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = self.args.files.get(index) else { break };
            let outcome = self.one(file);
            if outcome.as_ref().is_err_and(Trouble::is_about_all_files) {
                self.is_over.store(true, Ordering::Relaxed);
            }
            self.meter.file_ended();
            // If nobody listens, nothing can be printed.
            if outcomes.send((index, outcome)).is_err() {
                break;
            }
        }
    }

    /// Uploads a file.
    fn one(&self, file: &Path) -> Result<Told, Trouble> {
        let source = Source::open(file)?;
        if let Some(id) = &self.args.resume {
            let upload = self.calls.call(|client| client.upload(id))?;
            if upload.size != source.size {
                let detail = format!(
                    "the upload {id} is of a file of {} bytes, and {} has {}",
                    upload.size,
                    file.display(),
                    source.size
                );
                return Err(Trouble::new(TroubleKind::Usage, detail));
            }
            return self.sent(file, &source, upload, Unfinished::default());
        }
        let tell = |text: &str| self.meter.says(text);
        let mut unfinished = Unfinished::of(self.server, &source, self.args, tell)?;
        if let Some(upload) = self.begun_before(&unfinished)? {
            return self.sent(file, &source, upload, unfinished);
        }
        let announced = self.announcement(&source);
        let announced =
            announced.and_then(|announcement| self.calls.call(|client| client.announce(&announcement)));
        let upload = match announced {
            Ok(upload) => upload,
            Err(trouble) => {
                unfinished.unused();
                return Err(trouble);
            }
        };
        unfinished.begun(upload.id, self.server, &source);
        self.sent(file, &source, upload, unfinished)
    }

    /// Returns the upload that an earlier command has begun, if it can be continued or has become a file.
    fn begun_before(&self, unfinished: &Unfinished) -> Result<Option<Upload>, Trouble> {
        let Some(id) = unfinished.upload() else { return Ok(None) };
        match self.calls.call(|client| client.upload(&id)) {
            // A file that was rejected or did not arrive in time is sent anew.
            Ok(upload) => Ok(Some(upload).filter(|upload| !upload.has_ended() || upload.file.is_some())),
            // Its row is gone, or it belongs to another owner.
            Err(trouble) if trouble.is_absence() => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    fn announcement(&self, source: &Source) -> Result<Announcement, Trouble> {
        let Put { collection, entity, position, owner, media_type, access, focal, .. } = self.args;
        let Some(collection) = collection.clone() else {
            return Err(Trouble::new(TroubleKind::Usage, "--collection says what the file is for"));
        };
        let content = source.content(media_type.as_deref())?;
        Ok(Announcement {
            collection,
            media_type: content.media_type,
            size: source.size,
            sha256: content.sha256,
            filename: source.filename(),
            entity: entity.clone(),
            position: position.map(|first| first.saturating_add(self.listed.load(Ordering::Relaxed))),
            owner: owner.clone(),
            access: *access,
            focal: *focal,
        })
    }

    /// Sends what is missing of an upload, and waits for what becomes of it.
    fn sent(
        &self,
        file: &Path,
        source: &Source,
        upload: Upload,
        unfinished: Unfinished,
    ) -> Result<Told, Trouble> {
        let id = upload.id;
        let there = if upload.is_open() { upload.bytes } else { source.size };
        self.meter.expect(source.size, there);
        let sending = Sending {
            calls: self.calls,
            transfer: &self.transfer,
            slots: &self.slots,
            concurrency: self.args.concurrency.into(),
            meter: self.meter,
            source,
        };
        let sent = sending.send(upload);
        if sent.is_err() && source.check().is_err() {
            // What has arrived is of no use to anybody. If the server cannot be told so, the upload expires.
            let _ = self.calls.client().abort(&id);
            unfinished.ended();
            return Err(source.changed());
        }
        let mut upload = sent?;
        if !self.args.no_wait {
            upload = waiting::ended(self.calls, upload, self.args.patience)?;
        }
        unfinished.ended();
        if upload.file.is_some() || self.args.no_wait {
            self.listed.fetch_add(1, Ordering::Relaxed);
        }
        self.told(file, &upload)
    }

    fn told(&self, file: &Path, upload: &Upload) -> Result<Told, Trouble> {
        match upload.state.as_str() {
            "rejected" => Err(told::rejected(upload)),
            "expired" => {
                let detail = "its bytes did not arrive within a day; the same command begins anew";
                Err(Trouble::new(TroubleKind::Rejected, detail).with_member("upload", upload.id.to_string()))
            }
            _ => {
                let record = match &upload.file {
                    // The file is there, whether or not it can be shown.
                    Some(id) => {
                        self.calls.call(|client| client.file(id)).ok().and_then(|answer| answer.read().ok())
                    }
                    None => None,
                };
                let file: PathBuf = file.to_owned();
                Ok(Told { file, server: self.server.to_owned(), upload: upload.clone(), record })
            }
        }
    }
}
