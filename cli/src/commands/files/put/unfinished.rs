//! Notes of uploads that are under way, in a folder of the user, so that the same command continues an upload after an
//! interruption.
//!
//! A note is named after everything that makes two commands the same: the server, the path of the file, and the options
//! that are announced. It holds the ID of the upload, and the size and time of the file, without which the upload would be
//! continued with another content. It is locked while its upload is under way.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use credlink_core::bounds::UPLOAD_SECONDS;
use credlink_core::file::UploadId;
use credlink_core::hash::Digest;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::source::Source;
use crate::args::files::Put;
use crate::error::{Trouble, TroubleKind};

/// The longest note, in bytes: a path of 4,096 bytes, each escaped, and the other members.
const MAX_NOTE_BYTES: u64 = 65_536;

/// The age at which a note is removed: twice the lifetime of an upload.
const OLD: Duration = Duration::from_secs(2 * UPLOAD_SECONDS);

/// The place of the note of one upload.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    /// The note, locked. `None` if no note can be kept.
    place: Option<(File, PathBuf)>,
    note: Option<Note>,
}

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    version: u32,
    upload: UploadId,
    /// The server and the file, for people who look into the folder.
    server: String,
    file: String,
    size: u64,
    modified: u64,
}

impl Unfinished {
    /// Finds the note of `source`, sent with `options` to `server`, in the folder of the user. If there is no place for notes,
    /// nothing is noted, and `tell` is told why.
    pub(super) fn of(
        server: &str,
        source: &Source,
        options: &Put,
        tell: impl FnOnce(&str),
    ) -> Result<Self, Trouble> {
        let (Some(path), Some(modified)) = (source.lasting(), source.modified()) else {
            return Ok(Self::default());
        };
        let opened = folder().and_then(|folder| {
            remove_old(&folder, SystemTime::now());
            let path = folder.join(name(server, &std::path::absolute(path)?, options));
            let file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
            Ok((file, path))
        });
        let (mut file, path) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tell(&format!("an interrupted upload will begin anew, because it cannot be noted: {error}"));
                return Ok(Self::default());
            }
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Trouble::new(
                    TroubleKind::Usage,
                    "the file is being sent already, by this command or another",
                ));
            }
            // Some network file systems have no locks. Two commands would then send the same bytes.
            Err(TryLockError::Error(_)) => {}
        }
        let mut text = String::new();
        let read = (&mut file).take(MAX_NOTE_BYTES).read_to_string(&mut text);
        let note = read.ok().and_then(|_| serde_json::from_str(&text).ok());
        let note = note
            .filter(|note: &Note| note.version == 1 && note.size == source.size && note.modified == modified);
        Ok(Self { place: Some((file, path)), note })
    }

    /// Returns the upload to continue.
    pub(super) fn upload(&self) -> Option<UploadId> {
        self.note.as_ref().map(|note| note.upload)
    }

    /// Notes an upload that has begun.
    pub(super) fn begun(&mut self, upload: UploadId, server: &str, source: &Source) {
        let (Some((file, _)), Some(modified)) = (&mut self.place, source.modified()) else { return };
        let path = source.lasting().unwrap_or(Path::new("")).display().to_string();
        let note =
            Note { version: 1, upload, server: server.to_owned(), file: path, size: source.size, modified };
        let text = json!(note).to_string();
        // Without the note, an interrupted upload begins anew.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
    }

    /// Removes the note of an upload that has not begun.
    pub(super) fn unused(self) {
        if self.note.is_none() {
            self.ended();
        }
    }

    /// Forgets an upload that is over.
    pub(super) fn ended(self) {
        if let Some((_file, path)) = self.place {
            // A note that stays names an upload that has ended, which is looked at before it is continued.
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns the folder of notes, and makes it if there is none.
fn folder() -> io::Result<PathBuf> {
    let named = |variable| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = named("XDG_STATE_HOME")
        .or_else(|| named("LOCALAPPDATA").filter(|_| cfg!(windows)))
        .or_else(|| named("HOME").map(|home| home.join(".local/state")));
    let none = || io::Error::new(io::ErrorKind::NotFound, "neither XDG_STATE_HOME nor HOME names a folder");
    let folder = state.ok_or_else(none)?.join("credlink").join("uploads");
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder)?;
    Ok(folder)
}

/// Returns the name of a note.
fn name(server: &str, path: &Path, options: &Put) -> String {
    let Put { collection, entity, position, owner, media_type, access, focal, .. } = options;
    let same = json!([
        server,
        path.as_os_str().as_encoded_bytes(),
        collection,
        entity,
        position,
        owner,
        media_type,
        access,
        focal
    ]);
    format!("{}.json", Digest::of(same.to_string().as_bytes()))
}

/// Removes the notes of uploads that have ended long ago.
fn remove_old(folder: &Path, now: SystemTime) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let changed = entry.metadata().and_then(|found| found.modified());
        let is_old = changed.is_ok_and(|changed| now.duration_since(changed).is_ok_and(|age| age > OLD));
        if is_old && entry.path().extension().is_some_and(|extension| extension == "json") {
            // The next command tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::files::{Action, Files};

    #[derive(clap::Parser)]
    struct Typed {
        #[command(flatten)]
        files: Files,
    }

    fn put(typed: &str) -> Put {
        let typed = Typed::parse_from(format!("x put {typed}").split(' '));
        match typed.files.action {
            Action::Put(put) => put,
            _ => panic!("a put"),
        }
    }

    #[test]
    fn another_upload_has_another_note() {
        let path = Path::new("/a/photo.jpg");
        let of = |server: &str, path: &Path, typed: &str| name(server, path, &put(typed));
        let first = of("http://a", path, "photo.jpg --collection c");
        assert_eq!(
            first,
            of("http://a", path, "other.jpg photo.jpg --collection c --no-wait --concurrency 2")
        );
        for other in [
            of("http://b", path, "photo.jpg --collection c"),
            of("http://a", Path::new("/b/photo.jpg"), "photo.jpg --collection c"),
            of("http://a", path, "photo.jpg --collection d"),
            of("http://a", path, "photo.jpg --collection c --owner ann"),
            of("http://a", path, "photo.jpg --collection c --entity item/1"),
            of("http://a", path, "photo.jpg --collection c --access private"),
            of("http://a", path, "photo.jpg --collection c --focal 0,0"),
            of("http://a", path, "photo.jpg --collection c --type image/png"),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn old_notes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("a.json");
        fs::write(&note, "{}").unwrap();
        fs::write(folder.path().join("other"), "").unwrap();
        remove_old(folder.path(), SystemTime::now() + OLD - Duration::from_secs(60));
        assert!(note.exists());
        remove_old(folder.path(), SystemTime::now() + OLD + Duration::from_secs(60));
        assert!(!note.exists() && folder.path().join("other").exists());
    }
}
