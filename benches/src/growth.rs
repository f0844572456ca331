//! The cost of a store that has grown: memory, size, and the time of a read and a write.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use clap::ValueEnum as _;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::error::Error;
use crate::grown::{Filled, Round, Subject};
use crate::plan::Plan;
use crate::report::{Cell, Table, progress};
use crate::spread::Spread;

/// Number of proofs in a small store.
const SMALL: u64 = 10_000;
/// A megabyte in the decimal sense, as of memory and disks.
const MEGABYTE: f64 = 1e6;

/// A filled store in its own process.
struct Grown {
    proofs: u64,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _folder: TempDir,
    filled: Filled,
    rounds: Vec<Round>,
}

/// Measures the index and the folder, small and large.
///
/// # Errors
/// Fails if one of the processes does.
pub fn run(plan: &Plan) -> Result<(), Error> {
    let mut table = Table::new(
        "Cost as the store grows (`growth`)",
        "The adapters alone, each store in a process of its own. Reads are of random proofs, one after the other; writes \
         are durable, 16 at once. In the index every other proof has a C2PA manifest, and with it a second row. Memory \
         is the process's `VmRSS` after the last round; the index may use 64 MB of it for pages.",
        &["store", "proofs", "read, µs", "writes/s", "memory, MB", "files, MB", "filled in, s"],
    );
    let mut transfers = Table::new(
        "Pages transferred as the store grows (`growth`)",
        "What system calls transferred between process and files, per read and per write, in pages of 4 KiB.",
        &["store", "proofs", "fetched for a read", "fetched for a write", "written for a write"],
    );
    let mut ratios = Table::new(
        "The large store over the small one (`growth`)",
        "Of each round. 1 means that the cost is flat.",
        &["store", "growth", "time of a read", "time of a write"],
    );
    for (subject, large) in [(Subject::Index, plan.proofs), (Subject::Folder, plan.objects)] {
        let name = match subject {
            Subject::Index => "index",
            Subject::Folder => "folder",
        };
        progress(&format!("growth: filling the {name}"));
        let mut stores = [Grown::start(plan, subject, SMALL)?, Grown::start(plan, subject, large)?];
        // One round more than is counted, since the first only warms up.
        for round in 0..=plan.rounds {
            for store in &mut stores {
                store.round(round > 0)?;
            }
        }
        for store in &stores {
            table.row(store.row(name));
            transfers.row(store.transfers(name));
        }
        let [small, large] = &stores;
        let pairs = || large.rounds.iter().zip(&small.rounds);
        ratios.row([
            name.into(),
            Cell::from(large.proofs as f64 / small.proofs as f64),
            Spread::of(pairs().map(|(large, small)| large.read_us / small.read_us)).into(),
            Spread::of(pairs().map(|(large, small)| small.writes / large.writes)).into(),
        ]);
    }
    plan.printer.table(&table);
    plan.printer.table(&transfers);
    plan.printer.table(&ratios);
    Ok(())
}

impl Grown {
    fn start(plan: &Plan, subject: Subject, proofs: u64) -> Result<Self, Error> {
        let folder = tempfile::tempdir_in(&plan.folder).map_err(Error::io("making a folder"))?;
        let program = std::env::current_exe().map_err(Error::io("finding this program"))?;
        let name = subject.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let mut command = Command::new(program);
        command.args(["grown", &name, &proofs.to_string()]).arg(folder.path());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::io("starting a process"))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| Error::wrong("a process", "it has no pipes"))?;
        let mut output = BufReader::new(output);
        let filled = read(&mut output)?;
        Ok(Self { proofs, child, input, output, _folder: folder, filled, rounds: Vec::new() })
    }

    fn round(&mut self, counted: bool) -> Result<(), Error> {
        writeln!(self.input, "round").map_err(Error::io("asking for a round"))?;
        let round = read(&mut self.output)?;
        if counted {
            self.rounds.push(round);
        }
        Ok(())
    }

    fn row(&self, name: &str) -> [Cell; 7] {
        let of = |value: fn(&Round) -> f64| Spread::of(self.rounds.iter().map(value));
        let last = |value: fn(&Round) -> f64| self.rounds.last().map_or(0.0, value) / MEGABYTE;
        [
            name.into(),
            Cell::Count(self.proofs),
            of(|round| round.read_us).into(),
            of(|round| round.writes).into(),
            last(|round| round.memory).into(),
            last(|round| round.size).into(),
            self.filled.seconds.into(),
        ]
    }

    fn transfers(&self, name: &str) -> [Cell; 5] {
        let of = |value: fn(&Round) -> f64| Spread::of(self.rounds.iter().map(value));
        [
            name.into(),
            Cell::Count(self.proofs),
            of(|round| round.read_pages).into(),
            of(|round| round.fetched_pages).into(),
            of(|round| round.written_pages).into(),
        ]
    }
}

impl Drop for Grown {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read<T: DeserializeOwned>(output: &mut BufReader<ChildStdout>) -> Result<T, Error> {
    let mut line = String::new();
    output.read_line(&mut line).map_err(Error::io("reading a result"))?;
    serde_json::from_str(&line)
        .map_err(|error| Error::wrong("a process", format!("{error}: `{}`", line.trim())))
}
