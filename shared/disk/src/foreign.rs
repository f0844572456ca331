//! Folders of foreign files, in which no CredLink store is made.
//!
//! If the two were mixed, they would be mistaken for one another: a migration of the other files would see the CredLink
//! store alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::presence::Unseen;

/// Names that no other program uses: each of them identifies the folder of a CredLink store.
const TELLING: [&str; 4] = ["index.redb", "queue.redb", "deployment.json", "link-key"];
/// Names that another program may use too. Together with the lock, they are what an interrupted first start leaves.
const COMMON: [&str; 5] = ["objects", "temporary", "journal", "reserve", "uploads"];
/// The name of the lock.
const LOCK: &str = "lock";
/// The folders in `objects/` that identify a CredLink store whose other files were lost.
const OBJECTS: [&str; 3] = ["proofs", "manifests", "store"];
/// Files that are first written under another name, without their extensions.
const UNFINISHED: [&str; 4] = ["deployment", "link-key", "index.redb", "queue.redb"];
/// A folder that the file system itself makes.
const OF_THE_FILE_SYSTEM: &str = "lost+found";

/// Returns the folder to name instead: the parent of `folder`, if that is the `objects/` of a CredLink store itself.
fn advice(folder: &Path, file: &str) -> String {
    match folder.parent() {
        Some(parent) if OBJECTS.contains(&file) && folder.ends_with("objects") => {
            format!("name the folder in which `objects/` stands: {}", parent.display())
        }
        _ => "name a folder that is empty or still to be made".to_owned(),
    }
}

/// A folder that has files and no CredLink store.
#[derive(Debug, thiserror::Error)]
pub enum Foreign {
    /// The folder has foreign files.
    #[error(
        "{} holds other files, such as `{file}`, and no CredLink. Nothing is changed; {}", folder.display(), advice(folder, file)
    )]
    Files {
        /// The folder.
        folder: PathBuf,
        /// One of the files.
        file: String,
    },
    /// The file system does not say what the folder has.
    #[error(transparent)]
    Unseen(#[from] Unseen),
}

impl Foreign {
    /// Refuses to make a CredLink store in `folder` beside other files. Hidden files do not count, and neither does
    /// `own`: a file that the operator has put there for the store.
    ///
    /// # Errors
    /// Returns an error if there are other files, or if the folder cannot be examined.
    pub fn check(folder: &Path, own: Option<&Path>) -> Result<(), Self> {
        // The same folder can be written in several ways.
        let own = own.and_then(|own| fs::canonicalize(own).ok());
        let is_own = |name: &str| own.is_some() && fs::canonicalize(folder.join(name)).ok() == own;
        let names: BTreeSet<String> = names(folder)?.into_iter().filter(|name| !is_own(name)).collect();
        let has = |name: &&str| names.contains(*name);
        if TELLING.iter().any(&has) {
            return Ok(());
        }
        if has(&"objects") {
            let objects = self::names(&folder.join("objects"))?;
            if OBJECTS.iter().any(|name| objects.contains(*name)) {
                return Ok(());
            }
        }
        let is_begun = has(&LOCK) && names.iter().all(|name| name == LOCK || COMMON.contains(&name.as_str()));
        match names.first() {
            Some(file) if !is_begun => Err(Self::Files { folder: folder.to_owned(), file: file.clone() }),
            _ => Ok(()),
        }
    }
}

/// Returns the names in a folder that count; none if there is nothing at its path, or something other than a folder.
fn names(folder: &Path) -> Result<BTreeSet<String>, Unseen> {
    let unseen = |error| Unseen::unless_absent(folder, error).map_or(Ok(BTreeSet::new()), Err);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return unseen(error),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        match entry {
            Ok(entry) => names.insert(entry.file_name().to_string_lossy().into_owned()),
            Err(error) => return unseen(error),
        };
    }
    names.retain(|name| !name.starts_with('.') && name != OF_THE_FILE_SYSTEM && !is_unfinished(name));
    Ok(names)
}

/// Returns `true` if a name is that of a file that was being written when its writer was interrupted: `link-key.new`,
/// or with the number of its process `link-key.4711.new` ([`crate::private`]).
fn is_unfinished(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".new") else { return false };
    let stem = match stem.rsplit_once('.') {
        Some((stem, process)) if process.bytes().all(|byte| byte.is_ascii_digit()) => stem,
        _ => stem,
    };
    UNFINISHED.contains(&stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credlink_is_told_from_other_files() {
        for (holds, is_foreign) in [
            (&[][..], false),
            (&[".git/", "lost+found/"], false),
            (&["a.json"], true),
            (&["lock"], false),
            (&["lock", "objects/", "temporary/", "reserve"], false),
            (&["lock", "objects/", "temporary/", "reserve", "index.redb.new"], false),
            (&["lock", "queue.redb.new"], false),
            (&["lock", "objects/", "a.json"], true),
            (&["temporary/"], true),
            (&["objects/"], true),
            (&["objects/", "objects/0a/", "HEAD"], true),
            (&["objects/", "objects/proofs/"], false),
            (&["reserve"], true),
            (&["link-key.4711.new", "deployment.new", "link-key.new"], false),
            (&["index.html.new"], true),
            (&["index.new"], true),
            (&["queue.1.new"], true),
            (&["deployment.yaml.new"], true),
            (&["link-key.4711.2.new"], true),
            (&["link-key.x.new"], true),
            (&["link-key", "a.json"], false),
            (&["index.redb", "a.json"], false),
            (&["tokens.json"], false),
            (&["tokens.json", "b"], true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for name in holds {
                let path = folder.path().join(name);
                if name.ends_with('/') {
                    fs::create_dir_all(path).unwrap()
                } else {
                    fs::write(path, "").unwrap()
                }
            }
            let tokens = folder.path().join(".").join("tokens.json");
            let checked = Foreign::check(folder.path(), Some(&tokens));
            assert_eq!(checked.is_err(), is_foreign, "{holds:?}: {checked:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        Foreign::check(&folder.path().join("none"), None).unwrap();
        for name in ["b", "a"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let refused = Foreign::check(folder.path(), None).unwrap_err().to_string();
        assert!(refused.contains("such as `a`") && refused.contains("Nothing is changed"), "{refused}");
    }
}
