//! Read counts: additions to attributes that commits leave unchanged.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use credlink_aws::Error;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, RowKey};
use credlink_ports::Failure;
use credlink_ports::limits::milliseconds;
use credlink_runtime::deadline::within;
use futures_util::stream::{StreamExt as _, iter};

use super::DynamoIndex;
use crate::attempts::Attempts;
use crate::failure::NAME;
use crate::item::{self, number};
use crate::table::{LAST_READ, PARTITION_KEY, READS, ROW};

/// The number of counts that are written concurrently.
const AT_ONCE: usize = 16;

/// The reasons why a count is not written.
enum Refused {
    /// The proof has no row.
    Absent,
    /// The row has a later read.
    ReadSince,
}

impl DynamoIndex {
    /// Adds to the counts, with one call per proof. If only some can be written, the others are dropped: if the caller
    /// tried again, it would count the written ones twice.
    pub(super) async fn add_reads(&self, reads: &[(ProofId, Reads)]) -> Result<(), Failure> {
        let mut sums = BTreeMap::<ProofId, Reads>::new();
        for (id, more) in reads {
            let sum = sums.entry(*id).or_default();
            *sum = sum.plus(*more);
        }
        let all = sums.len();
        let counts = iter(sums).map(|(id, reads)| self.count(id, reads)).buffer_unordered(AT_ONCE);
        let counts: Vec<Result<(), Error>> = counts.collect().await;
        let failures: Vec<Error> = counts.into_iter().filter_map(Result::err).collect();
        let lost = failures.len();
        match failures.into_iter().next() {
            Some(error) if lost == all => Err(error.into()),
            Some(error) => {
                tracing::warn!(provider = NAME, %error, lost, "read counts were lost");
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn count(&self, id: ProofId, reads: Reads) -> Result<(), Error> {
        match self.add_read(id, reads).await? {
            Err(Refused::ReadSince) => {
                self.add_read(id, Reads { last: None, ..reads }).await?.ok();
            }
            Ok(()) | Err(Refused::Absent) => {}
        }
        Ok(())
    }

    async fn add_read(&self, id: ProofId, reads: Reads) -> Result<Result<(), Refused>, Error> {
        let mut attempts = Attempts::new(&self.limits);
        loop {
            let mut request = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(item::key(&RowKey::Proof(id).to_string(), ROW)))
                .expression_attribute_names("#reads", READS)
                .expression_attribute_values(":more", number(reads.count))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            request = match reads.last {
                None => request
                    .update_expression("ADD #reads :more")
                    .condition_expression(format!("attribute_exists({PARTITION_KEY})")),
                Some(last) => request
                    .update_expression("SET #last = :last ADD #reads :more")
                    .condition_expression(format!(
                        "attribute_exists({PARTITION_KEY}) AND (attribute_not_exists(#last) OR #last < :last)"
                    ))
                    .expression_attribute_names("#last", LAST_READ)
                    .expression_attribute_values(":last", number(milliseconds(last))),
            };
            let send = async { Box::pin(request.customize().config_override(self.once()).send()).await };
            let error = match within(attempts.until(), send).await {
                Ok(_) => return Ok(Ok(())),
                Err(error) => error,
            };
            if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
                let there = failed.item().is_some_and(|item| !item.is_empty());
                return Ok(Err(if there { Refused::ReadSince } else { Refused::Absent }));
            }
            let error = Error::classify(NAME, &error);
            if !attempts.again(error.kind).await {
                return Err(error);
            }
        }
    }
}
