//! The body of a request.

use std::future::Future;

use bytes::Bytes;
use credlink_core::http::problem::Problem;

/// The body of a request while it arrives: its bytes, or a problem if they cannot be read.
pub trait RequestBody: Future<Output = Result<Bytes, Problem>> {}
impl<B: Future<Output = Result<Bytes, Problem>>> RequestBody for B {}
