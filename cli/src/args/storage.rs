//! What can be typed behind `credlink storage`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use credlink_aws::s3::Range;
use credlink_core::replica::Replica;

/// Work with the objects of a provider.
#[derive(Debug, Args)]
pub struct Storage {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with objects.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List what is there, and how large it is
    Ls {
        /// What keys begin with, such as s3:proofs/
        #[arg(value_name = "PROVIDER:PREFIX")]
        place: Place,
        /// All keys, instead of those up to the next `/`
        #[arg(short, long)]
        recursive: bool,
    },
    /// Print what is said of an object
    Stat {
        /// The object
        #[arg(value_name = "PROVIDER:KEY")]
        place: Place,
    },
    /// Copy an object, or with --recursive all under a prefix, over what stands there
    Cp(Transfer),
    /// Move an object, or with --recursive all under a prefix, over what stands there
    Mv(Transfer),
    /// Delete objects
    Rm {
        /// The objects
        #[arg(value_name = "PROVIDER:KEY", required = true)]
        places: Vec<Place>,
        /// All whose keys begin like this; needs --yes
        #[arg(short, long)]
        recursive: bool,
        /// Yes, all of them
        #[arg(long)]
        yes: bool,
    },
    /// Print a signed URL for an object, which whoever holds it may use
    Sign {
        /// The object
        #[arg(value_name = "PROVIDER:KEY")]
        place: Place,
        /// How long it is good for: 90s, 15m, 1h, 7d; seven days at most
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
        expires_in: Duration,
        /// What it is good for
        #[arg(long, value_enum, default_value = "GET", ignore_case = true)]
        method: Method,
        /// The media type that has to be sent with PUT
        #[arg(long, value_name = "TYPE")]
        content_type: Option<String>,
    },
    /// Write an object to stdout, as it is stored
    Cat {
        /// The object
        #[arg(value_name = "PROVIDER:KEY")]
        place: Place,
        /// Some of its bytes: 0-99, 100- or -100 (the last hundred)
        #[arg(long, value_name = "FROM-TO", value_parser = range, allow_hyphen_values = true)]
        range: Option<Range>,
    },
    /// Store a file as an object, over what stands there
    Put {
        /// The file
        file: PathBuf,
        /// The object; a key that ends with `/` takes the file's name
        #[arg(value_name = "PROVIDER:KEY")]
        place: Place,
        /// Its media type
        #[arg(long, value_name = "TYPE", default_value = "application/octet-stream")]
        content_type: String,
    },
    /// Check that a provider can be used, and say what is wrong if not
    Health {
        /// The provider: s3, r2, folder, primary or fallback
        provider: String,
    },
    /// Queue everything that one provider holds to be brought to the other, where it is missing or behind
    Replicate {
        /// The provider to bring it to
        #[arg(value_enum)]
        to: To,
        /// Go on behind this key
        #[arg(long, value_name = "KEY")]
        after: Option<String>,
    },
    /// Count objects and bytes
    Stats {
        /// What keys begin with
        #[arg(value_name = "PROVIDER:PREFIX")]
        place: Place,
    },
}

/// From where to where.
#[derive(Debug, Args)]
pub struct Transfer {
    /// The object, or the prefix
    #[arg(value_name = "PROVIDER:KEY")]
    pub from: Place,
    /// Where to; a key that ends with `/` takes the object's name
    #[arg(value_name = "PROVIDER:KEY")]
    pub to: Place,
    /// All whose keys begin like this
    #[arg(short, long)]
    pub recursive: bool,
}

/// The provider that is to be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// That of STORAGE_PROVIDER
    Primary,
    /// That of STORAGE_FALLBACK_PROVIDER
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

/// What a signed URL is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Reading.
    #[value(name = "GET")]
    Get,
    /// Writing.
    #[value(name = "PUT")]
    Put,
}

/// A key, or the beginning of keys, at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `s3`, `r2`, `folder`, `primary` or `fallback`.
    pub provider: String,
    /// The key.
    pub key: String,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (provider, key) =
            text.split_once(':').ok_or("a place is written PROVIDER:KEY, such as s3:proofs/")?;
        Ok(Self { provider: provider.to_owned(), key: key.to_owned() })
    }
}

impl std::fmt::Display for Place {
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
        let place: Place = "s3:a:b".parse().unwrap();
        assert_eq!((place.provider.as_str(), place.key.as_str()), ("s3", "a:b"));
        assert!("photo.jpg".parse::<Place>().is_err());
    }
}
