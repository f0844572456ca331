//! CredLink on AWS.
