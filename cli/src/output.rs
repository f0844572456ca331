//! Output of a command: a file, which is written completely or not at all, or standard output if `-` was typed.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Trouble, TroubleKind};
use crate::input::STANDARD_INPUT;

/// The name that stands for standard output on the command line.
const STANDARD_OUTPUT: &str = "-";

/// A file to write, or a device or a pipe to write to.
pub struct Output {
    path: PathBuf,
    force: bool,
}

impl Output {
    /// Returns the output at `typed`, or `None` for standard output. An existing file is replaced only with `force`,
    /// and `source`, the file that the command is about, is never replaced.
    pub fn open(typed: &Path, force: bool, source: &Path) -> Result<Option<Self>, Trouble> {
        if [STANDARD_OUTPUT, "/dev/stdout"].map(Path::new).contains(&typed) {
            return Ok(None);
        }
        let shown = typed.display();
        let refused = |why: String| {
            Err(Trouble::new(TroubleKind::Usage, format!("{shown} {why}; nothing was written")))
        };
        // Standard input may be a file, too.
        let source = if source == Path::new(STANDARD_INPUT) { Path::new("/dev/stdin") } else { source };
        if are_one(typed, source) {
            return refused(
                "is the file itself that was asked about: name another one with --output".to_owned(),
            );
        }
        match looked_at(typed)? {
            None => {}
            Some(existing) if existing.is_symlink() && !leads_to_no_file(typed) => {
                let target = fs::read_link(typed).unwrap_or_default();
                return refused(format!("is a link to {}: name that file", target.display()));
            }
            Some(existing) if existing.is_dir() => return refused("is a folder".to_owned()),
            Some(existing) if existing.is_file() && !force => {
                return refused("is there already: --force replaces it".to_owned());
            }
            Some(_) => {}
        }
        Ok(Some(Self { path: typed.to_owned(), force }))
    }

    /// Returns the path.
    pub fn name(&self) -> &Path {
        &self.path
    }

    /// Writes all of `content`, as [`write_from`](Self::write_from) does.
    pub fn write(&self, content: &[u8]) -> Result<(), Trouble> {
        self.write_from(|file| file.write_all(content).map_err(|error| self.unwritten(&error)))
    }

    /// Lets `write` write the content. A file is complete, or as it was before: it is written beside its destination, and
    /// renamed at the end.
    pub fn write_from<T>(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        if leads_to_no_file(&self.path) {
            // A device or a pipe takes bytes as they come.
            let mut opened =
                File::options().write(true).open(&self.path).map_err(|error| self.unwritten(&error))?;
            return write(&mut opened);
        }
        let (folder, mut new) = self.begin().map_err(|error| self.unwritten(&error))?;
        let written = write(&mut new)?;
        self.put(folder, new).map_err(|error| self.unwritten(&error))?;
        Ok(written)
    }

    fn unwritten(&self, error: &io::Error) -> Trouble {
        match error.kind() {
            ErrorKind::AlreadyExists => {
                let detail = format!("{} is there already: --force replaces it", self.path.display());
                Trouble::new(TroubleKind::Usage, detail)
            }
            _ => Trouble::file(&self.path, "written", error),
        }
    }

    fn begin(&self) -> io::Result<(&Path, NamedTempFile)> {
        let folder = match self.path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(ErrorKind::IsADirectory.into()),
        };
        Ok((folder, temporary_file_in(folder)?))
    }

    fn put(&self, folder: &Path, new: NamedTempFile) -> io::Result<()> {
        // The new file can be read by the same users as the file that it replaces.
        if let Ok(existing) = fs::symlink_metadata(&self.path)
            && existing.is_file()
        {
            new.as_file().set_permissions(rights(&existing))?;
        }
        new.as_file().sync_all()?;
        let put = if self.force { new.persist(&self.path) } else { new.persist_noclobber(&self.path) };
        put.map_err(|failed| failed.error)?;
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }
}

