//! The type of a media file, by its content, or by its name if several types share a beginning or content says nothing.

use std::path::Path;

use c2pa::Reader;

/// Number of bytes at the beginning that determine the type. An SVG may open with a declaration and a comment.
pub const BEGINNING: usize = 1_024;

/// The type of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DetectedType {
    /// A file of this media type.
    Of(String),
    /// The name indicates this media type, but the content does not have it.
    Misnamed(String),
    /// Neither content nor name indicates a type.
    Unknown,
}

impl DetectedType {
    /// Detects the type of the file at `path` that begins with `beginning`.
    pub fn of(path: &Path, beginning: &[u8]) -> Self {
        let by_name = by_name(path);
        let named = by_name.as_deref();
        match (family(beginning), by_name.clone()) {
            (Some(family), _) => Self::Of(family.member(named, beginning).to_owned()),
            (None, Some(name)) if RECOGNISED.contains(&name.as_str()) => Self::Misnamed(name),
            (None, Some(name)) => Self::Of(name),
            (None, None) => Self::Unknown,
        }
    }

    /// Returns the media type, if content does not contradict it.
    pub fn media_type(&self) -> Option<&str> {
        match self {
            Self::Of(name) => Some(name),
            Self::Misnamed(_) | Self::Unknown => None,
        }
    }
}

/// A media type in whose files no manifest is looked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CredLink reads no manifest in a file of type {media_type}{}", self.hint())]
pub struct UnreadType {
    media_type: String,
}

impl UnreadType {
    fn hint(&self) -> &'static str {
        if self.media_type == PDF { ": this program is built without the feature `pdf`" } else { "" }
    }
}

/// Returns the type as which c2pa-rs reads files of a media type. Parameters and case of the media type are ignored (RFC
/// 9110, section 8.3.1).
///
/// # Errors
/// Returns an error if c2pa-rs does not read such files.
pub fn format(media_type: &str) -> Result<String, UnreadType> {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_lowercase();
    // One reader accepts every ISO base media file (ISO/IEC 14496-12), but knows the names of only a few types.
    let format = if BASE_MEDIA.contains(&essence.as_str()) { "video/mp4".to_owned() } else { essence };
    if Reader::supported_mime_types().contains(&format) {
        Ok(format)
    } else {
        Err(UnreadType { media_type: format })
    }
}

/// The types that share a beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// One type.
    One(&'static str),
    /// An ISO base media file.
    BaseMedia,
    /// TIFF, and the raw formats that are built on it.
    Tiff,
    /// An ID3 tag, which may precede MP3 and FLAC.
    Id3,
}

/// The type of PDF files, which c2pa-rs reads if this crate has the feature `pdf`.
const PDF: &str = "application/pdf";

/// Types of ISO base media files that c2pa-rs reads but does not list.
const BASE_MEDIA: [&str; 4] = ["video/3gpp", "video/3gpp2", "video/iso.segment", "image/x-canon-cr3"];

/// Types whose content is recognised. A file with the name of such a type but without its content is something else.
const RECOGNISED: [&str; 20] = [
    "application/c2pa",
    PDF,
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/wav",
    "image/avif",
    "image/gif",
    "image/heic",
    "image/heif",
    "image/jpeg",
    "image/jxl",
    "image/png",
    "image/tiff",
    "image/webp",
    "image/x-adobe-dng",
    "video/3gpp",
    "video/avi",
    "video/mp4",
    "video/quicktime",
];

fn by_name(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_lowercase();
    let known = match extension.as_str() {
        "m4v" => "video/x-m4v",
        "3gp" => "video/3gpp",
        "3g2" => "video/3gpp2",
        "m4s" => "video/iso.segment",
        "hif" => "image/heif",
        "svg" => "image/svg+xml",
        _ => return c2pa::format_from_path(path).filter(|found| found.contains('/')),
    };
    Some(known.to_owned())
}

