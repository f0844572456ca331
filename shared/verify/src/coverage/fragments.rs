//! Fragmented videos: a head (`moov`) in one file, and the pictures in others (ISO/IEC 14496-12, section 8.16).

use std::io::{self, Read, Seek, SeekFrom};

use c2pa::assertions::{BmffHash, DataMap, ExclusionsMap, SubsetMap};

use super::boxes::{MAX_BOXES, walk};
use super::next_bytes::read;
use crate::binding::{BaseMedia, BoxExclusion};

/// The boxes that lead to the tables of samples.
const CONTAINERS: [&[u8; 4]; 4] = [b"trak", b"mdia", b"minf", b"stbl"];

/// Returns `true` if a file is the head of a video, contains none of its content, and has tables without samples.
pub fn is_head(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut left = MAX_BOXES;
    let Some(found) = walk(file, 0, end, &mut left)? else { return Ok(false) };
    if found.iter().any(|(name, ..)| name == b"mdat" || name == b"moof") {
        return Ok(false);
    }
    let mut movies: Vec<_> = found.into_iter().filter(|(name, ..)| name == b"moov").collect();
    let has_movie = !movies.is_empty();
    while let Some((_, start, end)) = movies.pop() {
        let Some(inner) = walk(file, start, end, &mut left)? else { return Ok(false) };
        for (name, start, end) in inner {
            // Version and flags come first, and in some tables the size of samples comes next.
            let count = match &name {
                b"stts" | b"stsc" | b"stco" | b"co64" => 4,
                b"stsz" | b"stz2" => 8,
                _ => {
                    if CONTAINERS.contains(&&name) {
                        movies.push((name, start, end));
                    }
                    continue;
                }
            };
            file.seek(SeekFrom::Start(start + count))?;
            if start + count + 4 > end || read(file)? != Some([0; 4]) {
                return Ok(false);
            }
        }
    }
    Ok(has_movie)
}

/// Returns `true` if a head, without its exclusions, has the hash that each tree of `hash` names.
pub fn has_its_hash(hash: &BaseMedia, head: &mut (impl Read + Seek)) -> bool {
    let trees = hash.merkle.as_deref().unwrap_or_default();
    !trees.is_empty()
        && trees.iter().all(|tree| {
            let Some(alg) = tree.alg.as_deref().or(hash.alg.as_deref()) else { return false };
            let mut computed = BmffHash::new("", alg, None);
            computed.set_bmff_version(hash.version);
            computed.exclusions_mut().extend(hash.exclusions.iter().map(exclusion));
            computed.gen_hash_from_stream(head).is_ok()
                && computed.hash() == tree.init_hash.as_ref().map(|bytes| &bytes.0)
        })
}

fn exclusion(written: &BoxExclusion) -> ExclusionsMap {
    let marks = written.data.as_ref().map(|marks| {
        marks.iter().map(|mark| DataMap { offset: mark.offset, value: mark.value.0.clone() }).collect()
    });
    let subsets = written.subset.as_ref().map(|subsets| {
        subsets.iter().map(|subset| SubsetMap { offset: subset.offset, length: subset.length }).collect()
    });
    ExclusionsMap {
        length: written.length,
        data: marks,
        subset: subsets,
        version: written.version,
        flags: written.flags.as_ref().map(|flags| flags.0.clone().into()),
        exact: written.exact,
        ..ExclusionsMap::new(written.xpath.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [(content.len() as u32 + 8).to_be_bytes().as_slice(), name, content].concat()
    }

    /// Returns a file of boxes with these names and empty content.
    fn file(names: &[&[u8; 4]]) -> Cursor<Vec<u8>> {
        Cursor::new(names.iter().flat_map(|name| boxed(name, &[])).collect())
    }

    #[test]
    fn a_head_has_no_content() {
        for (names, expected) in [
            (&[b"ftyp", b"uuid", b"moov"][..], true),
            (&[b"ftyp", b"moov", b"mdat"], false),
            (&[b"ftyp", b"moov", b"moof"], false),
            (&[b"styp", b"moof", b"mdat"], false),
            (&[b"ftyp"], false),
        ] {
            assert_eq!(is_head(&mut file(names)).unwrap(), expected, "{names:?}");
        }
        let movie = b"\0\0\0\x08moov".as_slice();
        for (rest, expected) in [
            (b"\0\0\0\0free and more".as_slice(), true),
            (b"\0\0\0\x07free", false),
            (b"\0\0\0\x20free", false),
            (b"\0\0\0\0mdat", false),
            (b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x10", false),
            (b"\0\0\0", false),
        ] {
            assert_eq!(is_head(&mut Cursor::new([movie, rest].concat())).unwrap(), expected, "{rest:?}");
        }
    }

    #[test]
    fn a_head_has_no_samples() {
        let head = |table: &[u8; 4], content: &[u8]| {
            let tables = [boxed(b"stsd", &[9; 8]), boxed(table, content)].concat();
            let track = boxed(b"mdia", &boxed(b"minf", &boxed(b"stbl", &tables)));
            let movie = [boxed(b"mvhd", &[0; 100]), boxed(b"trak", &track)].concat();
            is_head(&mut Cursor::new([boxed(b"ftyp", b"iso5"), boxed(b"moov", &movie)].concat())).unwrap()
        };
        for table in [b"stts", b"stsc", b"stco", b"co64"] {
            assert!(head(table, &[0; 8]), "{table:?}");
            assert!(!head(table, &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9]), "{table:?}");
            assert!(!head(table, &[0; 4]), "{table:?}");
        }
        for table in [b"stsz", b"stz2"] {
            assert!(head(table, &[0; 12]), "{table:?}");
            assert!(!head(table, &[0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1]), "{table:?}");
        }
    }
}
