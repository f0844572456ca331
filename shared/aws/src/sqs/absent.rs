//! A stand-in for the queue on SQS, in a program without the feature `sdk`. It has no values, so no code can call it.

use credlink_core::message::Message;
use credlink_ports::{Delivery, Failure, Queue};

use crate::{Error, RedrivePolicy, Redriven};

/// The queue on SQS, of which this program has none.
#[derive(Clone, Debug)]
pub enum SqsQueue {}

impl SqsQueue {
    /// Checks nothing.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn check(&self) -> Result<(), Error> {
        match *self {}
    }

    /// Returns the redrive policy.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn redrive_policy(&self) -> Result<Option<RedrivePolicy>, Error> {
        match *self {}
    }

    /// Moves nothing.
    ///
    /// # Errors
    /// Never returns an error.
    pub async fn redrive(&self, _: Option<&str>, _: impl FnMut(Redriven)) -> Result<Redriven, Failure> {
        match *self {}
    }
}

impl Queue for SqsQueue {
    fn name(&self) -> &'static str {
        match *self {}
    }

    async fn send(&self, _: &Message, _: u32) -> Result<(), Failure> {
        match *self {}
    }

    async fn receive(&self, _: usize, _: u32) -> Result<Vec<Delivery>, Failure> {
        match *self {}
    }

    async fn settle(&self, _: &str) -> Result<(), Failure> {
        match *self {}
    }

    async fn depth(&self) -> Result<u64, Failure> {
        match *self {}
    }
}
