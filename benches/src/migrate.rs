//! A migration beside copying tools that operators know: `rclone` and `s5cmd`.
//!
//! Each measurement uses an empty engine of its own: ministack; the ceiling of clients, which answers at once, so that
//! the time is that of the clients themselves; and the ceiling at the other end of a line, like a provider. The objects
//! are legacy records of 20 KB each. The tools copy the files as they are; `credlink migrate` reads, checks and
//! compresses them, writes index and ledger, and makes its store durable. All of them are first tried at several
//! concurrencies, and then measured at the best of each.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use credlink_deployment::provider::Provider;
use tempfile::TempDir;

use crate::bare::Bare;
use crate::engines::{BUCKET, Choice, Engines, keys, rclone_command, rclone_copy};
use crate::error::Error;
use crate::line;
use crate::material::legacy_record;
use crate::plan::Plan;
use crate::process::{Ran, measured};
use crate::report::{Cell, Table, progress};
use crate::side_by_side;
use crate::spread::Spread;

/// Length of a legacy record, in bytes.
const RECORD_BYTES: usize = 20_000;
/// The concurrencies at which each tool is tried.
const TRIED: [usize; 4] = [16, 32, 64, 128];

/// The programs with which the migration is compared.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The program `rclone`.
    pub rclone: PathBuf,
    /// The program `s5cmd`.
    pub s5cmd: PathBuf,
}

/// The program that copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Credlink,
    Rclone,
    S5cmd,
}

/// The destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Ministack,
    Ceiling,
    FarAway,
}

impl Place {
    fn name(self) -> String {
        match self {
            Self::Ministack => "ministack".to_owned(),
            Self::Ceiling => Choice::Answerer.name().to_owned(),
            Self::FarAway => format!(
                "{}, over {} Mbit/s and {} ms there and back",
                Choice::Answerer.name(),
                line::BITS / 1_000_000,
                2 * line::DELAY.as_millis()
            ),
        }
    }

    fn start(self, tools: &Path) -> Result<Engines, Error> {
        match self {
            Self::Ministack => Engines::start(Choice::Real, tools),
            Self::Ceiling => Engines::start(Choice::Answerer, tools),
            Self::FarAway => Engines::start(Choice::Answerer, tools)?.far_away(),
        }
    }
}

/// Measures copying and checking.
///
/// # Errors
/// Fails if a tool or an engine is missing or fails, or does not copy everything.
pub fn run(plan: &Plan, tools: &Tools, records: usize, large: usize, only: &str) -> Result<(), Error> {
    let folder = TempDir::new_in(&plan.folder).map_err(Error::io("making a folder"))?;
    let source = write_records(folder.path(), records)?;
    for place in [Place::Ministack, Place::Ceiling, Place::FarAway] {
        if !place.name().contains(only) {
            continue;
        }
        let bench = Bench { plan, tools, place, source: source.clone(), records };
        copies(&bench)?;
        checks(&bench)?;
    }
    if !"memory".contains(only) {
        return Ok(());
    }
    memory(&Bench { plan, tools, place: Place::Ministack, source, records }, folder.path(), large)
}

struct Bench<'a> {
    plan: &'a Plan,
    tools: &'a Tools,
    place: Place,
    source: PathBuf,
    records: usize,
}

/// An engine with the copied objects, and the folder of the job.
struct Copied {
    engines: Engines,
    job: TempDir,
    ran: Ran,
}

fn copies(bench: &Bench<'_>) -> Result<(), Error> {
    let programs = [Who::Credlink, Who::Rclone, Who::S5cmd];
    let copy = |who, at_once| bench.copy(who, at_once).map(|copied| copied.ran);
    let measured = side_by_side::measure("migrate", &programs, &TRIED, bench.plan.rounds, copy)?;
    let mut table = Table::new(
        format!("Copying 20 KB objects from a folder to S3 (`migrate`, {})", bench.place.name()),
        "Each at the best of four concurrencies. The rate is of whole objects, from the process's start to its end; the ratio is \
         of CredLink's rate to this one in the same round. CPU is the process's own, for all objects; memory the most it had.",
        &["who", "concurrency", "objects a second", "CredLink to this", "CPU, s", "memory, MB"],
    );
    side_by_side::add_rows(&mut table, &measured, Who::name, bench.records as f64);
    bench.plan.printer.table(&table);
    Ok(())
}

fn checks(bench: &Bench<'_>) -> Result<(), Error> {
    let ours = bench.copy(Who::Credlink, 64)?;
    let theirs = bench.copy(Who::Rclone, 64)?;
    let (mut head, mut deep, mut rclone) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=bench.plan.rounds {
        progress(&format!("migrate: checks, round {round}"));
        let concurrency = "64".to_owned();
        let shallow = bench.verify(&ours, &[])?;
        let deeply = bench.verify(&ours, &["--deep".to_owned()])?;
        let mut command = rclone_command(&bench.tools.rclone, &theirs.engines);
        command.args(["check", "--download", "--checkers"]).arg(&concurrency);
        command.arg(&bench.source).arg(format!(":s3:{BUCKET}/copy"));
        let checked = measured(&mut command)?;
        // The first round is not counted.
        if round > 0 {
            head.push(shallow);
            deep.push(deeply);
            rclone.push(checked);
        }
    }
    let mut table = Table::new(
        format!("Checking what was copied (`migrate`, {})", bench.place.name()),
        "64 at once. The ratio is of this rate to that of `rclone check --download` in the same round.",
        &["who", "objects a second", "to rclone", "CPU, s", "memory, MB"],
    );
    for (name, ran) in [
        ("credlink migrate verify", &head),
        ("credlink migrate verify --deep", &deep),
        ("rclone check --download", &rclone),
    ] {
        let ratios = ran.iter().zip(&rclone).map(|(this, rclone)| rclone.seconds / this.seconds);
        table.row([
            name.into(),
            Spread::of(ran.iter().map(|ran| bench.records as f64 / ran.seconds)).into(),
            Spread::of(ratios).into(),
            Spread::of(ran.iter().map(|ran| ran.cpu)).into(),
            Spread::of(ran.iter().map(|ran| ran.memory)).into(),
        ]);
    }
    bench.plan.printer.table(&table);
    Ok(())
}

