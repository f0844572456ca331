//! The keys of signed links. They are created at the first start, and kept beside the data, so that links outlive a
//! restart.

use std::io::{self, Read as _};
use std::path::Path;

use credlink_core::hash::Digest;
use credlink_core::link::{LinkKey, LinkKeys, MIN_KEY_BYTES};
use credlink_disk::private;
use data_encoding::HEXLOWER;

use crate::error::{Trouble, TroubleKind};

/// The name of the file in the data folder.
const FILE: &str = "link-key";

/// Maximum length of the content: a key and some white space.
const MAX_BYTES: u64 = 1_024;

/// Opens the keys of `folder`, and creates them if there are none.
pub fn open(folder: &Path) -> Result<LinkKeys, Trouble> {
    let path = folder.join(FILE);
    let cannot = |what: &str, error: &io::Error| {
        let detail = format!(
            "{} {what}: {error}. The data folder (--data-dir) is a folder in which this user may read and write, or one that can \
             be made",
            folder.display()
        );
        Trouble::new(TroubleKind::Folder, detail)
    };
    if folder.metadata().is_ok_and(|there| !there.is_dir()) {
        return Err(cannot("cannot hold the data", &io::ErrorKind::NotADirectory.into()));
    }
    private::make_private_folder(folder).map_err(|error| cannot("cannot be opened or made", &error))?;
    let text = read_or_make(&path)
        .map_err(|error| cannot("cannot have its file link-key read or written", &error))?;
    private::keep_private(&path);
    let secret = HEXLOWER.decode(text.trim().as_bytes()).map_err(|_| damaged(&path))?;
    // The name identifies the key, and reveals nothing of it.
    let name: String = Digest::of(&secret).to_string().chars().take(8).collect();
    let current = LinkKey::new(&name, secret).map_err(|_| damaged(&path))?;
    Ok(LinkKeys { current, previous: None })
}

/// Withdraws the permissions of others on the key of `folder`, if there is one.
pub fn keep_link_key_private(folder: &Path) {
    private::keep_private(&folder.join(FILE));
}

/// Returns the content of the file, which is created completely or not at all. Two processes that start at once agree
/// on it: the later one reads what the other one created.
fn read_or_make(path: &Path) -> io::Result<String> {
    if let Some(text) = read(path)? {
        return Ok(text);
    }
    let mut secret = [0; MIN_KEY_BYTES];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    let text = HEXLOWER.encode(&secret);
    if private::write_new(path, text.as_bytes())? == private::Written::New {
        return Ok(text);
    }
    match read(path)? {
        Some(text) => Ok(text),
        // The file is empty. A power cut may leave it so if it was written in place.
        None => private::write(path, text.as_bytes()).map(|()| text),
    }
}

/// Returns the content, or `None` if there is none.
fn read(path: &Path) -> io::Result<Option<String>> {
    let mut text = String::new();
    match private::open_to_read(path) {
        Ok(file) => file.take(MAX_BYTES).read_to_string(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn damaged(path: &Path) -> Trouble {
    let detail = format!(
        "{} is not {} hexadecimal digits. Bring it back from a backup, or remove it: links that were signed with it end",
        path.display(),
        2 * MIN_KEY_BYTES
    );
    Trouble::new(TroubleKind::Folder, detail)
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
        std::fs::write(&path, "").unwrap();
        open(folder.path()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().len(), 64, "an empty file is none");
        std::fs::write(&path, "x").unwrap();
        assert!(open(folder.path()).unwrap_err().to_string().contains("64 hexadecimal digits"));
        let refused = open(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("{} cannot hold the data", path.display())), "{refused}");
    }
}
