//! The actions and options of `credlink files`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use credlink_core::bounds::MAX_LINK_SECONDS;
use credlink_core::file::{
    Access, CollectionName, EntityRef, FileId, FocalPoint, MediaName, OwnerId, ProfileName, UploadId,
};

use super::proofs::count;
use super::time;

/// The action of `credlink files`.
#[derive(Debug, Args)]
pub struct Files {
    /// The action to take.
    #[command(subcommand)]
    pub action: Action,
}

/// The actions on files.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Upload files; after an interruption, the same command sends what is missing
    Put(Put),
    /// Write the bytes of a file, or of one of its renditions
    Get(Get),
    /// Print the record of a file
    Show {
        /// The ID of the file
        #[arg(value_name = "ID")]
        id: FileId,
    },
    /// List the files of an entity, an owner or a collection
    List(List),
    /// Delete files
    Delete {
        /// The IDs of the files
        #[arg(value_name = "ID", required = true)]
        ids: Vec<FileId>,
    },
    /// Print a signed link to the bytes of a file, which works for anybody who has it
    Link(Link),
    /// Make the renditions of pictures anew, after a profile was changed; this needs the scope media:admin
    Regenerate(Regenerate),
    /// Put a file into the list of an entity, or move it within the list
    Attach {
        /// The list.
        #[command(flatten)]
        list: Place,
        /// The ID of the file
        #[arg(value_name = "ID")]
        id: FileId,
        /// The place in the list, from 0; at the end by default
        #[arg(long, value_name = "NUMBER")]
        position: Option<u32>,
    },
    /// Take a file out of the list of an entity
    Detach {
        /// The list.
        #[command(flatten)]
        list: Place,
        /// The ID of the file
        #[arg(value_name = "ID")]
        id: FileId,
    },
    /// Put a file into the list of an entity in the place of another one, which leaves the list
    Replace {
        /// The list.
        #[command(flatten)]
        list: Place,
        /// The ID of the file that leaves
        #[arg(value_name = "OLD")]
        old: FileId,
        /// The ID of the file that takes its place
        #[arg(value_name = "NEW")]
        new: FileId,
    },
    /// Order the list of an entity: the named files come first, the others behind them, as they are
    Order {
        /// The list.
        #[command(flatten)]
        list: Place,
        /// The IDs of files in the list, in their new order
        #[arg(value_name = "ID", required = true)]
        ids: Vec<FileId>,
    },
    /// Print the state of an upload: what has arrived, and what became of it
    Status {
        /// The ID of the upload
        #[arg(value_name = "UPLOAD")]
        id: UploadId,
    },
    /// End an upload, and remove what has arrived
    Abort {
        /// The ID of the upload
        #[arg(value_name = "UPLOAD")]
        id: UploadId,
    },
}

/// The options of `credlink files put`.
#[derive(Debug, Args)]
pub struct Put {
    /// The files; - is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The collection, whose rules decide what is accepted and made of it
    #[arg(long, value_name = "NAME", required_unless_present = "resume")]
    pub collection: Option<CollectionName>,
    /// The entity into whose list the files are put, in the order in which they are named
    #[arg(long, value_name = "TYPE/ID", conflicts_with = "resume")]
    pub entity: Option<EntityRef>,
    /// The place of the first file in that list, from 0; at the end by default
    #[arg(long, value_name = "NUMBER", requires = "entity")]
    pub position: Option<u32>,
    /// The owner of the files; by default the subject of the token. Anybody else needs the scope media:admin
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    pub owner: Option<OwnerId>,
    /// The media type of the files; by default detected from their content or name
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "resume")]
    pub media_type: Option<String>,
    /// The readers: public, authenticated or private; by default those of the collection
    #[arg(long, value_name = "READERS", conflicts_with = "resume")]
    pub access: Option<Access>,
    /// The point of the pictures that a crop keeps, as fractions of width and height; by default the centre, 0.5,0.5
    #[arg(long, value_name = "X,Y", value_parser = focal_point, conflicts_with = "resume")]
    pub focal: Option<FocalPoint>,
    /// Continue this upload with the file, whoever began it
    #[arg(long, value_name = "UPLOAD", conflicts_with = "collection")]
    pub resume: Option<UploadId>,
    /// Send the bytes, and do not wait for what becomes of them
    #[arg(long)]
    pub no_wait: bool,
    /// The time to wait for a file that was sent: 90s, 10m, 1h
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = patience, conflicts_with = "no_wait")]
    pub patience: Duration,
    /// The number of files and parts to send at once
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub concurrency: u8,
}

