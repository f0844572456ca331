//! The edge: the real Worker on workerd, over HTTP as it is.

mod harness;
