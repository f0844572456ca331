//! Ordered lists of files.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::FileId;
use crate::bounds::MAX_LIST;

/// The files of an entity in a collection, in order, each once. JSON has it as an array, and a row as text with spaces,
/// because the sets of DynamoDB have no order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FileList(Vec<FileId>);

/// A reason why IDs are not a list of files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileListError {
    /// A file is in the list twice.
    #[error("the file {0} is named twice; a list has each file once")]
    Twice(FileId),
    /// The list is too long.
    #[error("a list has at most {MAX_LIST} files; this has {0}")]
    TooLong(usize),
    /// A part of the text is not an ID.
    #[error("{0}")]
    Id(#[from] super::FileIdError),
}

impl FileList {
    /// Returns the list of these files.
    ///
    /// # Errors
    /// Fails if a file is named twice, or there are too many.
    pub fn new(files: Vec<FileId>) -> Result<Self, FileListError> {
        if files.len() > MAX_LIST {
            return Err(FileListError::TooLong(files.len()));
        }
        let mut seen = BTreeSet::new();
        match files.iter().find(|file| !seen.insert(**file)) {
            Some(file) => Err(FileListError::Twice(*file)),
            None => Ok(Self(files)),
        }
    }

    /// Returns the files in order.
    #[must_use]
    pub fn files(&self) -> &[FileId] {
        &self.0
    }

    /// Returns `true` if the file is in the list.
    #[must_use]
    pub fn contains(&self, file: &FileId) -> bool {
        self.0.contains(file)
    }
}

impl fmt::Display for FileList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, file) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{file}")?;
        }
        Ok(())
    }
}

impl FromStr for FileList {
    type Err = FileListError;

    fn from_str(text: &str) -> Result<Self, FileListError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let count = text.split(' ').count();
        if count > MAX_LIST {
            return Err(FileListError::TooLong(count));
        }
        Self::new(text.split(' ').map(str::parse).collect::<Result<_, _>>()?)
    }
}

impl<'de> Deserialize<'de> for FileList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_an_order_and_each_file_once() {
        let (a, b) = (FileId::from_random([1; 20]), FileId::from_random([2; 20]));
        let list = FileList::new(vec![b, a]).unwrap();
        assert_eq!(list.to_string(), format!("{b} {a}"));
        assert_eq!(list.to_string().parse(), Ok(list.clone()));
        assert_eq!(serde_json::to_string(&list).unwrap(), format!(r#"["{b}","{a}"]"#));
        assert_eq!("".parse(), Ok(FileList::default()));
        assert_eq!(FileList::new(vec![a, b, a]), Err(FileListError::Twice(a)));
        for bad in
            [format!("{a} {a}"), format!("{a}  {b}"), format!("{a} "), "x".to_owned(), " ".repeat(2_000)]
        {
            assert!(bad.parse::<FileList>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<FileList>(&format!(r#"["{a}","{a}"]"#)).is_err());
    }
}
