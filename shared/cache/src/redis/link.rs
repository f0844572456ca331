//! The connection to Redis: made when it is needed, shared by all calls, given up when a call is not answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue};
use tokio::sync::Mutex;
use tokio::time::timeout;

use credlink_runtime::circuit_breaker::SharedBreaker;
use credlink_runtime::deadline::at_most;

use super::{RedisAddress, RedisSettings};
use crate::breaker;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// No call was made: the last ones failed, or the request has no time left.
    Resting,
    /// The call failed, or was not answered in time. It may have taken effect, or may still.
    Failed,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum NoConnection {
    /// The attempt of another call failed.
    #[error("no connection")]
    Failed,
    /// Redis refused, or is out of reach.
    #[error(transparent)]
    Refused(redis::RedisError),
    /// It took longer than so many milliseconds.
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
    /// Attempts to connect that failed: who waits for another one's attempt shares its failure.
    failed_attempts: AtomicU64,
    connections: AtomicU64,
}

/// A connection; one that was given up is told by its number from the one that took its place.
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

    /// Makes a call, within the time limits and the request's deadline.
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
                    // An error that the server sent has a code, and says nothing against the connection.
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
        // A request that is short of time is not Redis's fault.
        if limit == self.call && self.breaker.failed() {
            tracing::warn!(cache.layer = "l2", problem, "Redis is out of order: reads go past it");
        }
        Err(Unanswered::Failed)
    }

    /// The connection, or a new one.
    async fn connection(&self) -> Result<Connection, NoConnection> {
        let seen = self.failed_attempts.load(Ordering::SeqCst);
        let mut place = self.connection.lock().await;
        if let Some(connection) = &*place {
            return Ok(connection.clone());
        }
        if self.failed_attempts.load(Ordering::SeqCst) != seen {
            return Err(NoConnection::Failed);
        }
        // The limits are this module's own, over all that it takes.
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
