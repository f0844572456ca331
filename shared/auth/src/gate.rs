//! Which credentials a service asks for.

use credlink_core::access::Caller;
use credlink_ports::{Authenticator, Refused, Unread};

use crate::jwt::{JwtAuthenticator, has_form_of_jwt};
use crate::tokens::{StaticTokens, Trusted};

/// What stands at the door.
#[derive(Debug)]
pub enum Gate {
    /// Nothing: every caller is the owner. For the loopback interface only.
    Trusted(Trusted),
    /// Tokens out of a file.
    Tokens(StaticTokens),
    /// Tokens that an issuer signs.
    Jwt(JwtAuthenticator),
    /// Both: what has the form of a JWT is checked as one, and everything else is looked up in the file.
    TokensAndJwt(StaticTokens, JwtAuthenticator),
}

impl Gate {
    /// The gate for what an operator has set up.
    #[must_use]
    pub fn of(tokens: Option<StaticTokens>, jwt: Option<JwtAuthenticator>) -> Self {
        match (tokens, jwt) {
            (None, None) => Self::Trusted(Trusted),
            (Some(tokens), None) => Self::Tokens(tokens),
            (None, Some(jwt)) => Self::Jwt(jwt),
            (Some(tokens), Some(jwt)) => Self::TokensAndJwt(tokens, jwt),
        }
    }

    /// Whether it asks for credentials at all.
    #[must_use]
    pub const fn asks(&self) -> bool {
        !matches!(self, Self::Trusted(_))
    }
}

impl Authenticator for Gate {
    async fn authenticate(&self, bearer: Option<&str>) -> Result<Caller, Refused> {
        match self {
            Self::Trusted(trusted) => trusted.authenticate(bearer).await,
            Self::Tokens(tokens) => tokens.authenticate(bearer).await,
            Self::Jwt(jwt) => jwt.authenticate(bearer).await,
            Self::TokensAndJwt(tokens, jwt) => match bearer {
                Some(token) if has_form_of_jwt(token) => jwt.authenticate(bearer).await,
                _ => tokens.authenticate(bearer).await,
            },
        }
    }

    async fn unread(&self) -> Vec<Unread> {
        match self {
            Self::Trusted(trusted) => trusted.unread().await,
            Self::Tokens(tokens) => tokens.unread().await,
            Self::Jwt(jwt) => jwt.unread().await,
            Self::TokensAndJwt(tokens, jwt) => [tokens.unread().await, jwt.unread().await].concat(),
        }
    }
}
