//! The cost of the service beyond that of the calls that it makes, and 1,000 concurrent reads, over S3 and DynamoDB.

use std::process::{Command, Stdio};

use clap::ValueEnum as _;
use serde::de::DeserializeOwned;

use crate::answerer::GETS;
use crate::client::{get, once};
use crate::clouded::{Calls, Crowd, Crowds, Pair, Subject};
use crate::engines::{Choice, Engines};
use crate::error::Error;
use crate::plan::Plan;
use crate::report::{Cell, Table, progress};
use crate::spread::Spread;

const MEGABYTE: f64 = 1e6;

/// Measures both, over real engines and over the ceiling.
///
/// # Errors
/// Fails if an engine does not start, or a call fails.
pub fn run(plan: &Plan) -> Result<(), Error> {
    let mut calls = Table::new(
        "The service above the SDK (`clouds`)",
        "One call after the other, in turn: by the SDK alone, and by a deployment's service. A read is a `GetObject`, and \
         never a hit; a store is `GetItem`, `UpdateItem`, `PutObject`, `UpdateItem`. Medians of a round; overhead and \
         difference are of each round.",
        &["what", "engines", "SDK, µs", "service, µs", "overhead, %", "difference, µs"],
    );
    let mut crowds = Table::new(
        "1,000 reads at once (`clouds`)",
        "All are begun before the first is answered, by one deployment on two threads. Loads are reads that went on to the \
         provider. Memory is the most that the process had so far (`VmHWM`).",
        &["what", "engine", "all, ms", "p50, ms", "p99, ms", "errors", "loads", "memory, MB"],
    );
    for choice in [Choice::Real, Choice::Answerer] {
        let name = choice.name();
        progress(&format!("clouds: calls, over {name}"));
        let measured: Calls = measure(plan, choice, Subject::Calls)?.0;
        for (what, rounds) in [
            ("read, gzip accepted", &measured.reads),
            ("read", &measured.unpacked),
            ("store", &measured.stores),
        ] {
            let of = |value: fn(&Pair) -> f64| Cell::from(Spread::of(rounds.iter().map(value)));
            calls.row([
                what.into(),
                name.into(),
                of(|pair| pair.bare),
                of(|pair| pair.service),
                of(|pair| 100.0 * (pair.service / pair.bare - 1.0)),
                of(|pair| pair.service - pair.bare),
            ]);
        }
        progress(&format!("clouds: 1,000 reads at once, over {name}"));
        let mut rounds: Vec<Crowds> = Vec::new();
        for _ in 0..plan.rounds {
            let (round, gets): (Crowds, _) = measure(plan, choice, Subject::Crowd)?;
            // One read warms the client up. If no call was retried, the engine's own count confirms that of the cache.
            let crowds = [round.cold, round.hot, round.same];
            let loads = 1 + crowds.iter().map(|crowd| crowd.loads).sum::<u64>();
            let is_clean = crowds.iter().all(|crowd| crowd.errors == 0);
            if let Some(gets) = gets.filter(|gets| is_clean && *gets < loads) {
                let why = format!("the cache says {loads}, the engine {gets}");
                return Err(Error::wrong("reads that reached the provider", why));
            }
            rounds.push(round);
        }
        for (what, crowd) in [
            ("1,000 proofs, cold", (|round| &round.cold) as fn(&Crowds) -> &Crowd),
            ("the same again", |round| &round.hot),
            ("one proof, cold", |round| &round.same),
        ] {
            let of = |value: fn(&Crowd) -> f64| {
                Cell::from(Spread::of(rounds.iter().map(|round| value(crowd(round)))))
            };
            crowds.row([
                what.into(),
                name.into(),
                of(|crowd| crowd.total),
                of(|crowd| crowd.p50),
                of(|crowd| crowd.p99),
                of(|crowd| crowd.errors as f64),
                of(|crowd| crowd.loads as f64),
                of(|crowd| crowd.memory / MEGABYTE),
            ]);
        }
        let before = Spread::of(rounds.iter().map(|round| round.before / MEGABYTE));
        crowds.row(["before".into(), name.into()].into_iter().chain([
            Cell::None,
            Cell::None,
            Cell::None,
            Cell::None,
            Cell::None,
            before.into(),
        ]));
    }
    plan.printer.table(&calls);
    plan.printer.table(&crowds);
    Ok(())
}

/// Measures in a separate process, with its own engines. Also returns the number of objects requested, if the engine is
/// the answerer.
fn measure<T: DeserializeOwned>(
    plan: &Plan,
    choice: Choice,
    subject: Subject,
) -> Result<(T, Option<u64>), Error> {
    let engines = Engines::start(choice, &plan.tools)?;
    let program = std::env::current_exe().map_err(Error::io("finding this program"))?;
    let name = subject.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut command = Command::new(program);
    command.args(["clouded", &name, "--rounds", &plan.rounds.to_string()]);
    if choice == Choice::Real {
        command.arg("--with-table");
    }
    command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN").envs(engines.variables());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let output = command.output().map_err(Error::io("starting a process"))?;
    if !output.status.success() {
        return Err(Error::wrong("a process", output.status));
    }
    let measured =
        serde_json::from_slice(&output.stdout).map_err(|error| Error::wrong("a process", error))?;
    let gets = match choice {
        Choice::Real => None,
        Choice::Answerer => String::from_utf8_lossy(&once(engines.s3, get(GETS)?)?.body).parse().ok(),
    };
    Ok((measured, gets))
}
