//! A check of everything on the network that a deployment needs.

use credlink_aws::Error;

use super::Deployment;

/// The results of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Descriptions of the faults, each with its remedy.
    pub wrong: Vec<String>,
    /// `true` if the service can work all the same, with the index and one provider.
    pub is_usable: bool,
}

impl Deployment {
    /// Checks that everything on the network can be used. Changes nothing.
    pub async fn check(&self) -> Checked {
        let providers = self.store().check().await;
        let in_words = |error: Error| error.to_string();
        let index = self.rows.check().await.err().map(in_words);
        let queue = self.waiting.check().await.err().map(in_words);
        let is_usable = providers.len() < self.store().each().len() && index.is_none();
        Checked { wrong: providers.into_iter().chain(index).chain(queue).collect(), is_usable }
    }
}
