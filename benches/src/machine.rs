//! The machine on which the figures were measured.

use std::fs;
use std::path::Path;

use crate::plan::Plan;
use crate::report::Table;

/// Prints a description of the machine, as far as Linux provides one.
pub fn run(plan: &Plan) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let line = |text: &str, name: &str| {
        let found = text
            .lines()
            .find_map(|line| Some(line.strip_prefix(name)?.trim_start_matches([' ', '\t', ':']).to_owned()));
        found.unwrap_or_else(|| "not known".to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut table = Table::new(
        "The machine",
        "Server and client share it. The load is the mean number of waiting threads of the minute before.",
        &["what", "is"],
    );
    for (name, value) in [
        ("processor", line(&read("/proc/cpuinfo"), "model name")),
        ("cores", cores.to_string()),
        ("memory", line(&read("/proc/meminfo"), "MemTotal")),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("file system", file_system(&plan.folder).unwrap_or_else(|| "not known".to_owned())),
        ("load before", read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned()),
        ("rounds", plan.rounds.to_string()),
    ] {
        table.row([name.into(), value.into()]);
    }
    plan.printer.table(&table);
}

/// The type of a folder's file system, which is that of the longest matching mount point.
fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let above = mounts.filter(|(mount, _)| folder.starts_with(mount));
    above.max_by_key(|(mount, _)| mount.len()).map(|(_, kind)| kind.to_owned())
}
