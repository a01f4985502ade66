//! `emberwatch.v1.Incidents`: the incidents that are open, and the last that ended.

use super::{
    labels, least, named,
    v1::{Incident, IncidentState, ListIncidentsRequest, ListIncidentsResponse, incidents_server::Incidents},
};
use crate::{api::AnomalySnapshot, pipeline};
use arc_swap::ArcSwap;
use std::sync::Arc;
use tonic::{Request, Response, Status};

#[derive(Debug)]
pub(super) struct IncidentsService {
    snapshot: Arc<ArcSwap<AnomalySnapshot>>,
}

// === impl IncidentsService ===

impl IncidentsService {
    pub(super) fn new(snapshot: Arc<ArcSwap<AnomalySnapshot>>) -> Self {
        Self { snapshot }
    }
}

#[tonic::async_trait]
impl Incidents for IncidentsService {
    async fn list(
        &self,
        request: Request<ListIncidentsRequest>,
    ) -> Result<Response<ListIncidentsResponse>, Status> {
        let wanted = request.into_inner();
        let least = least(wanted.min_severity)?;
        let ended = match IncidentState::try_from(wanted.state) {
            Ok(IncidentState::Unspecified) => None,
            Ok(IncidentState::Open) => Some(false),
            Ok(IncidentState::Ended) => Some(true),
            Err(_) => return Err(Status::invalid_argument("state must be a value of IncidentState, 0 to 2")),
        };
        let snapshot = self.snapshot.load();
        let chosen = snapshot.select_incidents(named(&wanted.detector), least, ended);
        let incidents = chosen.map(Incident::from).collect();
        let timestamp_ms = snapshot.at.map(|at| at.0);
        Ok(Response::new(ListIncidentsResponse { timestamp_ms, incidents }))
    }
}

impl From<&pipeline::Incident> for Incident {
    fn from(incident: &pipeline::Incident) -> Self {
        Self {
            id: incident.id.to_string(),
            entity: labels(&incident.entity),
            severity: i32::from(incident.severity.number()),
            detectors: incident.detectors.clone(),
            start_ms: incident.start.0,
            end_ms: incident.end.map(|end| end.0),
            peak_ms: incident.peak.at.0,
            peak_anomaly_score: incident.peak.score.value(),
            criteria: incident.criteria.iter().map(ToString::to_string).collect(),
            r#type: incident.anomaly_type.map(|kind| kind.to_string()).unwrap_or_default(),
            explanation: incident.explanation.clone(),
            alerts: incident.alerts.clone(),
        }
    }
}
