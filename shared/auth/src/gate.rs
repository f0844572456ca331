//! The credentials that a service asks for.

use credlink_core::access::Caller;
use credlink_ports::{Authenticator, Refused, Unread};

use crate::jwt::{JwtAuthenticator, has_form_of_jwt};
use crate::tokens::{StaticTokens, Trusted};

/// The authenticator that an operator has set up.
#[derive(Debug)]
pub enum Gate {
    /// No credentials: every caller is the owner. For the loopback interface only.
    Trusted(Trusted),
    /// Tokens from a file.
    Tokens(StaticTokens),
    /// Tokens that an issuer signs.
    Jwt(JwtAuthenticator),
    /// Both: a token in the form of a JWT is checked as one, and any other is looked up in the file.
    TokensAndJwt(StaticTokens, JwtAuthenticator),
}

impl Gate {
    /// Returns the authenticator for the credentials that an operator has set up.
    #[must_use]
    pub fn of(tokens: Option<StaticTokens>, jwt: Option<JwtAuthenticator>) -> Self {
        match (tokens, jwt) {
            (None, None) => Self::Trusted(Trusted),
            (Some(tokens), None) => Self::Tokens(tokens),
            (None, Some(jwt)) => Self::Jwt(jwt),
            (Some(tokens), Some(jwt)) => Self::TokensAndJwt(tokens, jwt),
        }
    }

    /// Returns `true` if credentials are required.
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