/// Returns the permissions of a file that is replaced, without the special bits that a program may have (`setuid`).
fn rights(existing: &Metadata) -> fs::Permissions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::Permissions::from_mode(existing.permissions().mode() & 0o777)
    }
    #[cfg(not(unix))]
    existing.permissions()
}

/// Creates a file in `folder`, with the user's permissions for new files.
fn temporary_file_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".credlink-").suffix(".new");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Returns the metadata of `path` without following a link, and `None` if nothing is there.
fn looked_at(path: &Path) -> Result<Option<Metadata>, Trouble> {
    match fs::symlink_metadata(path) {
        Ok(existing) => Ok(Some(existing)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Trouble::file(path, "written", &error)),
    }
}

/// Returns `true` if `path` is, or leads to, something that is neither a file nor a folder, such as `/dev/null` or a
/// pipe.
fn leads_to_no_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|existing| !existing.is_file() && !existing.is_dir())
}

/// Returns `true` if two paths lead to the same file.
fn are_one(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let identity = |path: &Path| {
            let existing = fs::metadata(path).ok().filter(Metadata::is_file)?;
            Some((existing.dev(), existing.ino()))
        };
        identity(a).is_some_and(|a| identity(b) == Some(a))
    }
    #[cfg(not(unix))]
    fs::canonicalize(a).is_ok_and(|a| fs::canonicalize(b).is_ok_and(|b| a == b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_where_that_is_said_and_the_subject_never() {
        let folder = tempfile::tempdir().unwrap();
        let [photo, other, new] = ["photo.jpg", "other", "new"].map(|name| folder.path().join(name));
        fs::write(&photo, "a photo").unwrap();
        fs::write(&other, "another").unwrap();
        let write = |path: &Path, force| Output::open(path, force, &photo)?.unwrap().write(b"content");
        write(&new, false).unwrap();
        assert_eq!(fs::read(&new).unwrap(), b"content");
        for (path, force, says) in [
            (&photo, true, "the file itself"),
            (&other, false, "--force"),
            (&folder.path().into(), true, "a folder"),
        ] {
            let said = write(path, force).unwrap_err().to_string();
            assert!(said.contains(says), "{said}");
        }
        assert_eq!(fs::read(&other).unwrap(), b"another");
        write(&other, true).unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"content");
        assert_eq!(fs::read(&photo).unwrap(), b"a photo");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left over");
        // A file that was created in the meantime stays, and so does the existing one if nothing can be written.
        let late = folder.path().join("late");
        let output = Output::open(&late, false, &photo).unwrap().unwrap();
        fs::write(&late, "before").unwrap();
        assert!(output.write(b"content").unwrap_err().to_string().contains("--force"));
        assert_eq!(fs::read(&late).unwrap(), b"before");
        assert!(Output::open(Path::new("-"), false, &photo).unwrap().is_none());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed_and_devices_are_written_to() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let [photo, link, hard, null, broken] =
            ["photo.jpg", "link", "hard", "null", "broken"].map(|name| folder.path().join(name));
        fs::write(&photo, "a photo").unwrap();
        fs::write(folder.path().join("target"), "kept").unwrap();
        symlink("target", &link).unwrap();
        symlink("/dev/null", &null).unwrap();
        symlink("none", &broken).unwrap();
        fs::hard_link(&photo, &hard).unwrap();
        for (path, says) in
            [(&link, "is a link to target"), (&broken, "is a link to none"), (&hard, "the file itself")]
        {
            let said = Output::open(path, true, &photo).err().unwrap().to_string();
            assert!(said.contains(says), "{said}");
        }
        for path in [&null, Path::new("/dev/null")] {
            Output::open(path, false, &photo).unwrap().unwrap().write(b"content").unwrap();
        }
        assert!(null.is_symlink() && !Path::new("/dev/null").metadata().unwrap().is_file());
        let kept = folder.path().join("target");
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o4640)).unwrap();
        Output::open(&kept, true, &photo).unwrap().unwrap().write(b"content").unwrap();
        assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o7777, 0o640);
    }
}
