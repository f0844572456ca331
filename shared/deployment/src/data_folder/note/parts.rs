//! The parts of a deployment in words, each with the variable that sets it.

use super::{HERE, Note, Tenants};

/// A part of a deployment.
pub(super) struct Part {
    /// The variable that sets the part, or that variable with its value.
    pub(super) variable: &'static str,
    /// `true` if a data folder on its own does not have this part.
    pub(super) is_more: bool,
    /// The part in words.
    pub(super) words: String,
}

impl Part {
    /// Creates a part that may be missing, which is what `none` says in words.
    fn new(variable: &'static str, words: Option<String>, none: &str) -> Self {
        Self { variable, is_more: words.is_some(), words: words.unwrap_or_else(|| none.to_owned()) }
    }
}

impl Note {
    /// Returns each part with the variable that sets it.
    pub(super) fn parts(&self) -> [Part; 6] {
        let said = |place: &str, what: &str| {
            let the = if place == HERE { "the " } else { "" };
            Some(format!("{what} {the}{place}"))
        };
        // With one provider, nothing waits in a queue.
        let queue = self.fallback.as_ref().and_then(|_| said(&self.queue, "the queue in"));
        let objects_variable =
            if self.objects.starts_with("dir:") { "STORAGE_FOLDER" } else { "STORAGE_PROVIDER" };
        [
            Part::new(objects_variable, said(&self.objects, "objects in"), "no objects"),
            Part::new(
                "STORAGE_FALLBACK_PROVIDER",
                self.fallback.as_deref().and_then(|place| said(place, "the second provider")),
                "no second provider",
            ),
            Part::new("CREDLINK_TABLE", said(&self.index, "the index in"), "no index"),
            Part::new("CREDLINK_QUEUE_URL", queue, "no queue"),
            Part::new(
                "CREDLINK_EDGE_URL",
                self.edge.as_deref().and_then(|url| said(url, "the edge at")),
                "no edge",
            ),
            Part::new(
                "CREDLINK_TENANTS=several",
                (self.tenants == Tenants::Several).then(|| "several tenants".to_owned()),
                "one tenant",
            ),
        ]
    }
}
