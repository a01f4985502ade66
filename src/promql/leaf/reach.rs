//! How far from a step an expression looks.

use super::{LOOKBACK_MS, Leaf};
use crate::promql::ast::{At, Moment};

/// The stretch of time around a step that a part of an expression can look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::promql) struct Reach {
    /// Milliseconds from the oldest time looked at to the step.
    pub(in crate::promql) back_ms: i64,
    /// Milliseconds from the step to the newest time looked at; negative where all is past.
    pub(in crate::promql) ahead_ms: i64,
}

impl Leaf {
    /// Its reach from the step of an instant query; `None` where it looks at a fixed time.
    pub(in crate::promql) fn reach(&self) -> Option<Reach> {
        let mut reach = Some(Reach::default());
        for subquery in &self.subqueries {
            reach = through(reach, subquery.moment, subquery.range_ms);
        }
        through(reach, self.moment, self.read.range_ms(LOOKBACK_MS))
    }
}

fn through(outer: Option<Reach>, moment: Moment, range_ms: i64) -> Option<Reach> {
    let Reach { back_ms, ahead_ms } = match moment.at {
        None => outer?,
        Some(At::Fixed(_)) => return None,
        // A feature's only step is both the start and the end of its query.
        Some(At::Start | At::End) => Reach::default(),
    };
    let offset_ms = moment.offset_ms;
    Some(Reach {
        back_ms: back_ms.saturating_add(offset_ms).saturating_add(range_ms),
        ahead_ms: ahead_ms.saturating_sub(offset_ms),
    })
}
