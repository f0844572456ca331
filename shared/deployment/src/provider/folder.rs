//! A folder under an operator's commands: keys as they are typed, listings by prefix, and ranges.

use bytes::Bytes;
use credlink_aws::{Error, ErrorKind};
use credlink_core::object::ObjectKey;
use credlink_disk::folder::Folder;
use credlink_ports::Objects as _;
use credlink_s3::{Entry, Range};
use futures_util::stream::{self, Stream, TryStreamExt as _};

/// The number of objects in one page of a folder.
const PAGE: usize = 1_000;

/// The forms of the keys of CredLink's objects, by their prefixes.
const FORMS: [(&str, &str); 9] = [
    ("proofs/", "proofs/{id}, where the id has 32 characters of a-z and 2-7, and proofs/{id}/{revision}"),
    ("manifests/", "manifests/{id}, and manifests/{id}/{tenant} of other tenants than `default`"),
    ("fronts/", "fronts/{manifest id}"),
    ("aliases/", "aliases/{legacy id}"),
    ("holds/", "holds/{manifest id}/{number}, and holds/{manifest id}/{tenant}/{number}"),
    ("removed/", "removed/{milliseconds}/{key}"),
    ("files/", "files/{id}, where the id has 32 characters of a-z and 2-7"),
    (
        "media/",
        "media/{blob id}/original, and media/{blob id}/{profile}-{version}.{extension}, with ~{x}x{y} before the dot around a focal point",
    ),
    ("store/", "store/identity"),
];

/// Parses the key of one of CredLink's objects.
pub(super) fn object_key(key: &str) -> Result<ObjectKey, Error> {
    key.parse().map_err(|_| {
        let what = match FORMS.iter().find(|(start, _)| key.starts_with(start)) {
            Some((_, form)) => {
                format!("`{key}` is no key of an object of CredLink's, which is written {form}")
            }
            None => {
                let starts = FORMS.map(|(start, _)| format!("{start}…")).join(", ");
                format!("a folder holds CredLink's own objects only ({starts}), not `{key}`")
            }
        };
        let what =
            format!("{what}; a key is written as `credlink storage ls` prints it, with %3A for a colon");
        Error::new("folder", ErrorKind::Refused, what)
    })
}

/// Lists the objects of a folder whose keys begin with `prefix`: one by one if `deep`, or grouped up to the next slash.
pub(super) fn walk(
    folder: Folder,
    prefix: String,
    deep: bool,
) -> impl Stream<Item = Result<Entry, Error>> + Send + 'static {
    let start = Some((None::<String>, None::<String>));
    let pages = stream::try_unfold(start, move |state| {
        let (folder, prefix) = (folder.clone(), prefix.clone());
        async move {
            let Some((after, mut seen)) = state else { return Ok(None) };
            let page = folder.list(&prefix, after.as_deref(), PAGE).await?;
            let mut entries = Vec::new();
            for object in page.items {
                let rest = object.key.get(prefix.len()..).unwrap_or_default();
                match rest.find('/').filter(|_| !deep) {
                    None => entries.push(Entry::Object(object)),
                    Some(end) => {
                        let shared = object.key.get(..=prefix.len() + end).unwrap_or_default().to_owned();
                        if seen.as_ref() != Some(&shared) {
                            entries.push(Entry::Prefix(shared.clone()));
                            seen = Some(shared);
                        }
                    }
                }
            }
            Ok::<_, Error>(Some((entries, page.next.map(|next| (Some(next), seen)))))
        }
    });
    pages.map_ok(|entries| stream::iter(entries.into_iter().map(Ok))).try_flatten()
}

/// Returns a range of a body, or `None` if it lies outside.
pub(super) fn cut(body: &Bytes, range: Range) -> Option<Bytes> {
    let length = body.len() as u64;
    let (first, end) = match range {
        Range::Bounded(first, last) => (first, last.saturating_add(1).min(length)),
        Range::From(first) => (first, length),
        Range::Last(count) => (length.saturating_sub(count), length),
    };
    let (first, end) = (usize::try_from(first).ok()?, usize::try_from(end).ok()?);
    (first < end).then(|| body.slice(first..end))
}
