//! Asks the sidecar what is anomalous and why: `GET /api/v1/anomalies`.

use crate::simulate::fleet::NodeView;
use bytes::Bytes;
use http::{StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

const PATH: &str = "/api/v1/anomalies";
const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// One anomaly as the sidecar tells it; fields that the demo does not show are left out.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Anomaly {
    /// Which detector.
    pub detector: String,
    /// Labels of the entity.
    pub entity: BTreeMap<String, String>,
    /// From 0 to 1.
    pub anomaly_score: f64,
    /// Plain words.
    pub explanation: String,
}

/// Prometheus' envelope.
#[derive(Deserialize)]
struct Answer {
    data: Snapshot,
}

#[derive(Deserialize)]
struct Snapshot {
    anomalies: Vec<Anomaly>,
}

/// Why the sidecar's answer could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AnomaliesError {
    /// The base URL is none.
    #[error("{url:?} is not a base URL")]
    Url {
        /// The text.
        url: String,
        /// Why not.
        source: http::uri::InvalidUri,
    },
    /// No answer.
    #[error("no answer from {url}")]
    Unreachable {
        /// The address asked.
        url: Uri,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer within two seconds.
    #[error("no answer from {url} within {TIMEOUT:?}")]
    TooSlow {
        /// The address asked.
        url: Uri,
    },
    /// An answer that says no.
    #[error("{url} answered {status}")]
    Status {
        /// The address asked.
        url: Uri,
        /// The status.
        status: StatusCode,
    },
    /// An answer of another shape.
    #[error("cannot read the answer of {url}")]
    Shape {
        /// The address asked.
        url: Uri,
        /// Why not.
        source: serde_json::Error,
    },
}

/// Asks one sidecar.
#[derive(Debug)]
pub struct Anomalies {
    client: Client<HttpConnector, Empty<Bytes>>,
    url: Uri,
}

impl Anomalies {
    /// A client of the sidecar at `base_url` (scheme, host, port).
    ///
    /// # Errors
    /// When that is not a URL.
    pub fn of(base_url: &str) -> Result<Self, AnomaliesError> {
        let text = format!("{}{PATH}", base_url.trim_end_matches('/'));
        let url = text.parse().map_err(|source| AnomaliesError::Url { url: text, source })?;
        Ok(Self { client: Client::builder(TokioExecutor::new()).build_http(), url })
    }

    /// What is anomalous now.
    ///
    /// # Errors
    /// When there is no answer, or not the one expected.
    pub async fn now(&self) -> Result<Vec<Anomaly>, AnomaliesError> {
        let url = self.url.clone();
        match tokio::time::timeout(TIMEOUT, self.ask()).await {
            Ok(answer) => answer,
            Err(_) => Err(AnomaliesError::TooSlow { url }),
        }
    }

    async fn ask(&self) -> Result<Vec<Anomaly>, AnomaliesError> {
        let unreachable = |source| AnomaliesError::Unreachable { url: self.url.clone(), source };
        let response = self.client.get(self.url.clone()).await.map_err(|e| unreachable(e.into()))?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(AnomaliesError::Status { url: self.url.clone(), status });
        }
        let body =
            Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await.map_err(unreachable)?;
        let answer: Answer = serde_json::from_slice(&body.to_bytes())
            .map_err(|source| AnomaliesError::Shape { url: self.url.clone(), source })?;
        Ok(answer.data.anomalies)
    }
}

/// The worst of `anomalies` on the node of `view`.
#[must_use]
pub fn worst<'a>(anomalies: &'a [Anomaly], view: &NodeView) -> Option<&'a Anomaly> {
    anomalies
        .iter()
        .filter(|anomaly| anomaly.entity.get("instance") == Some(&view.instance))
        .max_by(|a, b| a.anomaly_score.total_cmp(&b.anomaly_score))
}
