//! The policy of a client's calls.

use std::time::Duration;

use ureq::config::Config;
use ureq::{Agent, Proxy};

/// The name and the version of this program, as it identifies itself to another CredLink server.
pub const USER_AGENT: &str = concat!("credlink/", env!("CARGO_PKG_VERSION"));

/// The policy of a client's calls. By default there are no timeouts, and a proxy that the environment names is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The `User-Agent`; `None` for the HTTP library's own.
    pub user_agent: Option<&'static str>,
    /// `true` if calls go through the proxy that `ALL_PROXY`, `HTTPS_PROXY` or `HTTP_PROXY` names, except to the hosts of
    /// `NO_PROXY`.
    pub uses_proxy: bool,
    /// The timeouts of a call.
    pub timeouts: Timeouts,
    /// The number of connections that are kept open for later calls, in all and to one server; `None` for the HTTP
    /// library's numbers.
    pub connections: Option<usize>,
    /// The time for which an idle connection is kept; `None` for the HTTP library's default.
    pub idle: Option<Duration>,
}

/// The timeouts of the parts of a call; `None` for no timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// The whole call.
    pub whole: Option<Duration>,
    /// Making the connection.
    pub connect: Option<Duration>,
    /// Sending the body.
    pub send: Option<Duration>,
    /// Waiting for the first byte of the answer, once the request was sent.
    pub response: Option<Duration>,
    /// Receiving the body.
    pub receive: Option<Duration>,
    /// One write to, or one read from the connection. It ends a transfer that has stopped, however long one that goes on
    /// may take.
    pub standstill: Option<Duration>,
}

impl Timeouts {
    /// The timeouts of calls to a CredLink server: 10 s for a connection, 60 s for the server to process a request (a
    /// batch at a provider that is slow), and 300 s for a body in either direction (13 MB over a line of 0.5 Mbit/s).
    pub const CREDLINK: Self = Self {
        whole: None,
        connect: Some(Duration::from_secs(10)),
        send: Some(Duration::from_secs(300)),
        response: Some(Duration::from_secs(60)),
        receive: Some(Duration::from_secs(300)),
        standstill: None,
    };

    /// The timeouts of calls that transfer whole files, which take as long as they take: 10 s for a connection, and 120 s
    /// without a byte in either direction, in which a provider also stores what it was sent.
    pub const TRANSFER: Self = Self {
        whole: None,
        connect: Some(Duration::from_secs(10)),
        send: None,
        response: None,
        receive: None,
        standstill: Some(Duration::from_secs(120)),
    };
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            user_agent: None,
            uses_proxy: true,
            timeouts: Timeouts::default(),
            connections: None,
            idle: None,
        }
    }
}

impl Policy {
    /// Returns the configuration of an agent that follows this policy, and no redirection by itself.
    pub(crate) fn config(&self) -> Config {
        let Timeouts { whole, connect, send, response, receive, standstill } = self.timeouts;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(if self.uses_proxy { Proxy::try_from_env() } else { None })
            .timeout_global(whole)
            .timeout_connect(connect)
            .timeout_send_body(send)
            .timeout_recv_response(response)
            .timeout_recv_body(receive)
            .timeout_per_write(standstill)
            .timeout_per_read(standstill);
        if let Some(name) = self.user_agent {
            config = config.user_agent(name);
        }
        if let Some(connections) = self.connections {
            config = config.max_idle_connections(connections).max_idle_connections_per_host(connections);
        }
        if let Some(idle) = self.idle {
            config = config.max_idle_age(idle);
        }
        config.build()
    }
}
