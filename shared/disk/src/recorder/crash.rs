//! The states in which a POSIX file system may be after a power cut.
//!
//! After a sync of a file, its content is on the disk, and after a sync of a folder, so are the names in it. Of anything
//! else, nothing is promised (Pillai et al., *All File Systems Are Not Created Equal*, OSDI 2014):
//!
//! * a sync that fails may have written some of it; a later one that succeeds writes only what was written since;
//! * each block of a file has the content of any moment since the file's last sync, whatever other blocks have;
//! * the file's length is that of any such moment; what was never written reads as zeros, or as what the disk held;
//! * each name leads where it led at any moment since its folder's last sync, whatever other names do. A rename may
//!   therefore have happened at its new name only, at its old name only, or before the content was written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{FileNumber, Operation, Position};

/// The length of the blocks that a disk writes as a whole, in bytes.
const BLOCK: usize = 512;

/// The choice of what a disk has of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// Everything is lost.
    Lost,
    /// Everything is there.
    Kept,
    /// Names are there, and the content of files is not.
    NamesOnly,
    /// The content of files is there, and names are not.
    ContentOnly,
    /// Each block, length and name is of a moment that is chosen at random.
    Random(u64),
}

/// A pseudo-random number generator (splitmix64, Steele et al. 2014).
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// Returns a number below `sides`.
    pub const fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }
}

/// Chooses moments. The moments of one thing are numbered from its last sync (0) to the cut.
struct Chooser {
    unsynced: Unsynced,
    dice: Dice,
}

impl Chooser {
    fn content(&mut self, moments: usize) -> usize {
        self.choose(moments, matches!(self.unsynced, Unsynced::Kept | Unsynced::ContentOnly))
    }

    fn name(&mut self, moments: usize) -> usize {
        self.choose(moments, matches!(self.unsynced, Unsynced::Kept | Unsynced::NamesOnly))
    }

    const fn choose(&mut self, moments: usize, last: bool) -> usize {
        match self.unsynced {
            Unsynced::Random(_) => self.dice.roll(moments),
            _ if last => moments - 1,
            _ => 0,
        }
    }
}

/// The target of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    File(FileNumber),
    Folder,
}

/// The targets of each name, each with the position from which on the name led to it.
type Moments<'a> = BTreeMap<&'a Path, Vec<(Position, Option<Target>)>>;

/// Makes the folder `at` hold what a disk may hold if the power is cut after the first `cut` of `operations`.
///
/// # Errors
/// Returns an error if the file system refuses.
pub fn build(operations: &[Operation], cut: Position, unsynced: Unsynced, at: &Path) -> io::Result<()> {
    let operations = &operations[..cut];
    let dice = Dice(if let Unsynced::Random(seed) = unsynced { seed } else { 0 });
    let mut chooser = Chooser { unsynced, dice };
    let names = names(operations, &mut chooser);
    let is_there = |path: &Path| path.as_os_str().is_empty() || names.get(path) == Some(&Target::Folder);
    // A folder sorts before what it contains.
    for (path, target) in &names {
        if !path.parent().is_some_and(|parent| parent.ancestors().all(is_there)) {
            continue;
        }
        match target {
            Target::Folder => fs::create_dir(at.join(path))?,
            Target::File(number) => fs::write(at.join(path), content(operations, *number, &mut chooser))?,
        }
    }
    Ok(())
}

