//! The operations of `S3Objects` beyond its port, over S3 and over R2.

mod commands;
mod kept;
mod keys;
mod links;
mod lost_answers;
mod transfers;
mod troubles;

/// Defines a test of every case over every provider.
macro_rules! over_both {
    ($($case:ident),+ $(,)?) => {
        mod s3 {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(crate::buckets::s3().await).await;
                }
            )+
        }
        mod r2 {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(crate::buckets::r2().await).await;
                }
            )+
        }
    };
}
pub(crate) use over_both;
