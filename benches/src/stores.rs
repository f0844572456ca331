//! Proofs stored per second, each durable before it is acknowledged.

use std::ops::Range;

use tempfile::TempDir;

use crate::disk::Disk;
use crate::error::Error;
use crate::load::{self, Outcome};
use crate::material::{MaterialKind, noise};
use crate::plan::Plan;
use crate::report::{Cell, Table, progress};
use crate::server::Server;
use crate::spread::Spread;
use crate::work::Stores;

/// Numbers of connections, each with its own measurement.
const CONNECTIONS: [usize; 3] = [1, 16, 256];
/// Number of stores before the first round, so that the folder has nearly all of its 1,024 directories.
const WARM_UP: usize = 4_000;

/// A source of numbers for proofs that have not been stored yet.
#[derive(Debug, Default)]
pub struct Numbers(u64);

impl Numbers {
    /// Returns the next `count` numbers.
    pub fn take(&mut self, count: usize) -> Range<u64> {
        let first = self.0;
        self.0 += count as u64;
        first..self.0
    }

    /// Stores this many new proofs.
    ///
    /// # Errors
    /// Fails if one of them is not stored.
    pub fn store(
        &mut self,
        server: &Server,
        kind: MaterialKind,
        connections: usize,
        count: usize,
    ) -> Result<Outcome, Error> {
        let first = self.take(count).start;
        load::run(server.address, connections, count, &Stores::new(kind, first, count))
    }
}

/// Measures both kinds.
///
/// # Errors
/// Fails if a store does.
pub fn run(plan: &Plan) -> Result<(), Error> {
    let mut table = Table::new(
        "Durable stores (`stores`)",
        "`POST /v1/proofs` of new proofs, beside threads that do nothing but write, sync, rename and sync the directory \
         of files as long as the manifest. The ratio is stores over files.",
        &["manifest", "connections", "stores/s", "p50, ms", "p99, ms", "bare files/s", "ratio"],
    );
    // Without a journal, ext4 takes long to make files while many were deleted within the last 35 seconds.
    let mut folders = Vec::new();
    for kind in [MaterialKind::Json, MaterialKind::C2pa] {
        progress(&format!("stores: {}", kind.name()));
        folders.push(measure(plan, kind, &mut table)?);
    }
    plan.printer.table(&table);
    Ok(())
}

/// Measures one kind. Returns the folders that the measurement has filled.
fn measure(plan: &Plan, kind: MaterialKind, table: &mut Table) -> Result<(TempDir, Disk), Error> {
    let data = tempfile::tempdir_in(&plan.folder).map_err(Error::io("making a folder"))?;
    let server = Server::credlink(&plan.server, data.path())?;
    let (disk, file) = (Disk::new(&plan.folder)?, noise(0, kind.bytes()));
    let mut numbers = Numbers::default();
    numbers.store(&server, kind, 64, WARM_UP)?;
    let mut counts = Vec::new();
    for connections in CONNECTIONS {
        let rate = numbers.store(&server, kind, connections, plan.operations(0.0, connections))?.per_second;
        let bare = disk.run(connections, plan.operations(0.0, connections), &file)?;
        counts.push((connections, plan.operations(rate, connections), plan.operations(bare, connections)));
    }
    let mut rounds = vec![Vec::new(); counts.len()];
    for _ in 0..plan.rounds {
        for ((connections, stores, files), round) in counts.iter().zip(&mut rounds) {
            let bare = disk.run(*connections, *files, &file)?;
            round.push((numbers.store(&server, kind, *connections, *stores)?, bare));
        }
    }
    for ((connections, ..), round) in counts.iter().zip(&rounds) {
        let of = |value: fn(&(Outcome, f64)) -> f64| Spread::of(round.iter().map(value));
        table.row([
            kind.name().into(),
            Cell::from(*connections),
            of(|(stores, _)| stores.per_second).into(),
            of(|(stores, _)| stores.p50).into(),
            of(|(stores, _)| stores.p99).into(),
            of(|(_, bare)| *bare).into(),
            of(|(stores, bare)| stores.per_second / bare).into(),
        ]);
    }
    server.stop()?;
    Ok((data, disk))
}