fn family(beginning: &[u8]) -> Option<Family> {
    let at = |from: usize, mark: &[u8]| beginning.get(from..).is_some_and(|rest| rest.starts_with(mark));
    Some(match () {
        () if at(0, b"\xff\xd8\xff") => Family::One("image/jpeg"),
        () if at(0, b"\x89PNG\r\n\x1a\n") => Family::One("image/png"),
        () if at(0, b"GIF8") => Family::One("image/gif"),
        () if at(0, b"RIFF") && at(8, b"WEBP") => Family::One("image/webp"),
        () if at(0, b"RIFF") && at(8, b"WAVE") => Family::One("audio/wav"),
        () if at(0, b"RIFF") && at(8, b"AVI ") => Family::One("video/avi"),
        () if at(0, b"%PDF-") => Family::One(PDF),
        () if at(0, b"fLaC") => Family::One("audio/flac"),
        () if at(0, b"\0\0\0\x0cJXL \r\n\x87\n") || at(0, b"\xff\x0a") => Family::One("image/jxl"),
        () if at(4, b"jumb") => Family::One("application/c2pa"),
        () if at(0, b"ID3") => Family::Id3,
        () if ["II*\0", "MM\0*", "II+\0", "MM\0+"].iter().any(|mark| at(0, mark.as_bytes())) => Family::Tiff,
        () if is_base_media(beginning) => Family::BaseMedia,
        () if is_mpeg_audio(beginning) => Family::One("audio/mpeg"),
        () if is_svg(beginning) => Family::One("image/svg+xml"),
        () => return None,
    })
}

/// Returns `true` if the beginning is a box that opens an ISO base media file, a QuickTime file from before `ftyp`, or
/// a fragment. Its length comes first, which distinguishes it from a text that contains the same word.
fn is_base_media(beginning: &[u8]) -> bool {
    let opening: [&[u8; 4]; 9] =
        [b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"wide", b"free", b"skip", b"sidx"];
    let name = beginning.get(4..8).filter(|_| beginning.first().is_some_and(u8::is_ascii_control));
    opening.iter().any(|known| name == Some(known.as_slice()))
}

/// Returns `true` if the beginning is a frame of MPEG audio, layer III: eleven bits of synchronisation, a version, and
/// the layer (ISO/IEC 11172-3, 2.4.1.3).
fn is_mpeg_audio(beginning: &[u8]) -> bool {
    matches!(beginning, [0xff, second, third, ..]
        if second & 0xe6 == 0xe2 && second & 0x18 != 0x08 && third & 0xf0 != 0xf0 && third & 0x0c != 0x0c)
}

fn is_svg(beginning: &[u8]) -> bool {
    let text = String::from_utf8_lossy(beginning);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with("<svg")
        || (text.starts_with("<?xml") || text.starts_with("<!--")) && text.contains("<svg")
}

impl Family {
    /// Returns the member of the family that a file is: by its brand, or by its name if that is the name of a member.
    fn member<'a>(self, named: Option<&'a str>, beginning: &[u8]) -> &'a str {
        let named_one_of = |members: &[&str]| named.filter(|name| members.contains(name));
        match self {
            Self::One(name) => name,
            Self::Tiff => {
                let raw = ["image/x-adobe-dng", "image/x-sony-arw", "image/x-nikon-nef"];
                named_one_of(&raw).unwrap_or("image/tiff")
            }
            Self::Id3 => named_one_of(&["audio/flac"]).unwrap_or("audio/mpeg"),
            Self::BaseMedia => {
                let brand = beginning.get(4..8).filter(|name| name == b"ftyp").and(beginning.get(8..12));
                brand.and_then(by_brand).unwrap_or_else(|| {
                    let members = ["audio/mp4", "video/quicktime", "video/x-m4v", "image/heif"];
                    named_one_of(&members).or_else(|| named_one_of(&BASE_MEDIA)).unwrap_or("video/mp4")
                })
            }
        }
    }
}

