//! The process that reads one media file and prints its findings.

use std::io::{self, Read as _};

use credlink_core::bounds::MAX_C2PA_MANIFEST_BYTES;
use credlink_isolation::limit;
use credlink_verify::reader;

use crate::args::ReadMedia;
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// Reads the file within its memory limit, and prints a [`Report`](credlink_verify::report::Report).
pub fn read(args: &ReadMedia, printer: &Printer) -> Result<Exit, Trouble> {
    limit(args.memory).map_err(|error| Trouble::new(TroubleKind::Server, error))?;
    let failed = |error: io::Error| Trouble::file(&args.file, "read", &error);
    let mut manifest = Vec::new();
    if args.validate {
        let limit = MAX_C2PA_MANIFEST_BYTES as u64 + 1;
        io::stdin().take(limit).read_to_end(&mut manifest).map_err(failed)?;
    }
    let manifest = args.validate.then_some(manifest.as_slice());
    let report = reader::read(&args.file, &args.format, manifest).map_err(failed)?;
    printer.say(String::new, &report)?;
    Ok(Exit::Done)
}
