//! The options of `credlink serve`.

use std::path::PathBuf;

use clap::Args;
use credlink_auth::jwt::settings::{Jwks, JwtSettings, TENANT_CLAIM};
use credlink_core::http::cors::Origin;
use credlink_core::tenant::Tenant;

use super::DATA_DIR;

/// The options of `credlink serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The address to listen on; port 0 chooses a free port
    #[arg(long, env = "CREDLINK_LISTEN", default_value = "127.0.0.1:8787", value_name = "HOST:PORT")]
    pub listen: String,
    /// The folder that holds everything; created if it does not exist
    // This ID replaces the option of the same name that every command has.
    #[arg(long, env = "CREDLINK_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// The base URL of links; by default the address that the server listens on
    #[arg(long, env = "CREDLINK_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// The origin of pages that may use the API, such as `https://app.example.com`; may be repeated
    #[arg(long, env = "CREDLINK_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<Origin>,
    /// A file of access tokens; without tokens of any kind, the server may serve only this machine
    #[arg(long, env = "CREDLINK_TOKENS", value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// The JSON Web Tokens to accept.
    #[command(flatten)]
    pub jwt: Jwt,
}

/// The JSON Web Tokens that the server accepts, with or without a file of tokens.
#[derive(Debug, Args)]
#[command(next_help_heading = "JSON Web Tokens")]
pub struct Jwt {
    /// The public keys of the tokens' issuer, as a JSON Web Key Set
    #[arg(
        long,
        env = "CREDLINK_JWKS",
        value_name = "FILE|URL",
        requires = "jwt_issuer",
        requires = "jwt_audience"
    )]
    pub jwks: Option<Jwks>,
    /// The issuer of the tokens, which `iss` must equal
    #[arg(long, env = "CREDLINK_JWT_ISSUER", value_name = "NAME", requires = "jwks")]
    pub jwt_issuer: Option<String>,
    /// The audience of the tokens, which `aud` must contain
    #[arg(long, env = "CREDLINK_JWT_AUDIENCE", value_name = "NAME", requires = "jwks")]
    pub jwt_audience: Option<String>,
    /// The claim that names the tenant
    #[arg(long, env = "CREDLINK_JWT_TENANT_CLAIM", value_name = "CLAIM", default_value = TENANT_CLAIM)]
    pub jwt_tenant_claim: String,
    /// The tenant of tokens without that claim, which are refused by default
    #[arg(long, env = "CREDLINK_JWT_DEFAULT_TENANT", value_name = "NAME", requires = "jwks")]
    pub jwt_default_tenant: Option<Tenant>,
}

impl Jwt {
    /// Returns the settings, if JSON Web Tokens are accepted.
    pub fn settings(&self) -> Option<JwtSettings> {
        // The parser has checked that all three are given, or none.
        Some(JwtSettings {
            jwks: self.jwks.clone()?,
            issuer: self.jwt_issuer.clone()?,
            audience: self.jwt_audience.clone()?,
            tenant_claim: self.jwt_tenant_claim.clone(),
            default_tenant: self.jwt_default_tenant.clone(),
        })
    }
}
