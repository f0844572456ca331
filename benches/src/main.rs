//! The program `credlink-benches`, which runs one benchmark by name, or all of them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use credlink_benches::error::Error;
use credlink_benches::grown::{self, Subject};
use credlink_benches::plan::Plan;
use credlink_benches::report::{Printer, progress};
use credlink_benches::{
    answerer, cache, ceiling, cleanup, clouded, clouds, edge, functions, growth, lambda, latency, line,
    machine, migrate, reads, rebuild, slow, stores, uploads,
};

/// CredLink's benchmarks. Tables go to standard output, progress to standard error.
#[derive(Debug, Parser)]
struct Arguments {
    /// The benchmark to run.
    #[command(subcommand)]
    command: Command,
    /// Print JSON, one table per line, instead of Markdown.
    #[arg(long, global = true)]
    json: bool,
    /// The binary of `credlink`, built with the profile `dist`. The default is the one beside this program.
    #[arg(long, global = true)]
    server: Option<PathBuf>,
    /// The folder for data, on the disk to be measured. The default is the system's temporary folder.
    #[arg(long, global = true)]
    folder: Option<PathBuf>,
    /// The folder into which `tests/run tools` installs. The default is `tools` in `$CREDLINK_CACHE` or
    /// `~/.cache/credlink`.
    #[arg(long, global = true)]
    tools: Option<PathBuf>,
    /// Number of counted rounds.
    #[arg(long, global = true, default_value_t = 3)]
    rounds: usize,
    /// Approximate duration of one measurement in one round, in seconds.
    #[arg(long, global = true, default_value_t = 1.0)]
    seconds: f64,
    /// Number of proofs in the large index.
    #[arg(long, global = true, default_value_t = 1_000_000)]
    proofs: u64,
    /// Number of objects in the large folder.
    #[arg(long, global = true, default_value_t = 100_000)]
    objects: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All benchmarks that need only the server's binary, which excludes `rebuild`, `lambda`, `clouds`, `edge`,
    /// `migrate`, `uploads` and `cleanup`.
    All,
    /// Pure functions of the core.
    Functions,
    /// The time of a hit in L1, and the hit rate beside the best possible.
    Cache,
    /// Durable stores per second at 1, 16 and 256 connections, beside the bare disk.
    Stores,
    /// Hot and cold reads per second at 1, 16, 64 and 256 connections, beside a server that only answers.
    Reads,
    /// Latency of stores and reads at 100 and at 1,000 connections.
    Latency,
    /// The latency of other clients beside clients that read no answer, or send half of a body.
    Slow,
    /// Memory, size and cost of index and folder as they grow.
    Growth,
    /// The rebuild of an index from a folder of proofs: rate and memory.
    Rebuild,
    /// Cold starts of the functions, beside a function that does nothing.
    Lambda {
        /// The folder of the functions' binaries, and of `examples/hello`. The default is `lambda` in the target
        /// folder.
        #[arg(long)]
        functions: Option<PathBuf>,
    },
    /// The service beside the bare SDK, and 1,000 concurrent reads.
    Clouds,
    /// The edge in Rust beside the same Worker in JavaScript, on workerd.
    Edge {
        /// The folder `workers`, in which `worker-build` has built.
        #[arg(long, default_value = "workers")]
        worker: PathBuf,
        /// Run only the cases whose name contains this text. If it is empty, measure starts too.
        #[arg(long, default_value = "")]
        only: String,
    },
    /// A migration from a folder to S3 beside `rclone` and `s5cmd`, and its verification beside `rclone check`.
    Migrate {
        /// The program `rclone`.
        #[arg(long, default_value = "rclone")]
        rclone: PathBuf,
        /// The program `s5cmd`.
        #[arg(long, default_value = "s5cmd")]
        s5cmd: PathBuf,
        /// Number of records to copy.
        #[arg(long, default_value_t = 10_000)]
        records: usize,
        /// Number of records for a second measurement of memory.
        #[arg(long, default_value_t = 100_000)]
        large: usize,
        /// Run only the engines whose name contains this text, or `memory`.
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Uploads into a bucket beside `aws s3 cp` and `rclone copy`, and the time from the bytes of a photo to its file.
    Uploads {
        /// The program `aws`.
        #[arg(long, default_value = "aws")]
        aws: PathBuf,
        /// The program `rclone`.
        #[arg(long, default_value = "rclone")]
        rclone: PathBuf,
        /// A photo (JPEG), such as `credlink-images-bench photo` writes.
        #[arg(long)]
        photo: PathBuf,
        /// Number of files to upload.
        #[arg(long, default_value_t = 200)]
        files: usize,
    },
    /// Cleanup where every call takes as long as in a cloud.
    Cleanup {
        /// Number of proofs that are due, and over which the walk goes.
        #[arg(long, default_value_t = 5_000)]
        items: usize,
    },
    /// The stand-in for R2 and the Cache API (started by `edge`).
    #[command(hide = true)]
    Backing,
    /// The stand-in for S3 and DynamoDB that only answers (started by `lambda` and `clouds`).
    #[command(hide = true)]
    Answerer,
    /// The API of a deployment over S3 and DynamoDB (started by `uploads`).
    #[command(hide = true)]
    UploadsApi,
    /// A line to a remote engine (started by `migrate`).
    #[command(hide = true)]
    Line {
        /// The address to which it forwards.
        to: SocketAddr,
    },
    /// A deployment over S3 and DynamoDB (started by `clouds`).
    #[command(hide = true)]
    Clouded {
        /// The subject of the measurement.
        subject: clouded::Subject,
        /// Create the table.
        #[arg(long)]
        with_table: bool,
    },
    /// The server that only answers (started by `reads`).
    #[command(hide = true)]
    Ceiling {
        /// The lengths of its bodies.
        lengths: Vec<usize>,
    },
    /// A store of some size (started by `growth`).
    #[command(hide = true)]
    Grown {
        /// The part that grows.
        subject: Subject,
        /// Number of proofs.
        proofs: u64,
        /// The folder for its data.
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let plan = Plan {
        server: arguments.server.unwrap_or_else(|| {
            let beside = std::env::current_exe().unwrap_or_default();
            beside.with_file_name(format!("credlink{}", std::env::consts::EXE_SUFFIX))
        }),
        tools: arguments.tools.unwrap_or_else(tools),
        folder: arguments.folder.unwrap_or_else(std::env::temp_dir),
        rounds: arguments.rounds.max(1),
        seconds: arguments.seconds,
        proofs: arguments.proofs,
        objects: arguments.objects,
        printer: Printer::new(arguments.json),
    };
    let measured = match arguments.command {
        Command::All => all(&plan),
        Command::Functions => functions::run(&plan),
        Command::Cache => cache::run(&plan),
        Command::Stores => stores::run(&plan),
        Command::Reads => reads::run(&plan),
        Command::Latency => latency::run(&plan),
        Command::Slow => slow::run(&plan),
        Command::Growth => growth::run(&plan),
        Command::Rebuild => rebuild::run(&plan),
        Command::Lambda { functions } => lambda::run(&plan, &functions.unwrap_or_else(built_functions)),
        Command::Clouds => clouds::run(&plan),
        Command::Edge { worker, only } => edge::run(&plan, &worker, &only),
        Command::Migrate { rclone, s5cmd, records, large, only } => {
            migrate::run(&plan, &migrate::Tools { rclone, s5cmd }, records, large, &only)
        }
        Command::Uploads { aws, rclone, photo, files } => {
            uploads::run(&plan, &uploads::Tools { aws, rclone }, &photo, files)
        }
        Command::UploadsApi => uploads::serve(),
        Command::Cleanup { items } => cleanup::run(&plan, items),
        Command::Backing => edge::backing::serve(),
        Command::Answerer => answerer::serve(),
        Command::Line { to } => line::serve(to),
        Command::Clouded { subject, with_table } => clouded::run(subject, plan.rounds, with_table),
        Command::Ceiling { lengths } => ceiling::serve(&lengths),
        Command::Grown { subject, proofs, folder } => grown::run(subject, proofs, &folder),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("credlink-benches: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The folder into which `tests/run tools` installs.
fn tools() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/credlink");
    std::env::var_os("CREDLINK_CACHE").map_or_else(home, PathBuf::from).join("tools")
}

/// The folder into which `cargo build --profile lambda` puts the functions, beside the folder of this program.
fn built_functions() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(2).unwrap_or(&program).join("lambda")
}

fn all(plan: &Plan) -> Result<(), Error> {
    machine::run(plan);
    functions::run(plan)?;
    cache::run(plan)?;
    stores::run(plan)?;
    reads::run(plan)?;
    latency::run(plan)?;
    slow::run(plan)?;
    growth::run(plan)
}
