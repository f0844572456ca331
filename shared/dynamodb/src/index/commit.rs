//! Commits, and how to find out whether they took effect.
//!
//! Every attempt that failed without an answer may have taken effect. So a commit has its own token, which is stored in
//! each row that it writes: if an attempt loses against a row with this very token, that row is the commit's own. In a
//! transaction, the token is also DynamoDB's idempotency token. If another commit has changed the row before the next
//! attempt, nobody can tell any longer, and the answer is a failure.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update as TransactUpdate,
};
use aws_smithy_types::error::operation::BuildError;
use credlink_aws::{Error, ErrorKind};
use credlink_core::row::Totals;
use credlink_ports::limits::MAX_WRITES;
use credlink_ports::limits::breach;
use credlink_ports::{Commit, Failure, Index as _, Write};
use credlink_runtime::deadline::within;
use uuid::Uuid;

use super::DynamoIndex;
use super::totals::{Addition, Sums, Taken};
use crate::attempts::Attempts;
use crate::failure::{NAME, damaged};
use crate::item::{Beside, Item, Update, token};

/// The outcome of one attempt.
enum Attempt {
    Done,
    /// The condition of this write did not hold. The item is the current one.
    Lost(usize, Option<Item>),
    /// The transaction was cancelled, and nothing was written.
    Cancelled(Error),
    /// There was no answer that says whether the attempt took effect.
    Failed(Error),
}

impl DynamoIndex {
    pub(super) async fn commit_rows(&self, writes: &[Write]) -> Result<Commit, Failure> {
        if let Some(breach) = breach(writes) {
            return Err(damaged(breach));
        }
        if writes.is_empty() {
            return Ok(Commit::Done);
        }
        let change = self.change(writes).await?;
        let beside: Vec<Beside> =
            writes.iter().flat_map(|write| Beside::of(&write.row, write.expected)).collect();
        let items = writes.len() + beside.len();
        if items > MAX_WRITES {
            let message = format!(
                "the rows of {} writes are {items} items; a transaction has {MAX_WRITES}",
                writes.len()
            );
            return Err(damaged(message));
        }
        let mut attempts = Attempts::new(&self.limits);
        let mut taken = match items {
            // A full transaction has no room for the sums, which are one more item.
            MAX_WRITES.. => None,
            _ => self.unwritten.take(&change, false),
        };
        let (mut mine, mut updates) = marked(writes)?;
        let mut unanswered = false;
        loop {
            let attempt = self.attempt(updates.clone(), &beside, taken.as_ref(), &mine);
            let error = match within(attempts.until(), attempt).await {
                Attempt::Done => return Ok(self.done(writes, taken, &change)),
                Attempt::Lost(_, Some(item)) if token(&item) == Some(&mine) => {
                    return Ok(self.done(writes, taken, &change));
                }
                Attempt::Lost(write, item) => {
                    let current = item.map(|item| self.read(&item)).transpose()?;
                    let next = writes[write].row.version();
                    if unanswered && current.as_ref().is_some_and(|row| row.version() > next) {
                        let message = "an attempt had no answer, and the row was changed again since";
                        return Err(Error::new(NAME, ErrorKind::Unavailable, message).into());
                    }
                    return Ok(Commit::Lost { write, current });
                }
                Attempt::Cancelled(error) => {
                    // Nothing was written, so the next attempt is a new request. It leaves out the sums, which may have
                    // caused the conflict. If an earlier attempt had no answer, it may have taken effect, and only its
                    // own token tells: then the same request is made again.
                    if error.kind == ErrorKind::Conflict && !unanswered && taken.take().is_some() {
                        (mine, updates) = marked(writes)?;
                    }
                    error
                }
                Attempt::Failed(error) => {
                    unanswered |= !matches!(error.kind, ErrorKind::Throttled | ErrorKind::Conflict);
                    error
                }
            };
            if !attempts.again(error.kind).await {
                return Err(error.into());
            }
        }
    }

    fn done(&self, writes: &[Write], taken: Option<Taken<'_>>, change: &Sums) -> Commit {
        match taken {
            Some(taken) => taken.written(),
            None => self.unwritten.add(change),
        }
        for write in writes {
            self.known.remember(&write.row);
        }
        Commit::Done
    }

    /// Returns the change to the sums once the writes are done.
    async fn change(&self, writes: &[Write]) -> Result<Sums, Failure> {
        let mut change = Sums::default();
        for write in writes {
            let key = write.row.key();
            let old = match write.expected {
                None => Totals::default(),
                Some(version) => match self.known.of(&key.to_string(), version) {
                    Some(totals) => totals,
                    // If the row has another version, the condition will not hold.
                    None => {
                        let row = self.get(&key).await?;
                        row.filter(|row| row.version() == version).map(|row| row.totals()).unwrap_or_default()
                    }
                },
            };
            change = change.plus(&Sums::change(&old, &write.row.totals()));
        }
        Ok(change)
    }