/// The options of `credlink files get`.
#[derive(Debug, Args)]
pub struct Get {
    /// The ID of the file
    #[arg(value_name = "ID")]
    pub id: FileId,
    /// The part: original, or the name of a profile, with an extension or without, such as large or large.webp
    #[arg(value_name = "NAME", default_value = "original")]
    pub name: MediaName,
    /// A file to write, which must not exist yet; - is standard output, the default
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file of --output if it exists
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// The options of `credlink files list`.
#[derive(Debug, Args)]
pub struct List {
    /// The files that are looked for.
    #[command(flatten)]
    pub which: Which,
    /// The maximum number of files; all by default
    #[arg(long, value_name = "COUNT", value_parser = count, allow_negative_numbers = true)]
    pub limit: Option<usize>,
}

/// The files that are looked for.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// The entity in whose lists the files are
    #[arg(long, value_name = "TYPE/ID")]
    pub entity: Option<EntityRef>,
    /// The owner of the files; by default, all owners with the scope media:admin, and otherwise the caller only
    #[arg(long, value_name = "NAME")]
    pub owner: Option<OwnerId>,
    /// The collection of the files
    #[arg(long, value_name = "NAME")]
    pub collection: Option<CollectionName>,
}

/// The options of `credlink files link`.
#[derive(Debug, Args)]
pub struct Link {
    /// The ID of the file
    #[arg(value_name = "ID")]
    pub id: FileId,
    /// The part: original, or the name of a profile, with an extension or without, such as large or large.webp
    #[arg(value_name = "NAME", default_value = "original")]
    pub name: MediaName,
    /// The lifetime of the link: 90s, 15m, 1h, 7d; at most seven days
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    pub expires_in: Duration,
    /// Let the link ask browsers to save the file
    #[arg(long)]
    pub download: bool,
}

/// The options of `credlink files regenerate`.
#[derive(Debug, Args)]
pub struct Regenerate {
    /// The IDs of the files; or name them by --entity, --owner or --collection
    #[arg(
        value_name = "ID",
        required_unless_present_any = ["entity", "owner", "collection"],
        conflicts_with_all = ["entity", "owner", "collection"]
    )]
    pub ids: Vec<FileId>,
    /// The files that are looked for.
    #[command(flatten)]
    pub which: Which,
    /// Make only the renditions that a file does not have by the present profiles
    #[arg(long)]
    pub only_missing: bool,
    /// Make the renditions of this profile alone
    #[arg(long, value_name = "NAME")]
    pub profile: Option<ProfileName>,
}

/// The list of an entity.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// The entity, such as item/4711
    #[arg(value_name = "TYPE/ID")]
    pub entity: EntityRef,
    /// The collection
    #[arg(value_name = "COLLECTION")]
    pub collection: CollectionName,
}

fn lifetime(text: &str) -> Result<Duration, String> {
    time::time(text, 1..=MAX_LINK_SECONDS, "from one second to seven days")
}

fn patience(text: &str) -> Result<Duration, String> {
    time::time(text, 1..=86_400, "from one second to a day: 90s, 10m, 1h")
}

fn focal_point(text: &str) -> Result<FocalPoint, String> {
    let written = || format!("a focal point is written X,Y, such as 0.5,0.25, and not `{text}`");
    let (x, y) = text.split_once(',').ok_or_else(written)?;
    let (x, y) = (x.trim().parse().map_err(|_| written())?, y.trim().parse().map_err(|_| written())?);
    FocalPoint::new(x, y).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_points_are_read() {
        assert_eq!(lifetime("7d"), Ok(Duration::from_secs(604_800)));
        assert!(lifetime("8d").is_err());
        assert_eq!(patience("10m"), Ok(Duration::from_secs(600)));
        assert!(patience("0").is_err());
        assert_eq!(focal_point("0.5, 0.25"), Ok(FocalPoint::new(0.5, 0.25).unwrap()));
        for (wrong, said) in
            [("", "X,Y"), ("0.5", "X,Y"), ("a,b", "X,Y"), ("2,0", "from 0 to 1"), ("nan,0", "from 0 to 1")]
        {
            let error = focal_point(wrong).unwrap_err();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }
}