fn names(operations: &[Operation], chooser: &mut Chooser) -> BTreeMap<PathBuf, Target> {
    let mut moments: Moments<'_> = BTreeMap::new();
    let mut synced: BTreeMap<&Path, Position> = BTreeMap::new();
    let mut all_synced = 0;
    for (position, operation) in operations.iter().enumerate() {
        let led = |moments: &Moments<'_>, path: &Path| moments.get(path)?.last()?.1;
        let mut set = |path, target| moments.entry(path).or_default().push((position, target));
        match operation {
            Operation::Create(path, number) => set(path.as_path(), Some(Target::File(*number))),
            Operation::MakeFolder(path) => set(path.as_path(), Some(Target::Folder)),
            Operation::Remove(path) => set(path.as_path(), None),
            Operation::Rename(from, to) | Operation::Link(from, to) => {
                let target = led(&moments, from);
                moments.entry(to.as_path()).or_default().push((position, target));
                if matches!(operation, Operation::Rename(..)) {
                    moments.entry(from.as_path()).or_default().push((position, None));
                }
            }
            Operation::SyncFolder(folder, until) => {
                let synced = synced.entry(folder.as_path()).or_default();
                *synced = (*synced).max(*until);
            }
            Operation::SyncEverything(until) => all_synced = all_synced.max(*until),
            _ => {}
        }
    }
    let mut names = BTreeMap::new();
    for (path, moments) in moments {
        let folder = path.parent().unwrap_or(Path::new(""));
        let until = synced.get(folder).copied().unwrap_or_default().max(all_synced);
        let durable = moments.iter().filter(|(position, _)| *position < until).count();
        let chosen = durable + chooser.name(moments.len() - durable + 1);
        if let Some(target) = chosen.checked_sub(1).and_then(|last| moments[last].1) {
            names.insert(path.to_owned(), target);
        }
    }
    names
}

/// Returns, for each write at a position, whether a sync has covered it: one that began later, before which none has
/// failed since the write.
fn is_synced(operations: &[Operation], number: FileNumber, position: Position) -> bool {
    operations[position..]
        .iter()
        .take_while(|operation| !matches!(operation, Operation::FailedSync(failed) if *failed == number))
        .any(|operation| match operation {
            Operation::Sync(synced, until) => *synced == number && position < *until,
            Operation::SyncEverything(until) => position < *until,
            _ => false,
        })
}

fn content(operations: &[Operation], number: FileNumber, chooser: &mut Chooser) -> Vec<u8> {
    // The content in memory; and the lengths and each block's contents, from the last that were synced on.
    let mut latest: Vec<u8> = Vec::new();
    let mut lengths = vec![0];
    let mut blocks: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
    let mut known = 0;
    for (position, operation) in operations.iter().enumerate() {
        let touched: BTreeSet<usize> = match operation {
            Operation::Write(written, offset, bytes) if *written == number => {
                let offset = usize::try_from(*offset).unwrap();
                let end = offset + bytes.len();
                if latest.len() < end {
                    latest.resize(end, 0);
                }
                latest[offset..end].copy_from_slice(bytes);
                (offset / BLOCK..end.div_ceil(BLOCK)).collect()
            }
            Operation::Resize(resized, length) if *resized == number => {
                let length = usize::try_from(*length).unwrap();
                let first = length.min(latest.len()) / BLOCK;
                latest.resize(length, 0);
                (first..length.div_ceil(BLOCK)).collect()
            }
            _ => continue,
        };
        let is_synced = is_synced(operations, number, position);
        if is_synced {
            lengths.clear();
            known = latest.len();
        }
        lengths.push(latest.len());
        for block in touched {
            let (start, end) = (block * BLOCK, ((block + 1) * BLOCK).min(latest.len()));
            let moments = blocks.entry(block).or_insert_with(|| vec![Vec::new()]);
            if is_synced {
                moments.clear();
            }
            moments.push(latest.get(start..end).unwrap_or_default().to_vec());
        }
    }
    let mut content = vec![0; lengths[chooser.content(lengths.len())]];
    let is_garbage = matches!(chooser.unsynced, Unsynced::Random(_)) && chooser.dice.roll(2) == 0;
    for (block, moments) in blocks {
        let start = block * BLOCK;
        let moment = &moments[chooser.content(moments.len())];
        let end = (start + BLOCK).min(content.len());
        let Some(place) = content.get_mut(start..end) else { continue };
        let shared = moment.len().min(place.len());
        place[..shared].copy_from_slice(&moment[..shared]);
        // A block that was never written shows what the disk held before.
        if is_garbage && moment.is_empty() && start >= known {
            place.iter_mut().for_each(|byte| *byte = chooser.dice.roll(256) as u8);
        }
    }
    content
}
