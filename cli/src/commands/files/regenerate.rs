//! `credlink files regenerate`: the renditions of pictures, made anew by the present profiles.

use std::time::Instant;

use credlink_core::bounds::MAX_PAGE;
use credlink_core::file::FileId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::calls::Calls;
use super::look::query;
use super::meter::Meter;
use crate::args::files::Regenerate;
use crate::client::Client;
use crate::commands::display::Display;
use crate::commands::figures::left;
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// The result of a command.
#[derive(Default)]
struct Sum {
    changed: u64,
    unchanged: u64,
    failed: Vec<Value>,
}

impl Sum {
    fn done(&self) -> u64 {
        self.changed + self.unchanged + self.failed.len() as u64
    }
}

/// The fields of a record that are looked at.
#[derive(Deserialize)]
struct Record {
    id: FileId,
    revision: u64,
}

/// Makes the renditions of files anew, one after the other, and goes on after one that fails.
pub(super) fn regenerate(client: &Client, args: &Regenerate, printer: &Printer) -> Result<Exit, Trouble> {
    let quiet = Meter::new(printer.is_json(), 0);
    let calls = Calls::new(client, &quiet);
    let display = Display::bar(printer.is_json());
    let (began, mut sum) = (Instant::now(), Sum::default());
    let files = if args.ids.is_empty() { found(&calls, args)? } else { args.ids.clone() };
    let all = files.len() as u64;
    for id in &files {
        match one(&calls, id, args) {
            Ok(true) => sum.changed += 1,
            Ok(false) => sum.unchanged += 1,
            Err(trouble) if trouble.is_about_all_files() => {
                display.end();
                return Err(trouble);
            }
            Err(trouble) => {
                display.suspended(|| printer.problem_of(id.to_string().as_ref(), &trouble));
                sum.failed.push(json!({ "id": id, "problem": trouble }));
            }
        }
        let done = sum.done();
        display.show(Some((done, all)), || {
            let seconds = began.elapsed().as_secs_f64();
            let left = left(done, all, seconds).map(|left| format!(", {left} left"));
            format!("{done} of {all} files, {} failed{}", sum.failed.len(), left.unwrap_or_default())
        });
    }
    display.end();
    let Sum { changed, unchanged, failed } = &sum;
    let words = || {
        let files = if all == 1 { "file" } else { "files" };
        let failed = if failed.is_empty() { String::new() } else { format!(", {} failed", failed.len()) };
        format!("{all} {files}: {changed} with new renditions, {unchanged} as before{failed}")
    };
    printer.say(words, &json!({ "changed": changed, "unchanged": unchanged, "failed": failed }))?;
    Ok(if failed.is_empty() { Exit::Done } else { Exit::Failed })
}

/// Returns the files that the options describe.
fn found(calls: &Calls<'_>, args: &Regenerate) -> Result<Vec<FileId>, Trouble> {
    let query = query(&args.which);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = calls.call(|client| client.files(&query, after.as_deref(), MAX_PAGE))?;
        for file in &page.files {
            let Record { id, .. } =
                Record::deserialize(file).map_err(|error| Trouble::new(TroubleKind::NotCredLink, error))?;
            found.push(id);
        }
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// Makes the renditions of a file. Returns `true` if its record changed.
fn one(calls: &Calls<'_>, id: &FileId, args: &Regenerate) -> Result<bool, Trouble> {
    let before: Record = calls.call(|client| client.file(id))?.read()?;
    let after: Record =
        calls.call(|client| client.render(id, args.only_missing, args.profile.as_ref()))?.read()?;
    Ok(after.revision != before.revision)
}
