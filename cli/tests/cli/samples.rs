//! The smallest files of every format that can contain a manifest: enough structure for a parser, and next to no
//! content.

/// A file of a format.
pub struct Sample {
    /// The name of the file.
    pub name: &'static str,
    /// The media type of the file.
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
}

/// One file of each format into which c2pa-rs writes manifests.
pub fn all() -> Vec<Sample> {
    let sample = |name, media_type, bytes| Sample { name, media_type, bytes };
    let movie = |brand| base_media(brand, &[boxed(b"moov", &movie_header()), boxed(b"mdat", b"frames")]);
    let picture = |brand| {
        let handler = [&[0; 8], b"pict".as_slice(), &[0; 13]].concat();
        let meta = [&[0; 4], boxed(b"hdlr", &handler).as_slice()].concat();
        base_media(brand, &[boxed(b"meta", &meta), boxed(b"mdat", b"a picture")])
    };
    vec![
        sample("a.jpg", "image/jpeg", include_bytes!("../../../tests/pictures/waves.jpg").to_vec()),
        sample("a.png", "image/png", include_bytes!("../../../tests/pictures/waves.png").to_vec()),
        sample("a.webp", "image/webp", include_bytes!("../../../tests/pictures/waves.webp").to_vec()),
        sample(
            "a.gif",
            "image/gif",
            b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;".to_vec(),
        ),
        sample("a.tif", "image/tiff", tiff()),
        sample("a.dng", "image/x-adobe-dng", tiff()),
        sample(
            "a.svg",
            "image/svg+xml",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0h1\"/></svg>".to_vec(),
        ),
        sample("a.jxl", "image/jxl", jpeg_xl()),
        sample("a.heic", "image/heic", picture(b"heic")),
        sample("a.heif", "image/heif", picture(b"mif1")),
        sample("a.avif", "image/avif", picture(b"avif")),
        sample("a.mp4", "video/mp4", movie(b"isom")),
        sample("a.m4v", "video/x-m4v", movie(b"M4V ")),
        sample("a.mov", "video/quicktime", movie(b"qt  ")),
        sample("a.m4a", "audio/mp4", movie(b"M4A ")),
        sample(
            "a.wav",
            "audio/wav",
            riff(
                b"WAVE",
                &[(b"fmt ", &[1, 0, 1, 0, 64, 31, 0, 0, 64, 31, 0, 0, 1, 0, 8, 0]), (b"data", &[128; 64])],
            ),
        ),
        sample("a.avi", "video/avi", riff(b"AVI ", &[(b"LIST", b"movi00dc\x04\0\0\0abcd")])),
        sample("a.mp3", "audio/mpeg", [b"\xff\xfb\x90\x44".as_slice(), &[0; 413]].concat()),
        sample(
            "a.flac",
            "audio/flac",
            [b"fLaC\x80\0\0\x22".as_slice(), &[16; 34], &[0xff, 0xf8], &[0; 62]].concat(),
        ),
    ]
}

/// A PDF, into which c2pa-rs writes no manifest, so that the manifest must be beside it.
pub fn pdf() -> Vec<u8> {
    let mut text = String::from("%PDF-1.7\n");
    let mut offsets = Vec::new();
    for object in [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
    ] {
        offsets.push(text.len());
        text.push_str(&format!("{} 0 obj\n{object}\nendobj\n", offsets.len()));
    }
    let start = text.len();
    text.push_str("xref\n0 4\n0000000000 65535 f \n");
    offsets.iter().for_each(|offset| text.push_str(&format!("{offset:010} 00000 n \n")));
    text.push_str(&format!("trailer\n<</Size 4/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n"));
    text.into_bytes()
}

/// A TIFF with more directories below its pages than any parser reads: 38 KB that once took minutes.
pub fn tiff_of_directories() -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    // A directory with 9,500 SubIFDs (330), all at the same offset.
    let count = 9_500_u32;
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(330_u16.to_le_bytes());
    bytes.extend(4_u16.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(26_u32.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    (0..count).for_each(|_| bytes.extend(8_u32.to_le_bytes()));
    bytes
}

/// The head of a fragmented video with one track.
pub fn fragmented_head() -> Vec<u8> {
    let track = boxed(b"trak", &boxed(b"tkhd", &[&[0; 12], [0, 0, 0, 1].as_slice(), &[0; 68]].concat()));
    let extends = boxed(
        b"mvex",
        &boxed(b"trex", &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    );
    base_media(b"iso5", &[boxed(b"moov", &[movie_header(), track, extends].concat())])
}

/// A box of an ISO base media file.
pub fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).unwrap();
    [length.to_be_bytes().as_slice(), name, content].concat()
}

/// A file with a brand and these boxes.
pub fn base_media(brand: &[u8; 4], boxes: &[Vec<u8>]) -> Vec<u8> {
    let kind = [brand.as_slice(), &[0; 4], brand, b"isom"].concat();
    [boxed(b"ftyp", &kind), boxes.concat()].concat()
}

fn movie_header() -> Vec<u8> {
    boxed(b"mvhd", &[0; 100])
}

fn jpeg_xl() -> Vec<u8> {
    [
        boxed(b"JXL ", b"\r\n\x87\n"),
        boxed(b"ftyp", b"jxl \0\0\0\0jxl "),
        boxed(b"jxlc", b"\xff\x0a a picture"),
    ]
    .concat()
}

fn riff(form: &[u8; 4], chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let chunk = |(name, content): &(&[u8; 4], &[u8])| {
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        let padding = if content.len() % 2 == 0 { &[][..] } else { &[0] };
        [name.as_slice(), &length, content, padding].concat()
    };
    let content = [form.to_vec(), chunks.iter().map(chunk).collect::<Vec<_>>().concat()].concat();
    [b"RIFF".as_slice(), &u32::try_from(content.len()).unwrap().to_le_bytes(), &content].concat()
}

/// One grey pixel.
fn tiff() -> Vec<u8> {
    let entries: [(u16, u16, u32); 9] = [
        (256, 3, 1),
        (257, 3, 1),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 3, 1),
        (279, 4, 1),
    ];
    let mut bytes = b"II*\0\x0a\0\0\0\x7f\0".to_vec();
    bytes.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    bytes
}
