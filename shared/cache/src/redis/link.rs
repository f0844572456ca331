//! The connection to Redis: made on demand, shared by all calls, and abandoned when a call is not answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use credlink_runtime::circuit_breaker::SharedBreaker;
use credlink_runtime::deadline::at_most;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{RedisAddress, RedisSettings};
use crate::breaker::breaker;

/// The reasons why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// No call was made: the last ones failed, or the request has no time left.
    Resting,
    /// The call failed, or was not answered in time. It may have taken effect, or may still.
    Failed,
}

/// The reasons why there is no connection.
#[derive(Debug, thiserror::Error)]
enum NoConnection {
    /// The attempt of another call failed.
    #[error("no connection")]
    Failed,
    /// Redis refused, or is out of reach.
    #[error(transparent)]
    Refused(redis::RedisError),
    /// Connecting took longer than this many milliseconds.
    #[error("no connection in {0} ms")]
    TimedOut(u128),
}

#[derive(Debug)]
pub(super) struct Link {
    address: RedisAddress,
    connect: Duration,
    call: Duration,
    breaker: SharedBreaker,
    connection: Mutex<Option<Connection>>,
    /// The number of attempts to connect that failed. A caller that waits for another's attempt shares its failure.
    failed_attempts: AtomicU64,
    connections: AtomicU64,
}

/// A connection. Its number tells an abandoned connection from the one that replaced it.
#[derive(Clone)]
struct Connection {
    number: u64,
    inner: MultiplexedConnection,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.number)
    }
}

impl Link {
    pub(super) fn new(settings: &RedisSettings) -> Self {
        Self {
            address: settings.address.clone(),
            connect: settings.connect,
            call: settings.call,
            breaker: breaker(settings.rest, settings.longest_rest),
            connection: Mutex::new(None),
            failed_attempts: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    /// Makes a call, within the timeouts and the request's deadline.
    pub(super) async fn call<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Unanswered> {
        let limit = at_most(self.call);
        if limit.is_zero() || !self.breaker.admit() {
            return Err(Unanswered::Resting);
        }
        let problem = match self.connection().await {
            Err(problem) => problem.to_string(),
            Ok(mut connection) => match timeout(limit, command.query_async(&mut connection.inner)).await {
                Ok(Ok(answer)) => {
                    if self.breaker.succeeded() {
                        tracing::info!(cache.layer = "l2", "Redis answers again");
                    }
                    return Ok(answer);
                }
                Ok(Err(error)) => {
                    // An error that the server sent has a code, and means that the connection works.
                    if error.code().is_none() {
                        self.give_up(connection.number).await;
                    }
                    error.to_string()
                }
                Err(_) => {
                    self.give_up(connection.number).await;
                    format!("no answer in {} ms", limit.as_millis())
                }
            },
        };
        // If the request itself is short of time, Redis is not to blame.
        if limit == self.call && self.breaker.failed() {
            tracing::warn!(cache.layer = "l2", problem, "Redis is out of order: reads go past it");
        }
        Err(Unanswered::Failed)
    }

    /// Returns the connection, or makes a new one.
    async fn connection(&self) -> Result<Connection, NoConnection> {
        let seen = self.failed_attempts.load(Ordering::SeqCst);
        let mut place = self.connection.lock().await;
        if let Some(connection) = &*place {
            return Ok(connection.clone());
        }
        if self.failed_attempts.load(Ordering::SeqCst) != seen {
            return Err(NoConnection::Failed);
        }
        // This module sets its own timeouts, which include every step.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let attempt = self.address.0.get_multiplexed_async_connection_with_config(&config);
        let problem = match timeout(at_most(self.connect), attempt).await {
            Ok(Ok(inner)) => {
                let number = self.connections.fetch_add(1, Ordering::Relaxed);
                return Ok(place.insert(Connection { number, inner }).clone());
            }
            Ok(Err(error)) => NoConnection::Refused(error),
            Err(_) => NoConnection::TimedOut(self.connect.as_millis()),
        };
        self.failed_attempts.fetch_add(1, Ordering::SeqCst);
        Err(problem)
    }

    async fn give_up(&self, number: u64) {
        let mut place = self.connection.lock().await;
        if place.as_ref().is_some_and(|connection| connection.number == number) {
            *place = None;
        }
    }
}
