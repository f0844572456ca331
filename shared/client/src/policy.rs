//! The terms of a client's calls.

use std::time::Duration;

use ureq::config::Config;
use ureq::{Agent, Proxy};

/// The name and the version of this program, as it introduces itself to another CredLink.
pub const USER_AGENT: &str = concat!("credlink/", env!("CARGO_PKG_VERSION"));

/// The terms of a client's calls. By default there are no time-outs, and a proxy that the environment names is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The `User-Agent`; `None`: the HTTP library's own.
    pub user_agent: Option<&'static str>,
    /// `true` if calls go through the proxy that `ALL_PROXY`, `HTTPS_PROXY` or `HTTP_PROXY` names, except to the hosts of
    /// `NO_PROXY`.
    pub uses_proxy: bool,
    /// How long a call may take.
    pub timeouts: Timeouts,
    /// Connections that are kept open for later calls, in all and to one server; `None`: the HTTP library's numbers.
    pub connections: Option<usize>,
    /// How long a connection is kept that nobody uses; `None`: as long as the HTTP library does.
    pub idle: Option<Duration>,
}

/// How long the parts of a call may take; `None`: for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// The whole call.
    pub whole: Option<Duration>,
    /// Making the connection.
    pub connect: Option<Duration>,
    /// Sending the body.
    pub send: Option<Duration>,
    /// Waiting for the first of the answer, once the request was sent.
    pub response: Option<Duration>,
    /// Receiving the body.
    pub receive: Option<Duration>,
}

impl Timeouts {
    /// The time-outs of calls to a CredLink: 10 s for a connection, 60 s for a server to think about a request (a batch at a
    /// provider that is slow), and 300 s for a body in either direction (13 MB over a line of 0.5 Mbit/s).
    pub const CREDLINK: Self = Self {
        whole: None,
        connect: Some(Duration::from_secs(10)),
        send: Some(Duration::from_secs(300)),
        response: Some(Duration::from_secs(60)),
        receive: Some(Duration::from_secs(300)),
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
    /// The configuration of an agent that keeps to this, and that follows no redirection by itself.
    pub(crate) fn config(&self) -> Config {
        let Timeouts { whole, connect, send, response, receive } = self.timeouts;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(if self.uses_proxy { Proxy::try_from_env() } else { None })
            .timeout_global(whole)
            .timeout_connect(connect)
            .timeout_send_body(send)
            .timeout_recv_response(response)
            .timeout_recv_body(receive);
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
