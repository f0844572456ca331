//! The tag of an object that two providers hold: where it was read, the tag it has there, and what it is.
//!
//! A condition names a tag of one provider. At the other one the same object has another tag, which is found by what
//! the object is: digest, generation, and whether it is a marker.

use credlink_core::object::{Attributes, Facts, Head, StoredTag};
use credlink_core::replica::Replica;

/// A tag, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    /// Where it was read.
    pub(super) read: Replica,
    /// The provider's own tag.
    pub(super) own: StoredTag,
    /// What it is; empty for an object that CredLink did not write.
    identity: String,
}

impl Tag {
    pub(super) fn new(read: Replica, own: StoredTag, attributes: &Attributes) -> Self {
        Self { read, own, identity: identity(attributes) }
    }

    /// The text that leaves the adapter.
    pub(super) fn text(&self) -> StoredTag {
        StoredTag(format!("{}:{}:{}", letter(self.read), self.identity, self.own.0))
    }

    /// Reads a tag. `None`: it is none of ours, and matches nothing.
    pub(super) fn read(text: &StoredTag) -> Option<Self> {
        let (read, rest) = text.0.split_once(':')?;
        let (identity, own) = rest.split_once(':')?;
        let read = [Replica::Primary, Replica::Fallback].into_iter().find(|side| letter(*side) == read)?;
        Some(Self { read, own: StoredTag(own.to_owned()), identity: identity.to_owned() })
    }

    /// Whether `head`, from the other provider, is of the same object. Of foreign objects only the tags can be compared:
    /// both providers tag what was written at once by its MD5.
    pub(super) fn is_of(&self, head: &Head) -> bool {
        if self.identity.is_empty() {
            return self.own == head.tag;
        }
        self.identity == identity(&head.attributes)
    }
}

/// Whether the two are the same object.
pub(super) fn same(one: &Head, other: &Head) -> bool {
    let (first, second) = (identity(&one.attributes), identity(&other.attributes));
    if first.is_empty() { one.tag == other.tag } else { first == second }
}

const fn letter(replica: Replica) -> &'static str {
    match replica {
        Replica::Primary => "p",
        Replica::Fallback => "f",
    }
}

/// What an object is, without a colon.
pub(super) fn identity(attributes: &Attributes) -> String {
    Facts::read(attributes).map_or_else(|_| String::new(), |facts| identity_of(&facts))
}

/// The same of an object that was read.
pub(super) fn identity_of(facts: &Facts) -> String {
    let kind = if facts.tombstone { "marker" } else { "object" };
    format!("{}.{}.{kind}", facts.sha256.to_string().replace(':', "-"), facts.generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_reads_back() {
        for own in ["\"abc\"", "a:b", ""] {
            let tag = Tag::new(Replica::Fallback, StoredTag(own.to_owned()), &Attributes::default());
            assert_eq!(Tag::read(&tag.text()), Some(tag));
        }
        for foreign in ["", "x", "x:y:z", "no tag of this provider"] {
            assert_eq!(Tag::read(&StoredTag(foreign.to_owned())), None);
        }
    }
}
