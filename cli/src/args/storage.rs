//! The actions and options of `credlink storage`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use credlink_core::replica::Replica;
use credlink_s3::Range;

/// The action of `credlink storage`.
#[derive(Debug, Args)]
pub struct Storage {
    /// The action to take.
    #[command(subcommand)]
    pub action: Action,
}

/// The actions on objects.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List objects and their sizes
    Ls {
        /// The prefix of the keys, such as s3:proofs/
        #[arg(value_name = "PROVIDER:PREFIX")]
        place: StorageLocation,
        /// List all keys under the prefix, instead of those up to the next `/`
        #[arg(short, long)]
        recursive: bool,
    },
    /// Print the attributes of an object
    Stat {
        /// The object
        #[arg(value_name = "PROVIDER:KEY")]
        place: StorageLocation,
    },
    /// Copy an object, or everything under a prefix with --recursive, and replace what exists
    Cp(Transfer),
    /// Move an object, or everything under a prefix with --recursive, and replace what exists
    Mv(Transfer),
    /// Delete objects
    Rm {
        /// The objects, or the prefixes
        #[arg(value_name = "PROVIDER:KEY", required = true)]
        places: Vec<StorageLocation>,
        /// Delete everything under each prefix; needs --yes
        #[arg(short, long)]
        recursive: bool,
        /// Confirm --recursive
        #[arg(long)]
        yes: bool,
    },
    /// Print a signed URL for an object, which works for anybody who has it
    Sign {
        /// The object
        #[arg(value_name = "PROVIDER:KEY")]
        place: StorageLocation,
        /// The lifetime of the URL: 90s, 15m, 1h, 7d; at most seven days
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
        expires_in: Duration,
        /// The method that the URL allows
        #[arg(long, value_enum, default_value = "GET", ignore_case = true)]
        method: Method,
        /// The media type that must be sent with PUT
        #[arg(long, value_name = "TYPE")]
        content_type: Option<String>,
    },
    /// Write an object to stdout, as it is stored
    Cat {
        /// The object
        #[arg(value_name = "PROVIDER:KEY")]
        place: StorageLocation,
        /// Write only these bytes: 0-99, 100- or -100 (the last hundred)
        #[arg(long, value_name = "FROM-TO", value_parser = range, allow_hyphen_values = true)]
        range: Option<Range>,
    },
    /// Store a file as an object, and replace what exists
    Put {
        /// The file
        file: PathBuf,
        /// The object; the file's name is appended to a key that ends with `/`
        #[arg(value_name = "PROVIDER:KEY")]
        place: StorageLocation,
        /// The media type of the object
        #[arg(long, value_name = "TYPE", default_value = "application/octet-stream")]
        content_type: String,
    },
    /// Check that a provider can be used, and say what is wrong if not
    Health {
        /// The provider: s3, r2, folder, primary or fallback
        provider: String,
    },
    /// Queue everything that one provider has to be copied to the other, where it is missing or behind
    Replicate {
        /// The provider to copy to
        #[arg(value_enum)]
        to: To,
        /// Continue after this key
        #[arg(long, value_name = "KEY")]
        after: Option<String>,
    },
    /// Count objects and bytes
    Stats {
        /// The prefix of the keys
        #[arg(value_name = "PROVIDER:PREFIX")]
        place: StorageLocation,
    },
}

/// The source and the destination of a copy.
#[derive(Debug, Args)]
pub struct Transfer {
    /// The source: an object, or a prefix
    #[arg(value_name = "PROVIDER:KEY")]
    pub from: StorageLocation,
    /// The destination; the object's name is appended to a key that ends with `/`
    #[arg(value_name = "PROVIDER:KEY")]
    pub to: StorageLocation,
    /// Take everything under the prefix
    #[arg(short, long)]
    pub recursive: bool,
}

/// The provider to fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// The provider that STORAGE_PROVIDER names
    Primary,
    /// The provider that STORAGE_FALLBACK_PROVIDER names
    Fallback,
}

impl From<To> for Replica {
    fn from(to: To) -> Self {
        match to {
            To::Primary => Self::Primary,
            To::Fallback => Self::Fallback,
        }
    }
}

/// The methods that a signed URL may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Read the object
    #[value(name = "GET")]
    Get,
    /// Write the object
    #[value(name = "PUT")]
    Put,
}

/// A key, or a prefix of keys, at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageLocation {
    /// `s3`, `r2`, `folder`, `primary` or `fallback`.
    pub provider: String,
    /// The key.
    pub key: String,
}

impl FromStr for StorageLocation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (provider, key) =
            text.split_once(':').ok_or("a place is written PROVIDER:KEY, such as s3:proofs/")?;
        Ok(Self { provider: provider.to_owned(), key: key.to_owned() })
    }
}

impl std::fmt::Display for StorageLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.provider, self.key)
    }
}

fn time(text: &str) -> Result<Duration, String> {
    super::time::time(text, 1..=604_800, "from one second to seven days")
}

fn range(text: &str) -> Result<Range, String> {
    let wrong = || "a range is 0-99, 100- or -100".to_owned();
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    match (first, last) {
        ("", last) => Ok(Range::Last(number(last)?)),
        (first, "") => Ok(Range::From(number(first)?)),
        (first, last) => match (number(first)?, number(last)?) {
            (first, last) if first <= last => Ok(Range::Bounded(first, last)),
            _ => Err("a range ends behind its beginning".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_ranges_and_places_are_read() {
        assert_eq!(time("90"), Ok(Duration::from_secs(90)));
        assert_eq!(time("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in ["", "0s", "8d", "1y", "-1s", "h"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!(range("0-9"), Ok(Range::Bounded(0, 9)));
        assert_eq!(range("5-"), Ok(Range::From(5)));
        assert_eq!(range("-5"), Ok(Range::Last(5)));
        for wrong in ["", "-", "9-1", "x-2", "5"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
        let place: StorageLocation = "s3:a:b".parse().unwrap();
        assert_eq!((place.provider.as_str(), place.key.as_str()), ("s3", "a:b"));
        assert!("photo.jpg".parse::<StorageLocation>().is_err());
    }
}