fn memory(bench: &Bench<'_>, folder: &Path, large: usize) -> Result<(), Error> {
    let mut table = Table::new(
        "Memory of a migration as it grows (`migrate`)",
        "The most that the process had (`VmHWM`), in MB, at a concurrency of 64.",
        &["records", "run", "verify"],
    );
    for records in [bench.records, large] {
        progress(&format!("migrate: memory at {records}"));
        let source = if records == bench.records {
            bench.source.clone()
        } else {
            write_records(&folder.join("large"), records)?
        };
        let bench = Bench { source, records, ..*bench };
        let copied = bench.copy(Who::Credlink, 64)?;
        let verified = bench.verify(&copied, &[])?;
        table.row([records.into(), copied.ran.memory.into(), Cell::from(verified.memory)]);
    }
    bench.plan.printer.table(&table);
    Ok(())
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Credlink => "credlink migrate run",
            Self::Rclone => "rclone copy",
            Self::S5cmd => "s5cmd cp",
        }
    }
}

impl Bench<'_> {
    fn copy(&self, who: Who, concurrency: usize) -> Result<Copied, Error> {
        let engines = self.place.start(&self.plan.tools)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::io("starting a runtime"))?;
        let bare = Bare::new(&format!("http://{}", engines.s3), &format!("http://{}", engines.dynamodb));
        runtime.block_on(bare.prepare(false))?;
        let job = TempDir::new_in(&self.plan.folder).map_err(Error::io("making a folder"))?;
        let concurrency = concurrency.to_string();
        let mut command = match who {
            Who::Credlink => {
                let mut command = self.credlink(&engines, job.path());
                command.arg("run").arg("--from").arg(format!("dir:{}", self.source.display()));
                command.arg("--to").arg(format!("s3://{BUCKET}")).args(["--concurrency", &concurrency]);
                command
            }
            Who::Rclone => rclone_copy(&self.tools.rclone, &engines, &concurrency, &self.source, "copy"),
            Who::S5cmd => {
                let mut command = Command::new(&self.tools.s5cmd);
                command.args(["--endpoint-url", &format!("http://{}", engines.s3), "--log", "error"]);
                command.args(["--numworkers", &concurrency, "cp"]).arg(format!("{}/", self.source.display()));
                command.arg(format!("s3://{BUCKET}/copy/"));
                keys(&mut command);
                command
            }
        };
        let ran = measured(&mut command)?;
        let objects = runtime.block_on(count(engines.s3))?;
        if objects != self.records as u64 {
            let why = format!("{objects} objects are there, of {}", self.records);
            return Err(Error::wrong(who.name(), why));
        }
        Ok(Copied { engines, job, ran })
    }

    fn verify(&self, copied: &Copied, more: &[String]) -> Result<Ran, Error> {
        let mut command = self.credlink(&copied.engines, copied.job.path());
        command.args(["verify", "--concurrency", "64"]).args(more);
        measured(&mut command)
    }

    fn credlink(&self, engines: &Engines, job: &Path) -> Command {
        let mut command = Command::new(&self.plan.server);
        command.envs(engines.variables()).env_remove("CREDLINK_TABLE").env_remove("STORAGE_PROVIDER");
        // The engine stores checksums, as S3 does, and a verification compares them.
        command.env("STORAGE_CHECKSUMS", "supported");
        command
            .arg("migrate")
            .arg("--data-dir")
            .arg(job.join("data"))
            .arg("--jobs-dir")
            .arg(job.join("jobs"));
        command
    }
}

/// The number of objects in the bucket.
async fn count(address: SocketAddr) -> Result<u64, Error> {
    let provider = Provider::Bucket(crate::bare::objects(address));
    provider.sum("").await.map(|sum| sum.objects).map_err(|error| Error::wrong("counting objects", error))
}

/// Writes a folder of legacy records, with a thousand in each subfolder.
fn write_records(folder: &Path, records: usize) -> Result<PathBuf, Error> {
    let source = folder.join("legacy");
    for number in 0..records {
        let part = source.join(format!("{:03}", number / 1_000));
        if number % 1_000 == 0 {
            fs::create_dir_all(&part).map_err(Error::io("making a folder"))?;
        }
        let file = part.join(format!("{number:07}.json"));
        fs::write(file, legacy_record(number as u64, RECORD_BYTES)).map_err(Error::io("writing a record"))?;
    }
    Ok(source)
}
