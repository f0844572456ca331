//! The options of `credlink serve`.

use std::path::PathBuf;

use clap::Args;
use credlink_auth::jwt::settings::{Jwks, JwtSettings, TENANT_CLAIM};
use credlink_core::tenant::Tenant;

use super::DATA_DIR;

/// Run the service over a folder of this machine.
#[derive(Debug, Args)]
pub struct Serve {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "CREDLINK_LISTEN", default_value = "127.0.0.1:8787", value_name = "HOST:PORT")]
    pub listen: String,
    /// The folder that holds everything; made if there is none
    // The same id as the option of every command, whose place it takes here.
    #[arg(long, env = "CREDLINK_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// What stands before the paths in links; by default the address it listens on
    #[arg(long, env = "CREDLINK_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// A file of access tokens; without tokens of any kind, only this machine may be served
    #[arg(long, env = "CREDLINK_TOKENS", value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Which JSON Web Tokens are taken.
    #[command(flatten)]
    pub jwt: Jwt,
}

/// Which JSON Web Tokens the server takes, beside the tokens of a file or without any.
#[derive(Debug, Args)]
#[command(next_help_heading = "JSON Web Tokens")]
pub struct Jwt {
    /// The public keys of their issuer, as a JSON Web Key Set
    #[arg(
        long,
        env = "CREDLINK_JWKS",
        value_name = "FILE|URL",
        requires = "jwt_issuer",
        requires = "jwt_audience"
    )]
    pub jwks: Option<Jwks>,
    /// Their issuer: what `iss` has to be
    #[arg(long, env = "CREDLINK_JWT_ISSUER", value_name = "NAME", requires = "jwks")]
    pub jwt_issuer: Option<String>,
    /// Whom they are for: what `aud` has to name
    #[arg(long, env = "CREDLINK_JWT_AUDIENCE", value_name = "NAME", requires = "jwks")]
    pub jwt_audience: Option<String>,
    /// The claim that names the tenant
    #[arg(long, env = "CREDLINK_JWT_TENANT_CLAIM", value_name = "CLAIM", default_value = TENANT_CLAIM)]
    pub jwt_tenant_claim: String,
    /// The tenant of tokens without that claim; they are refused by default
    #[arg(long, env = "CREDLINK_JWT_DEFAULT_TENANT", value_name = "NAME", requires = "jwks")]
    pub jwt_default_tenant: Option<Tenant>,
}

impl Jwt {
    /// The settings, if there are any.
    pub fn settings(&self) -> Option<JwtSettings> {
        // Either all three are given or none: what was typed is checked for that.
        Some(JwtSettings {
            jwks: self.jwks.clone()?,
            issuer: self.jwt_issuer.clone()?,
            audience: self.jwt_audience.clone()?,
            tenant_claim: self.jwt_tenant_claim.clone(),
            default_tenant: self.jwt_default_tenant.clone(),
        })
    }
}
