//! The actions that write: put, cp, mv. Objects are streamed as they are stored, with all of their attributes.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use credlink_aws::{Error, ErrorKind};
use credlink_core::object::Attributes;
use credlink_deployment::provider::Provider;
use credlink_s3::Body;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::providers::{Providers, absent, failed};
use crate::args::storage::{StorageLocation, Transfer};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// Bytes that are read from a file at once.
const PIECE: usize = 256 * 1_024;
/// Objects that are in transfer at once.
const PARALLEL: usize = 8;

/// The fate of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The original stays.
    Copy,
    /// The original is deleted after the copy was compared with it.
    Move,
}

impl Way {
    const fn done(self) -> &'static str {
        match self {
            Self::Copy => "copied",
            Self::Move => "moved",
        }
    }
}

/// Stores a file.
pub(super) async fn put(
    providers: &Providers,
    file: &Path,
    place: &StorageLocation,
    content_type: String,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let unreadable = |error: std::io::Error| Trouble::file(file, "read", &error);
    let provider = providers.named(&place.provider).await?;
    let key = key_in(&place.key, &file.file_name().unwrap_or_default().to_string_lossy());
    let opened = File::open(file).await.map_err(unreadable)?;
    let length = opened.metadata().await.map_err(unreadable)?.len();
    let attributes = Attributes { content_type, ..Attributes::default() };
    let uploaded = provider.upload(&key, &attributes, Some(length), pieces(opened)).await.map_err(failed)?;
    let place = StorageLocation { key, ..place.clone() };
    let words = || format!("{place}: {} bytes", uploaded.size);
    printer.say(words, &json!({ "key": place.key, "size": uploaded.size, "parts": uploaded.parts }))?;
    Ok(Exit::Done)
}

fn pieces(file: File) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    stream::try_unfold(file, |mut file| async move {
        let mut piece = Vec::with_capacity(PIECE);
        match (&mut file).take(PIECE as u64).read_to_end(&mut piece).await {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some((Bytes::from(piece), file))),
            Err(error) => Err(Error::new("file", ErrorKind::Unavailable, error.to_string())),
        }
    })
}

/// Copies or moves one object, or everything under a prefix.
pub(super) async fn transfer(
    providers: &Providers,
    args: &Transfer,
    way: Way,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let Transfer { from, to, recursive } = args;
    let source = providers.named(&from.provider).await?;
    let target = providers.named(&to.provider).await?;
    let within = providers.are_one(&from.provider, &to.provider)?;
    if !recursive {
        let key = key_in(&to.key, from.key.rsplit('/').next().unwrap_or_default());
        let size = one(&source, &from.key, &target, &key, within, way).await.map_err(failed)?;
        let size = size.ok_or_else(|| absent(from))?;
        let words = || format!("{from} {} to {}:{key}, {size} bytes", way.done(), to.provider);
        printer.say(words, &json!({ "from": from.key, "to": key, "size": size }))?;
        return Ok(Exit::Done);
    }
    if within && to.key.starts_with(&from.key) {
        let what = format!("{to} lies within {from}: the copies would be copied again");
        return Err(Trouble::new(TroubleKind::Usage, what));
    }
    let transfers = source.walk(&from.key, true).map(|entry| {
        let (source, target) = (&source, &target);
        async move {
            let key = entry.map_err(|error| (None, error))?.key().to_owned();
            let new = format!("{}{}", to.key, key.get(from.key.len()..).unwrap_or_default());
            let done = one(source, &key, target, &new, within, way).await;
            done.map_err(|error| (Some(key), error))
        }
    });
    let mut transfers = std::pin::pin!(transfers.buffer_unordered(PARALLEL));
    let (mut done, mut bytes, mut refused) = (0_u64, 0_u64, Vec::new());
    while let Some(outcome) = transfers.next().await {
        match outcome {
            Ok(Some(size)) => (done, bytes) = (done + 1, bytes + size),
            // The object was deleted after it was listed.
            Ok(None) => {}
            Err((Some(key), error)) => {
                printer.remark(&format!("{key} was not {}: {error}", way.done()));
                refused.push(json!({ "key": key, "reason": error.to_string() }));
            }
            Err((None, error)) => return Err(failed(error)),
        }
    }
    let words = || match refused.len() {
        0 => format!("{done} {}, {bytes} bytes", way.done()),
        not => format!("{done} {}, {bytes} bytes; {not} not", way.done()),
    };
    printer.say(words, &json!({ way.done(): done, "bytes": bytes, "failed": refused }))?;
    Ok(if refused.is_empty() { Exit::Done } else { Exit::Failed })
}

/// Copies or moves one object. Returns its size, or `None` if there is no such object.
async fn one(
    source: &Provider,
    from: &str,
    target: &Provider,
    to: &str,
    within: bool,
    way: Way,
) -> Result<Option<u64>, Error> {
    if within {
        let head = match way {
            Way::Copy => source.copy(from, to).await?,
            Way::Move => source.rename(from, to).await?,
        };
        return Ok(head.map(|head| head.size));
    }
    let Some(head) = source.describe(from).await? else { return Ok(None) };
    let Some(download) = source.download(from, None).await? else { return Ok(None) };
    if download.head.tag != head.tag {
        let what = format!("{from} was replaced while it was copied; try again");
        return Err(Error::new("source", ErrorKind::PreconditionFailed, what));
    }
    let sent = Arc::new(Mutex::new(Sha256::new()));
    let body = hashed(download.body, Arc::clone(&sent));
    let uploaded = target.upload(to, &head.attributes, Some(head.size), body).await?;
    if uploaded.size != head.size {
        let what = format!("{from} has {} bytes, and {} came", head.size, uploaded.size);
        return Err(Error::new("source", ErrorKind::Unavailable, what));
    }
    if way == Way::Move {
        // The tags of two providers cannot be compared, so the copy is read back before the original is deleted.
        let read_back = Arc::new(Mutex::new(Sha256::new()));
        if let Some(copy) = target.download(to, None).await? {
            hashed(copy.body, Arc::clone(&read_back)).try_for_each(|_| async { Ok(()) }).await?;
        }
        if digest(&sent) != digest(&read_back) {
            let what =
                format!("the copy of {from} at {to} is not what was sent; the original is left in place");
            return Err(Error::new("target", ErrorKind::Damaged, what));
        }
        if let Some((_, reason)) = source.remove_all(&[from.to_owned()]).await.failed.pop() {
            return Err(Error::new("source", ErrorKind::Unavailable, reason));
        }
    }
    Ok(Some(head.size))
}

fn hashed(body: Body, hash: Arc<Mutex<Sha256>>) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    body.inspect_ok(move |bytes| hash.lock().unwrap_or_else(PoisonError::into_inner).update(bytes))
}

fn digest(hash: &Mutex<Sha256>) -> Vec<u8> {
    hash.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize().to_vec()
}

/// Returns the key, with the name appended if the key is a prefix.
fn key_in(key: &str, name: &str) -> String {
    if key.is_empty() || key.ends_with('/') { format!("{key}{name}") } else { key.to_owned() }
}
