//! Bringing a folder of an earlier layout up to this one, when it is opened.
//!
//! Layout 1 wrote capital letters as they are ([`layout`](super::layout)). The file `layout` says which layout a folder has; where
//! there is none, it is 1. Files are renamed, and the mark is written at the end: a folder that was left half way is brought up
//! by whoever opens it next.

use std::fs;
use std::io;
use std::path::Path;

use super::layout::Place;
use super::listing::{name_of, names};
use crate::private::{self, make_one, rename, sync_directory};

/// The file that says which layout the folder has.
const FILE: &str = "layout";
/// Its content.
const LAYOUT: &[u8] = b"2\n";

/// Brings the folder at `path`, whose objects are in `objects`, up to this layout.
///
/// # Errors
/// The file system refuses, or the layout is none that this program knows.
pub(super) fn bring_up(path: &Path, objects: &Path) -> io::Result<()> {
    let mark = path.join(FILE);
    match fs::read(&mark) {
        Ok(found) if found == LAYOUT => return Ok(()),
        Ok(_) => {
            let why = format!("{} names no layout that this program knows", mark.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut renamed = 0_u64;
    for top in fs::read_dir(objects)? {
        let top = top?;
        if top.path().is_dir() {
            renamed += bring_up_top(&top.path(), &name_of(&top))?;
        }
    }
    if renamed > 0 {
        tracing::info!(folder = %path.display(), renamed, "files have names that no two keys share where case does not count");
    }
    match private::write(&mark, LAYOUT) {
        // A full disk is read and deleted from all the same; the next who opens it looks again.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
        written => written,
    }
}

/// Renames the files of the objects whose keys begin with `top`, and returns how many.
fn bring_up_top(path: &Path, top: &str) -> io::Result<u64> {
    let mut renamed = 0;
    for shard in names(path)? {
        let from = path.join(&shard);
        if !from.is_dir() {
            continue;
        }
        let before = renamed;
        for name in names(&from)? {
            let place = Place { top: top.to_owned(), shard: shard.clone(), name };
            let Some(key) = place.key_of_layout_1() else { continue };
            let new = Place::of(&key);
            let to = path.join(&new.shard);
            make_one(&to)?;
            // Nothing is taken the place of: what stands there already was written by this layout.
            if to.join(&new.name).exists() {
                continue;
            }
            rename(&from.join(&place.name), &to.join(&new.name))?;
            sync_directory(&to)?;
            renamed += 1;
        }
        if renamed > before {
            sync_directory(&from)?;
            // One that still holds something stays.
            let _ = fs::remove_dir(&from);
            sync_directory(path)?;
        }
    }
    Ok(renamed)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use credlink_core::object::{Attributes, ObjectKey};
    use credlink_service::ports::{Condition, Objects as _, Put};

    use super::super::Folder;
    use super::*;

    /// Keys, of which some have capital letters in their shard, behind it, or in an escape.
    const KEYS: [&str; 5] = [
        "aliases/P-1",
        "aliases/p-1",
        "fronts/urn%3Ac2pa%3Ax%3AACME",
        "manifests/a%3AC%C3%96",
        "store/identity",
    ];

    #[tokio::test]
    async fn a_folder_of_layout_1_is_brought_up_when_it_is_opened() {
        let root = tempfile::tempdir().unwrap();
        let objects = root.path().join("objects");
        let keys = KEYS.map(|key| key.parse::<ObjectKey>().unwrap());
        let folder = Folder::open(root.path()).unwrap();
        for key in &keys {
            let body = Bytes::from(key.to_string());
            let put = folder.put(key, body, &Attributes::default(), Condition::Absent).await.unwrap();
            assert!(matches!(put, Put::Stored(_)), "{key}");
        }
        drop(folder);
        // As the earlier layout had them.
        fs::remove_file(root.path().join(FILE)).unwrap();
        for key in KEYS {
            let (new, old) = (Place::of(key), Place::of_layout_1(key));
            let at = |place: &Place| objects.join(&place.top).join(&place.shard);
            fs::create_dir_all(at(&old)).unwrap();
            fs::rename(at(&new).join(&new.name), at(&old).join(&old.name)).unwrap();
        }
        // Nothing of CredLink's: it stays where it is.
        fs::create_dir_all(objects.join("aliases/NO")).unwrap();
        fs::write(objects.join("aliases/NO/else"), b"x").unwrap();
        for _ in 0..2 {
            let folder = Folder::open(root.path()).unwrap();
            for key in &keys {
                let object = folder.get(key).await.unwrap().unwrap();
                assert_eq!(object.body, key.to_string().as_bytes());
            }
            let listed = folder.list("", None, 100).await.unwrap().items;
            let mut listed: Vec<_> = listed.into_iter().map(|listed| listed.key).collect();
            listed.retain(|key| !key.ends_with("#misplaced"));
            let mut expected = KEYS.map(str::to_owned);
            expected.sort();
            assert_eq!(listed, expected);
        }
        assert!(objects.join("aliases/NO/else").exists() && !objects.join("aliases/P-").exists());
        assert_eq!(fs::read(root.path().join(FILE)).unwrap(), LAYOUT);
        fs::write(root.path().join(FILE), b"3\n").unwrap();
        let refused = Folder::open(root.path()).unwrap_err().to_string();
        assert!(refused.contains("names no layout that this program knows"), "{refused}");
    }
}
