//! Reads and imports one item.

use credlink_ports::migration::ledger::{CopiedItem, Entry, ItemState, Reason};
use credlink_ports::migration::target::Target;
use credlink_ports::migration::{Depth, Imported, Item, MigrationPorts, PROOF_MISSING, Verdict};
use credlink_ports::{Clock as _, FailureKind};

use super::Copier;
use super::item::{Decided, Prepared, Ready};
use crate::incoming::{Incoming, ItemError, NotCopied, incoming};
use crate::progress::Watch;
use crate::retry_policy::GivenUp;

impl<M: MigrationPorts, W: Watch> Copier<'_, M, W> {
    /// Reads and checks an item.
    pub(super) async fn prepare(&self, item: Item, known: Option<Entry>) -> Result<Prepared, GivenUp> {
        match self.read(&item.key).await {
            Ok((incoming, target)) => Ok(Prepared::Ready(Ready { item, known, incoming, target })),
            Err(error) => {
                let state = error.not_copied()?.state();
                Ok(Prepared::Decided(Decided { item, known, state, begun: None }))
            }
        }
    }

    async fn read(&self, key: &str) -> Result<(Incoming, Target), ItemError> {
        let content = self.ports.read(key).await?.ok_or_else(NotCopied::vanished)?;
        let incoming = incoming(&content, &self.options.owners, self.ports.clock().now())?;
        let no_record = || NotCopied::new(Reason::Damaged, "the proof has no record");
        let target = incoming.payload.target().ok_or_else(no_record)?;
        Ok((incoming, target))
    }

    /// Imports an item.
    pub(super) async fn import(&self, mut item: Ready) -> Result<Decided, GivenUp> {
        let begun = item.begun();
        if let Some(at) = begun.as_ref().and_then(|begun| begun.restores) {
            item.incoming.payload.restore(at);
        }
        let source = item.incoming.source;
        let lost = item.known.as_ref().and_then(|entry| match &entry.state {
            ItemState::Lost { copy, .. } => Some(copy.clone()),
            _ => None,
        });
        let copied =
            |copy: CopiedItem, exact| ItemState::Copied(CopiedItem { source, created: false, exact, ..copy });
        let state = match self.ports.import(&item.incoming.payload, self.options.owners.keep).await {
            Ok(Imported::Stored(copy)) => copied(copy, true),
            Ok(Imported::Equal(copy)) => copied(copy, false),
            Ok(Imported::Conflict { detail }) => NotCopied::new(Reason::Conflict, detail).state(),
            Ok(Imported::Deleted(at)) => {
                let detail = format!("{} was deleted there on {at}", item.target);
                NotCopied::new(Reason::Deleted, detail).state()
            }
            Ok(Imported::Refused { kind, detail }) => NotCopied::new(reason(&kind), detail).state(),
            Err(GivenUp::Item(failure)) => {
                let reason = match failure.kind {
                    FailureKind::Damaged => Reason::Refused,
                    _ => Reason::Unavailable,
                };
                NotCopied::new(reason, failure).state()
            }
            Err(end) => return Err(end),
        };
        if let Some(lost) = lost {
            let state = self.copied_again(lost, state).await?;
            return Ok(item.decided(state));
        }
        if let (ItemState::Copied(copy), None, false) = (&state, begun, self.options.skip_existing) {
            let state = self.compared(copy).await?.unwrap_or_else(|| state.clone());
            return Ok(item.decided(state));
        }
        Ok(item.decided(state))
    }

    /// Returns the state of an item that a verification had found lost, where this run came to `state`. The item
    /// remains lost until its copy is present.
    async fn copied_again(&self, lost: CopiedItem, state: ItemState) -> Result<ItemState, GivenUp> {
        let detail = match &state {
            // The destination says that it has the proof, but a verification found otherwise.
            ItemState::Copied(copy) => match self.difference(copy).await? {
                Some((what, detail)) => format!("it was copied again, and {what} all the same: {detail}"),
                None => return Ok(state),
            },
            ItemState::Failed { reason, detail } => format!("it cannot be copied again: {reason}: {detail}"),
            _ => return Ok(state),
        };
        Ok(ItemState::Lost { copy: lost, detail })
    }

    /// Compares a proof that was already at the destination. Returns a failed state if anything is wrong with it.
    async fn compared(&self, copy: &CopiedItem) -> Result<Option<ItemState>, GivenUp> {
        Ok(self.difference(copy).await?.map(|(what, detail)| {
            let detail = format!("the proof that is there already {what}: {detail}");
            NotCopied::new(Reason::Refused, detail).state()
        }))
    }

    /// Compares a copy by content. Returns the fault that it finds, as a predicate and in detail.
    async fn difference(&self, copy: &CopiedItem) -> Result<Option<(&'static str, String)>, GivenUp> {
        Ok(Some(match self.ports.verify(copy, Depth::Content).await {
            Ok(Verdict::Verified { .. }) => return Ok(None),
            Ok(Verdict::Missing(detail)) => ("is missing", detail),
            Ok(Verdict::Corrupted(detail)) => ("is corrupted", detail),
            Ok(Verdict::EncodingDiffers(detail)) => ("has another content coding", detail),
            Ok(Verdict::Changed(detail)) => ("was changed", detail),
            Err(GivenUp::Item(failure)) => ("cannot be read", failure.to_string()),
            Err(end) => return Err(end),
        }))
    }
}

/// Returns the reason that a problem's slug stands for.
fn reason(kind: &str) -> Reason {
    match kind {
        "manifest-conflict" => Reason::ManifestConflict,
        "alias-conflict" => Reason::AliasConflict,
        PROOF_MISSING => Reason::ProofMissing,
        "invalid-manifest" => Reason::InvalidManifest,
        "binding-mismatch" => Reason::HashMismatch,
        "expired" => Reason::Expired,
        _ => Reason::Refused,
    }
}
