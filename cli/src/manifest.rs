//! Finding the manifest that belongs to a file: the named one, the one in the file, or the one beside it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credlink_core::bounds::MAX_C2PA_MANIFEST_BYTES;
use credlink_core::c2pa::C2paError;
use credlink_core::manifest::{Manifest, ManifestError, ManifestType};
use credlink_verify::media::Media;
use credlink_verify::media::detected_type::{self, DetectedType};
use credlink_verify::report::Embedded;

use crate::error::{self, Trouble};
use crate::input::Input;
use crate::isolation::{self, ReadingError};

/// A manifest, and the place where it was found.
#[derive(Debug, PartialEq, Eq)]
pub struct FoundManifest {
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// The type, by the content.
    pub kind: ManifestType,
    /// The place where it was found, in words: a path, or `embedded in photo.jpg`.
    pub source: String,
}

impl FoundManifest {
    /// Reads the content of a manifest file, which decides whether it is C2PA or JSON.
    fn in_file(bytes: Vec<u8>, source: String) -> Result<Self, Trouble> {
        let is_c2pa =
            DetectedType::of(Path::new(""), &bytes).media_type() == Some(ManifestType::C2pa.as_str());
        Self::of(if is_c2pa { ManifestType::C2pa } else { ManifestType::Json }, bytes, source)
    }

    fn of(kind: ManifestType, bytes: Vec<u8>, source: String) -> Result<Self, Trouble> {
        match why_not(&bytes, kind) {
            None => Ok(Self { bytes, kind, source }),
            Some(why) => Err(Trouble::new(error::TroubleKind::BadManifest, format!("{source}: {why}"))),
        }
    }
}

/// Returns the reason why bytes are not a manifest, for a user who chose the wrong file or whose editor changed it.
fn why_not(bytes: &[u8], kind: ManifestType) -> Option<String> {
    let error = match Manifest::of_type(kind, bytes.to_vec().into()) {
        // The server decides which manifest IDs are allowed.
        Ok(_) | Err(ManifestError::C2pa(C2paError::Label(_))) => return None,
        Err(error) => error,
    };
    let json = "a JSON manifest is UTF-8 without one";
    Some(match (bytes, DetectedType::of(Path::new(""), bytes)) {
        _ if kind == ManifestType::C2pa => error.to_string(),
        ([], _) => "it is empty".to_owned(),
        ([0xef, 0xbb, 0xbf, ..], _) => format!("it begins with a byte order mark; {json}"),
        ([0xff, 0xfe, ..] | [0xfe, 0xff, ..], _) => {
            format!("it begins with the byte order mark of UTF-16; {json}")
        }
        (_, DetectedType::Of(name)) => format!("this is a file of type {name}, not a manifest"),
        _ => format!("this is neither a C2PA manifest (JUMBF) nor a JSON one: {error}"),
    })
}

/// Finds the manifest of `media`: the one that was `named`, otherwise the one in the file, otherwise the first one
/// beside it.
pub fn find(media: &Media, media_type: Option<&str>, named: Option<&Path>) -> Result<FoundManifest, Trouble> {
    if let Some(path) = named {
        return read(path);
    }
    let name = media.name().display();
    let mut tried = match embedded(media, media_type)? {
        Ok(bytes) => return FoundManifest::of(ManifestType::C2pa, bytes, format!("embedded in {name}")),
        Err(why) => vec![format!("{name} ({why})")],
    };
    for path in sidecars(media) {
        if path.exists() {
            return read(&path);
        }
        tried.push(path.display().to_string());
    }
    let detail = format!("tried {}; name one with --manifest", tried.join(", "));
    Err(Trouble::new(error::TroubleKind::NoManifest, detail))
}

/// Returns the paths at which a manifest may be found beside a file.
fn sidecars(media: &Media) -> impl Iterator<Item = PathBuf> {
    let file = media.path().to_owned();
    let behind = |extension: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    };
    let candidates = [behind(".c2pa"), file.with_extension("c2pa"), behind(".json")];
    candidates.into_iter().filter(|_| media.has_a_place())
}

/// Reads a manifest file; `-` is standard input. Stops reading after the maximum length of a manifest.
fn read(path: &Path) -> Result<FoundManifest, Trouble> {
    let mut input = Input::open(path)?;
    let bytes = input.read_up_to(MAX_C2PA_MANIFEST_BYTES)?;
    let name = input.name().display().to_string();
    let bytes = bytes.ok_or_else(|| {
        let detail = format!("{name} is not a manifest: it has more than {MAX_C2PA_MANIFEST_BYTES} bytes");
        Trouble::new(error::TroubleKind::File, detail)
    })?;
    FoundManifest::in_file(bytes, name)
}

