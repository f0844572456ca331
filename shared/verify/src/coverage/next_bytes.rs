//! Reading of the next bytes of a file.

use std::io::{self, Read};

/// Reads the next bytes of a file. Returns `None` at its end.
pub fn read<const LENGTH: usize>(file: &mut impl Read) -> io::Result<Option<[u8; LENGTH]>> {
    let mut bytes = [0; LENGTH];
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