    async fn attempt(
        &self,
        mut updates: Vec<Update>,
        beside: &[Beside],
        sums: Option<&Taken<'_>>,
        token: &str,
    ) -> Attempt {
        match (updates.pop(), sums) {
            (Some(update), None) if updates.is_empty() && beside.is_empty() => self.update(update).await,
            (last, sums) => {
                updates.extend(last);
                self.transact(updates, beside, sums.map(|taken| &taken.addition), token).await
            }
        }
    }

    async fn update(&self, update: Update) -> Attempt {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(update.key))
            .update_expression(update.expression)
            .condition_expression(update.condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match Box::pin(request.customize().config_override(self.once()).send()).await {
            Ok(_) => Attempt::Done,
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Attempt::Lost(0, present(failed.item()))
                }
                Some(UpdateItemError::TransactionConflictException(_)) => {
                    Attempt::Cancelled(Error::classify(NAME, &error))
                }
                _ => Attempt::Failed(Error::classify(NAME, &error)),
            },
        }
    }

    async fn transact(
        &self,
        updates: Vec<Update>,
        beside: &[Beside],
        sums: Option<&Addition>,
        token: &str,
    ) -> Attempt {
        let count = updates.len();
        let items = updates.into_iter().map(|update| self.part(update));
        let items = items.chain(beside.iter().map(|beside| self.part_beside(beside)));
        let items = items.chain(sums.map(|sums| self.sums_part(sums))).collect::<Result<Vec<_>, _>>();
        let items = match items {
            Ok(items) => items,
            Err(error) => return Attempt::Failed(Error::new(NAME, ErrorKind::Refused, error.to_string())),
        };
        let request =
            self.client.transact_write_items().set_transact_items(Some(items)).client_request_token(token);
        let error = match Box::pin(request.customize().config_override(self.once()).send()).await {
            Ok(_) => return Attempt::Done,
            Err(error) => error,
        };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            return Attempt::Failed(Error::classify(NAME, &error));
        };
        for (number, reason) in cancelled.cancellation_reasons().iter().enumerate() {
            let kind = match reason.code().unwrap_or_default() {
                "" | "None" => continue,
                "ConditionalCheckFailed" if number < count => {
                    return Attempt::Lost(number, present(reason.item()));
                }
                // It is not known whether this condition holds, and so neither which is the first that does not.
                "TransactionConflict" => ErrorKind::Conflict,
                "ProvisionedThroughputExceeded" | "ThrottlingError" => ErrorKind::Throttled,
                "ItemCollectionSizeLimitExceeded" => ErrorKind::QuotaExceeded,
                _ => ErrorKind::Refused,
            };
            let message = reason.message().unwrap_or("the transaction was cancelled").to_owned();
            let code = reason.code().map(str::to_owned);
            return Attempt::Cancelled(Error { code, ..Error::new(NAME, kind, message) });
        }
        Attempt::Failed(Error::classify(NAME, &error))
    }

    fn part(&self, update: Update) -> Result<TransactWriteItem, BuildError> {
        let update = TransactUpdate::builder()
            .table_name(&self.table)
            .set_key(Some(update.key))
            .update_expression(update.expression)
            .condition_expression(update.condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    fn part_beside(&self, beside: &Beside) -> Result<TransactWriteItem, BuildError> {
        let update = TransactUpdate::builder()
            .table_name(&self.table)
            .set_key(Some(beside.key.clone()))
            .update_expression(&beside.expression)
            .set_expression_attribute_values(beside.values.clone());
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    fn sums_part(&self, sums: &Addition) -> Result<TransactWriteItem, BuildError> {
        let update = TransactUpdate::builder()
            .table_name(&self.table)
            .set_key(Some(sums.key.clone()))
            .update_expression(&sums.expression)
            .set_expression_attribute_names(Some(sums.names.clone()))
            .set_expression_attribute_values(Some(sums.values.clone()));
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }
}

/// Returns a new token, and the writes marked with it. A repeated request must have the same token: DynamoDB compares
/// the two requests.
fn marked(writes: &[Write]) -> Result<(String, Vec<Update>), Failure> {
    let token = Uuid::new_v4().simple().to_string();
    let updates = writes.iter().map(|write| {
        Update::of(&write.row, write.expected, &token).map_err(|error| damaged(error.to_string()))
    });
    let updates = updates.collect::<Result<_, _>>()?;
    Ok((token, updates))
}

/// Returns the item, if there is one. DynamoDB returns an absent item as an empty one, or not at all.
fn present(item: Option<&Item>) -> Option<Item> {
    item.filter(|item| !item.is_empty()).cloned()
}
