//! Warnings and infos beside an answer, and how those of two sides differ.

use emberwatch::promql::Annotations;
use serde_json::Value;

/// Most of each kind that Prometheus shows.
const SHOWN: usize = 10;

/// What an answer of Prometheus says.
pub(crate) fn of_json(answer: &Value) -> Annotations {
    let texts = |name: &str| -> Vec<String> {
        let list = answer[name].as_array().into_iter().flatten();
        list.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    Annotations { warnings: texts("warnings"), infos: texts("infos") }
}

/// What differs, in words. Of more than it shows, Prometheus shows any, and their number.
pub(crate) fn difference(ours: &Annotations, theirs: &Annotations) -> Option<String> {
    let same = |ours: &[String], theirs: &[String], kind: &str| {
        let mut theirs = theirs.to_vec();
        theirs.sort();
        if ours.len() <= SHOWN {
            return *ours == *theirs;
        }
        let omitted = format!("{} more {kind} annotations omitted", ours.len() - SHOWN);
        theirs.len() == SHOWN + 1 && theirs.iter().all(|text| *text == omitted || ours.contains(text))
    };
    let is_same =
        same(&ours.warnings, &theirs.warnings, "warning") && same(&ours.infos, &theirs.infos, "info");
    (!is_same).then(|| format!("annotations: ours {ours:#?}, theirs {theirs:#?}"))
}
