//! The keys of signed links: made at the first start, and kept beside the data, so that links outlive a restart.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use credlink_core::hash::Digest;
use credlink_core::link::{LinkKey, LinkKeys, MIN_KEY_BYTES};
use data_encoding::HEXLOWER;

use crate::trouble::{Kind, Trouble};

/// The file in the data folder.
const FILE: &str = "link-key";

/// Longest content that is read: a key and some white space.
const MAX_BYTES: u64 = 1_024;

/// The keys of `folder`.
pub fn open(folder: &Path) -> Result<LinkKeys, Trouble> {
    let path = folder.join(FILE);
    let text = std::fs::create_dir_all(folder)
        .and_then(|()| read_or_make(&path))
        .map_err(|error| Trouble::new(Kind::Folder, format!("{}: {error}", path.display())))?;
    let secret = HEXLOWER.decode(text.trim().as_bytes()).map_err(|_| damaged(&path))?;
    // The name says which key it is and nothing of the key.
    let name: String = Digest::of(&secret).to_string().chars().take(8).collect();
    let current = LinkKey::new(&name, secret).map_err(|_| damaged(&path))?;
    Ok(LinkKeys { current, previous: None })
}

/// The content of the file. Two processes that start at once agree on it: the file is locked meanwhile.
fn read_or_make(path: &Path) -> io::Result<String> {
    let mut file = private(path)?;
    file.lock()?;
    let mut text = String::new();
    (&file).take(MAX_BYTES).read_to_string(&mut text)?;
    if text.is_empty() {
        let mut secret = [0; MIN_KEY_BYTES];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        text = HEXLOWER.encode(&secret);
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    Ok(text)
}

/// Opens the file, or makes it for its owner's eyes only.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn damaged(path: &Path) -> Trouble {
    let detail = format!(
        "{} is not {} hexadecimal digits. Bring it back from a backup, or remove it: links that were signed with it end",
        path.display(),
        2 * MIN_KEY_BYTES
    );
    Trouble::new(Kind::Folder, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path()).unwrap();
        let again = open(folder.path()).unwrap();
        assert_eq!(format!("{first:?}"), format!("{again:?}"));
        let path = folder.path().join(FILE);
        assert_eq!(std::fs::read_to_string(&path).unwrap().len(), 64);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, "x").unwrap();
        assert!(open(folder.path()).unwrap_err().to_string().contains("64 hexadecimal digits"));
    }
}
