//! The actions that only read: ls, stat, cat, stats, health, sign.

use std::time::{Duration, Instant};

use credlink_core::object::Head;
use credlink_s3::{Entry, Range};
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};

use super::providers::{Providers, absent, failed};
use crate::args::storage::{Method, StorageLocation};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// Prints one line per entry, as they come, because a bucket may hold millions of objects.
pub(super) async fn list(
    providers: &Providers,
    place: &StorageLocation,
    recursive: bool,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let provider = providers.named(&place.provider).await?;
    let mut entries = provider.walk(&place.key, recursive);
    let mut printed = 0_u64;
    while let Some(entry) = entries.try_next().await.map_err(failed)? {
        match entry {
            Entry::Prefix(prefix) => {
                printer.row(|| format!("{:>12}  {:24}  {prefix}", "", ""), &json!({ "prefix": prefix }))?
            }
            Entry::Object(object) => printer.row(
                || format!("{:>12}  {}  {}", object.size, object.modified, object.key),
                &json!({ "key": object.key, "size": object.size, "modified": object.modified.to_string() }),
            )?,
        }
        printed += 1;
    }
    if printed == 0 {
        printer.remark(&format!("nothing begins with {place}"));
    }
    Ok(Exit::Done)
}

/// Prints the attributes of an object.
pub(super) async fn stat(
    providers: &Providers,
    place: &StorageLocation,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let provider = providers.named(&place.provider).await?;
    let head = provider.describe(&place.key).await.map_err(failed)?.ok_or_else(|| absent(place))?;
    let attributes = &head.attributes;
    let value = json!({
        "key": place.key,
        "size": head.size,
        "modified": head.modified.to_string(),
        "tag": head.tag.0,
        "attributes": attributes,
    });
    printer.say(|| words(place, &head), &value)?;
    Ok(Exit::Done)
}

fn words(place: &StorageLocation, head: &Head) -> Vec<String> {
    let attributes = &head.attributes;
    let mut lines = vec![
        place.to_string(),
        format!("  size      {}", head.size),
        format!("  modified  {}", head.modified),
        format!("  tag       {}", head.tag.0),
        format!("  type      {}", attributes.content_type),
    ];
    lines.extend(attributes.content_encoding.as_ref().map(|coding| format!("  encoding  {coding}")));
    lines.extend(attributes.cache_control.as_ref().map(|policy| format!("  cache     {policy}")));
    lines.extend(attributes.metadata.iter().map(|(name, value)| format!("  metadata  {name}: {value}")));
    lines.extend(attributes.tags.iter().map(|(name, value)| format!("  tag       {name}={value}")));
    lines
}

/// Writes an object to stdout, piece by piece.
pub(super) async fn cat(
    providers: &Providers,
    place: &StorageLocation,
    range: Option<Range>,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let provider = providers.named(&place.provider).await?;
    let download =
        provider.download(&place.key, range).await.map_err(failed)?.ok_or_else(|| absent(place))?;
    let attributes = &download.head.attributes;
    let is_text = attributes.content_encoding.is_none()
        && (attributes.content_type.starts_with("text/") || attributes.content_type.ends_with("json"));
    let mut body = download.body;
    // A character that is cut by the end of a piece is judged with the next piece.
    let mut cut = Vec::new();
    while let Some(bytes) = body.try_next().await.map_err(failed)? {
        if !is_text {
            printer.binary(&bytes)?;
            continue;
        }
        let mut piece = std::mem::take(&mut cut);
        piece.extend_from_slice(&bytes);
        cut = piece.split_off(piece.len() - cut_at_the_end(&piece));
        printer.text(&piece)?;
    }
    if !cut.is_empty() {
        printer.text(&cut)?;
    }
    Ok(Exit::Done)
}

/// Returns the number of bytes at the end that begin a character and do not complete it (RFC 3629, section 3).
fn cut_at_the_end(bytes: &[u8]) -> usize {
    let length = |first: u8| match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    let last = bytes.iter().rev().take(3).enumerate();
    last.into_iter()
        .find(|(_, byte)| **byte >= 0xc0)
        .filter(|(at, byte)| at + 1 < length(**byte))
        .map_or(0, |(at, _)| at + 1)
}

/// Prints the number of objects and their bytes.
pub(super) async fn stats(
    providers: &Providers,
    place: &StorageLocation,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let sum = providers.named(&place.provider).await?.sum(&place.key).await.map_err(failed)?;
    let words = || format!("{} objects, {} bytes", sum.objects, sum.bytes);
    printer.say(words, &json!({ "objects": sum.objects, "bytes": sum.bytes }))?;
    Ok(Exit::Done)
}

/// Prints whether a provider can be used.
pub(super) async fn health(providers: &Providers, name: &str, printer: &Printer) -> Result<Exit, Trouble> {
    let provider = providers.named(name).await?;
    let began = Instant::now();
    let trouble = match provider.bucket() {
        Some(bucket) => bucket.check().await.err(),
        None => provider.walk("", true).try_next().await.err(),
    };
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let error = trouble.as_ref().map_or(Value::Null, |error| json!(error.to_string()));
    let value =
        json!({ "provider": name, "ok": trouble.is_none(), "latency_ms": milliseconds, "error": error });
    let words = || match &trouble {
        None => format!("{name} answers, in {milliseconds} ms"),
        Some(error) => format!("{name} cannot be used: {}", error.message),
    };
    printer.say(words, &value)?;
    Ok(if trouble.is_none() { Exit::Done } else { Exit::Failed })
}

/// Prints a signed URL.
pub(super) async fn sign(
    providers: &Providers,
    place: &StorageLocation,
    expires_in: Duration,
    method: Method,
    content_type: Option<&str>,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let provider = providers.named(&place.provider).await?;
    let no_links =
        || Trouble::new(TroubleKind::Usage, "a folder has no signed URLs: serve it with `credlink serve`");
    let bucket = provider.bucket().ok_or_else(no_links)?;
    let signed = match method {
        Method::Get if content_type.is_some() => {
            return Err(Trouble::new(TroubleKind::Usage, "--content-type goes with --method PUT"));
        }
        Method::Get => bucket.sign_get(&place.key, expires_in).await,
        Method::Put => bucket.sign_put(&place.key, expires_in, content_type).await,
    };
    let signed = signed.map_err(failed)?;
    let value = json!({
        "method": signed.method,
        "url": signed.url,
        "headers": signed.headers,
        "expires_in": expires_in.as_secs(),
    });
    let headers = signed.headers.iter().filter(|(name, _)| *name != "content-length");
    for (name, value) in headers {
        printer.remark(&format!("send it with the header `{name}: {value}`"));
    }
    printer.say(|| signed.url.clone(), &value)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_cut_waits_for_the_rest() {
        for (text, cut) in [("a", 1), ("\u{9b}", 2), ("\u{202e}", 3), ("\u{1f600}", 4)] {
            let bytes = text.as_bytes();
            assert_eq!(bytes.len(), cut);
            for end in 0..bytes.len() {
                let piece = [b"x".as_slice(), &bytes[..end]].concat();
                assert_eq!(cut_at_the_end(&piece), end, "{text:?} {end}");
            }
            assert_eq!(cut_at_the_end(bytes), 0, "{text:?}");
        }
    }
}
