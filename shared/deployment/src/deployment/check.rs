//! A look at everything on the network that a deployment needs.

use credlink_aws::Error;

use super::Deployment;

/// The results of a check of everything on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Descriptions of what is wrong, each with what would mend it.
    pub wrong: Vec<String>,
    /// `true` if the service can work all the same: with the index, and one provider.
    pub is_usable: bool,
}

impl Deployment {
    /// Looks whether what is on the network can be used. Nothing is changed anywhere.
    pub async fn check(&self) -> Checked {
        let providers = self.store().check().await;
        let in_words = |error: Error| error.to_string();
        let index = self.rows.check().await.err().map(in_words);
        let queue = self.waiting.check().await.err().map(in_words);
        let is_usable = providers.len() < self.store().each().len() && index.is_none();
        Checked { wrong: providers.into_iter().chain(index).chain(queue).collect(), is_usable }
    }
}