/// Reads the manifest store in a file, as the named media type if that is a readable one. Otherwise returns the reason,
/// in words, why there is no manifest store. A file that is itself a manifest is an error.
fn embedded(media: &Media, media_type: Option<&str>) -> Result<Result<Vec<u8>, String>, Trouble> {
    let kind = match media_type.filter(|name| detected_type::format(name).is_ok()) {
        Some(media_type) => DetectedType::Of(media_type.to_owned()),
        None => media.detected_type(),
    };
    let media_type = match media.type_of(&kind) {
        Ok(media_type) => media_type.to_owned(),
        Err(why) if kind == DetectedType::Unknown && media.length > 0 => {
            return Ok(Err(format!("{why}; name it with --media-type")));
        }
        Err(why) => return Ok(Err(why)),
    };
    if media_type == ManifestType::C2pa.as_str() {
        let name = media.name().display();
        let detail = format!("{name} is a manifest: name its picture or video, with --manifest {name}");
        return Err(Trouble::new(error::TroubleKind::Usage, detail));
    }
    let format = match detected_type::format(&media_type) {
        Ok(format) => format,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let report = match isolation::read(media, &format, None) {
        Ok(report) => report,
        // The file was replaced between its hashing and its reading.
        Err(error @ ReadingError::Changed) => {
            return Err(Trouble::new(
                error::TroubleKind::File,
                format!("{}: {error}", media.name().display()),
            ));
        }
        Err(error) => return Ok(Err(error.to_string())),
    };
    Ok(match (report.embedded, report.remote) {
        (Embedded::Found(text), _) => STANDARD.decode(text).map_err(|error| error.to_string()),
        (Embedded::TooLong(length), _) => {
            Err(format!("its manifest has {length} bytes, and may have {MAX_C2PA_MANIFEST_BYTES}"))
        }
        (Embedded::None, Some(url)) => Err(format!("it has none in it; its XMP says that it is at {url}")),
        (Embedded::None, None) => Err("it has none in it".to_owned()),
        (Embedded::Unreadable(why), _) => Err(format!("it does not read as {media_type}: {why}")),
    })
}

#[cfg(test)]
mod tests {
    use credlink_core::hash::Digest;
    use credlink_core::testing::manifest_store;

    use super::*;

    fn write(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn store() -> Vec<u8> {
        manifest_store("urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4", &Digest::of(b"no picture"))
    }

    #[test]
    fn the_nearest_manifest_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = write(folder.path(), "a.txt", b"no picture");
        let media = Media::open(&file).unwrap();
        let find = |named| find(&media, None, named);
        let error = find(None).unwrap_err();
        for tried in ["its type is not known", "a.txt.c2pa", "a.c2pa", "a.txt.json"] {
            assert!(error.to_string().contains(tried), "{error} lacks {tried}");
        }
        let json = write(folder.path(), "a.txt.json", b" {}");
        let found = find(None).unwrap();
        assert_eq!((found.kind, found.source), (ManifestType::Json, json.display().to_string()));
        assert_eq!(found.bytes, b" {}");
        let stem = write(folder.path(), "a.c2pa", &store());
        let found = find(None).unwrap();
        assert_eq!((found.kind, found.source), (ManifestType::C2pa, stem.display().to_string()));
        let whole = write(folder.path(), "a.txt.c2pa", &store());
        assert_eq!(find(None).unwrap().source, whole.display().to_string());
        assert_eq!(find(Some(&json)).unwrap().source, json.display().to_string());
    }

    #[test]
    fn what_is_no_manifest_is_called_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let cut = &store()[..100];
        for (name, content, says) in [
            ("bom.json", b"\xef\xbb\xbf{}".as_slice(), "bom.json: it begins with a byte order mark"),
            ("wide.json", b"\xff\xfe{\0}\0", "wide.json: it begins with the byte order mark of UTF-16"),
            ("photo.json", b"\xff\xd8\xff\xe0", "this is a file of type image/jpeg"),
            ("empty.json", b"", "empty.json: it is empty"),
            ("text.json", b"text", "neither a C2PA manifest (JUMBF) nor a JSON one"),
            ("list.json", b"[]", "a JSON manifest is an object"),
            ("cut.c2pa", cut, "cut.c2pa: the JUMBF boxes are damaged at byte 0"),
        ] {
            let error = read(&write(folder.path(), name, content)).unwrap_err().to_string();
            assert!(error.contains(says), "{error} lacks {says}");
            assert!(!error.contains("manifest_base64"), "{error}");
        }
    }

    #[test]
    fn what_holds_no_manifest_says_why() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content, says) in [
            ("a.jpg", b"".as_slice(), "a.jpg (it is empty, and no image/jpeg)"),
            ("b.jpg", b"text", "by its name it is a file of type image/jpeg, and it is none"),
            ("c.bmp", b"BM", "CredLink reads no manifest in a file of type image/bmp"),
            ("d.c2pa", &store(), "d.c2pa is a manifest: name its picture or video, with --manifest"),
        ] {
            let media = Media::open(&write(folder.path(), name, content)).unwrap();
            let error = find(&media, None, None).unwrap_err().to_string();
            assert!(error.contains(says), "{error} lacks {says}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.json");
        std::fs::File::create(&path).unwrap().set_len(MAX_C2PA_MANIFEST_BYTES as u64 + 1).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("more than 10000000 bytes"));
        assert!(read(folder.path()).is_err());
    }
}
