//! Programs that do the same work, each at the number of things at once that suits it best.

use std::fmt::Debug;

use crate::error::Error;
use crate::process::Ran;
use crate::report::{Table, progress};
use crate::spread::Spread;

/// A program at its best, and what it used in each round.
#[derive(Debug)]
pub struct AtItsBest<W> {
    /// The program.
    pub who: W,
    /// The number of things at once at which it was fastest.
    pub at_once: usize,
    /// Its rounds.
    pub rounds: Vec<Ran>,
}

/// Tries each program at several numbers of things at once, and then runs all of them in turn, each at the number at which it was
/// fastest. `run` runs a program at a number.
///
/// # Errors
/// Fails as `run` does.
pub fn measure<W: Copy + Debug>(
    what: &str,
    programs: &[W],
    tried: &[usize],
    rounds: usize,
    run: impl Fn(W, usize) -> Result<Ran, Error>,
) -> Result<Vec<AtItsBest<W>>, Error> {
    let mut all = Vec::new();
    for who in programs {
        let mut found = Vec::new();
        for at_once in tried {
            progress(&format!("{what}: {who:?}, {at_once} at once"));
            found.push((run(*who, *at_once)?.seconds, *at_once));
        }
        found.sort_by(|one, two| one.0.total_cmp(&two.0));
        let best = found.first().map(|(_, at_once)| *at_once);
        all.extend(best.map(|at_once| AtItsBest { who: *who, at_once, rounds: Vec::new() }));
    }
    for round in 1..=rounds {
        progress(&format!("{what}: round {round}"));
        for one in &mut all {
            one.rounds.push(run(one.who, one.at_once)?);
        }
    }
    Ok(all)
}

/// Adds a row for each program to a table: its name, the number at once, the rate at which it did `amount`, the ratio of the first
/// program's rate to this one in the same round, processor time and memory.
pub fn add_rows<W: Copy>(
    table: &mut Table,
    measured: &[AtItsBest<W>],
    name: impl Fn(W) -> &'static str,
    amount: f64,
) {
    let first = measured.first().map(|first| first.rounds.as_slice()).unwrap_or_default();
    for AtItsBest { who, at_once, rounds } in measured {
        let ratios = rounds.iter().zip(first).map(|(this, first)| this.seconds / first.seconds);
        table.row([
            name(*who).into(),
            (*at_once).into(),
            Spread::of(rounds.iter().map(|ran| amount / ran.seconds)).into(),
            Spread::of(ratios).into(),
            Spread::of(rounds.iter().map(|ran| ran.cpu)).into(),
            Spread::of(rounds.iter().map(|ran| ran.memory)).into(),
        ]);
    }
}
