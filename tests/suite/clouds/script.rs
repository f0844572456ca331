//! The whole API, as the three functions behind API Gateway answer it, over S3 and DynamoDB.

use std::sync::Arc;

use super::functions::Functions;
use super::ground::Ground;
use crate::http::script::whole;

/// Runs by a real clock and takes some seconds, because links and proofs expire during the script.
#[tokio::test]
async fn the_api_answers_as_written_down_by_the_functions() {
    let ground = Arc::new(Ground::plain().await);
    whole(&Functions::start(&ground)).await;
    ground.assert_sound().await;
}