/// Returns the type of a file with this major brand, and `None` for brands that say nothing about the content.
fn by_brand(brand: &[u8]) -> Option<&'static str> {
    Some(match brand {
        b"avif" | b"avis" => "image/avif",
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => "image/heic",
        b"mif1" | b"msf1" => "image/heif",
        b"qt  " => "video/quicktime",
        b"M4A " | b"M4B " => "audio/mp4",
        b"M4V " => "video/x-m4v",
        b"crx " => "image/x-canon-cr3",
        [b'3', b'g', b'p', _] => "video/3gpp",
        [b'3', b'g', b'2', _] => "video/3gpp2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, content: &[u8]) -> DetectedType {
        DetectedType::of(Path::new(name), content)
    }

    #[test]
    fn content_comes_before_the_name() {
        for (name, content, expected) in [
            ("a.png", &b"\xff\xd8\xff\xe0"[..], "image/jpeg"),
            ("b.mp4", b"\0\0\0\x18ftypisom", "video/mp4"),
            ("b", b"\0\0\0\x18ftypisom", "video/mp4"),
            ("b.jpg", b"\0\0\0\x18ftypisom", "video/mp4"),
            ("b.m4v", b"\0\0\0\x18ftypmp42", "video/x-m4v"),
            ("b.m4a", b"\0\0\0\x18ftypisom", "audio/mp4"),
            ("b.3gp", b"\0\0\0\x18ftypisom", "video/3gpp"),
            ("b", b"\0\0\0\x18ftyp3gp4", "video/3gpp"),
            ("b.mov", b"\0\0\0\x08wide", "video/quicktime"),
            ("b.hif", b"\0\0\0\x18ftypmif1", "image/heif"),
            ("b.jpg", b"\0\0\0\x18ftypheic", "image/heic"),
            ("c", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            ("d", b"II*\0\x08\0\0\0", "image/tiff"),
            ("d", b"MM\0*\0\0\0\x08", "image/tiff"),
            ("d.dng", b"II*\0\x08\0\0\0", "image/x-adobe-dng"),
            ("e", b"fLaC\0\0\0\x22", "audio/flac"),
            ("e", b"ID3\x04\0\0", "audio/mpeg"),
            ("e.flac", b"ID3\x04\0\0", "audio/flac"),
            ("e", b"\xff\xfb\x90\x44", "audio/mpeg"),
            ("f", b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
            ("g", b"<?xml version=\"1.0\"?>\n<svg xmlns=", "image/svg+xml"),
            ("h.jpg.c2pa", b"\0\0\0\x08jumb", "application/c2pa"),
            ("i.bmp", b"BM", "image/bmp"),
        ] {
            assert_eq!(kind(name, content), DetectedType::Of(expected.to_owned()), "{name} {content:?}");
        }
    }

    #[test]
    fn a_pdf_is_read_by_a_program_that_has_the_feature() {
        let read = format(PDF).map_err(|error| error.to_string());
        let refused = "CredLink reads no manifest in a file of type application/pdf: this program is built without the \
                       feature `pdf`";
        let expected = if cfg!(feature = "pdf") { Ok(PDF.to_owned()) } else { Err(refused.to_owned()) };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_name_that_content_contradicts_says_nothing() {
        for (name, content) in [("a.jpg", &b""[..]), ("a.mp4", b"text"), ("a.pdf", b"{}")] {
            let found = kind(name, content);
            assert!(matches!(found, DetectedType::Misnamed(_)), "{name}: {found:?}");
            assert_eq!(found.media_type(), None);
        }
        for content in [&b""[..], b"text", b"The wide world", b"\xff\xfe{\0", b"\xff\xf1\x50\x80"] {
            assert_eq!(kind("a", content), DetectedType::Unknown, "{content:?}");
        }
    }

    #[test]
    fn every_base_media_file_has_a_reader() {
        let read = ["video/3gpp", "video/x-m4v", "image/heif", "video/mp4"];
        for name in read {
            assert!(format(name).is_ok(), "{name}");
        }
        assert_eq!(format("video/3gpp").as_deref(), Ok("video/mp4"));
        assert_eq!(format("Image/JPEG; version=1.7").as_deref(), Ok("image/jpeg"));
        assert!(format("image/bmp").is_err());
    }
}
