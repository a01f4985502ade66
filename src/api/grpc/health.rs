//! `grpc.health.v1.Health`: the answer of `GET /-/ready`, for gRPC clients.

use super::{
    AnomaliesService, IncidentsService,
    v1::{anomalies_server::AnomaliesServer, incidents_server::IncidentsServer},
};
use crate::api::Readiness;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tonic::{
    Request, Response, Status,
    codegen::{
        BoxStream,
        tokio_stream::{Stream, StreamExt as _, wrappers::WatchStream},
    },
    server::NamedService,
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server::Health,
};

/// Health as the readiness of the process: of the whole (the empty name) and of each service.
#[derive(Debug)]
pub(super) struct HealthService {
    readiness: Readiness,
}

// === impl HealthService ===

impl HealthService {
    pub(super) fn new(readiness: Readiness) -> Self {
        Self { readiness }
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !is_known(&request.get_ref().service) {
            return Err(Status::not_found("no such service"));
        }
        Ok(Response::new(response(serving(self.readiness.is_ready()))))
    }

    type WatchStream = BoxStream<HealthCheckResponse>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        // As the protocol has it, an unknown service is a status too: it might still come.
        let known = is_known(&request.get_ref().service);
        let status = move |ready| if known { serving(ready) } else { ServingStatus::ServiceUnknown };
        let changes = WatchStream::new(self.readiness.changes());
        let statuses = UntilShutdown { changes, was_ready: false, ended: false };
        Ok(Response::new(Box::pin(statuses.map(move |ready| Ok(response(status(ready)))))))
    }
}

fn is_known(service: &str) -> bool {
    let served = [AnomaliesServer::<AnomaliesService>::NAME, IncidentsServer::<IncidentsService>::NAME];
    service.is_empty() || served.contains(&service)
}

fn serving(ready: bool) -> ServingStatus {
    if ready { ServingStatus::Serving } else { ServingStatus::NotServing }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

/// Readiness as it changes, up to and with the end of being ready: an open call would hold up the
/// shutdown of the server.
struct UntilShutdown {
    changes: WatchStream<bool>,
    was_ready: bool,
    ended: bool,
}

impl Stream for UntilShutdown {
    type Item = bool;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<bool>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.changes).poll_next(context);
        if let Poll::Ready(Some(ready)) = polled {
            self.ended = self.was_ready && !ready;
            self.was_ready |= ready;
        }
        polled
    }
}
