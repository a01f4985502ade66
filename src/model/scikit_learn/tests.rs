//! What is refused, and how; and a forest worked out by hand.

use super::*;
use ndarray::array;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Two trees of three rows. Standardised, x0 = (v - 10) / 2. In the first tree x0 parts one row from two; in the
/// second x1 parts all three, one after the other.
fn document() -> Value {
    json!({
        "format": "emberwatch isolation forest", "version": 1, "made_by": "hand",
        "features": ["a", "b"],
        "scaler": {"mean": [10.0, 0.0], "scale": [2.0, 1.0]},
        "max_samples": 3, "contamination": null, "threshold": 0.5,
        "trees": [
            {"feature": [0, -1, -1], "threshold": [1.5, 0.0, 0.0], "left": [1, -1, -1], "right": [2, -1, -1],
             "samples": [3, 2, 1]},
            {"feature": [1, -1, 1, -1, -1], "threshold": [0.1, 0.0, 5.0, 0.0, 0.0], "left": [1, -1, 3, -1, -1],
             "right": [2, -1, 4, -1, -1], "samples": [3, 1, 2, 1, 1]}
        ],
        "check": {"rows": [[20.0, 0.0]], "raw_scores": [score(1.0, 1.0)]}
    })
}

/// `2^(-(h1 + h2) / (2 c(3)))` with scikit-learn's c(3) = 2 (ln 2 + 0.5772...) - 4/3.
fn score(h1: f64, h2: f64) -> f64 {
    let c = 2.0 * (std::f64::consts::LN_2 + 0.577_215_664_901_533) - 4.0 / 3.0;
    2.0_f64.powf(-(h1 + h2) / (2.0 * c))
}

fn settings() -> ImportSettings {
    ImportSettings {
        detector: "d".to_owned(),
        entity_label: "instance".to_owned(),
        step_ms: 60_000,
        thresholds: Thresholds::default(),
        version: "v".to_owned(),
        created_at: TimestampMs(0),
    }
}

fn parse(document: &Value) -> Result<ScikitLearnForest, ScikitLearnError> {
    ScikitLearnForest::parse(document.to_string().as_bytes())
}

fn columns(values: [f64; 2]) -> Vec<f64> {
    let layout = InputLayout { n_features: 2 };
    let mut columns = vec![f64::NAN; layout.n_columns()];
    for (feature, value) in values.into_iter().enumerate() {
        columns[layout.column(feature, crate::features::Statistic::Value)] = value;
    }
    columns
}

/// x0 = 1.5 at a = 13; c(2) = 1. 0.1 as a single-precision number is above the double 0.1.
#[test]
fn a_forest_worked_out_by_hand() {
    let forest = parse(&document()).unwrap();
    let rows = array![[13.0, 0.0], [13.1, 0.0], [13.0, 0.1], [13.0, 6.0], [f64::NAN, 0.0]];
    let expected = [score(2.0, 1.0), score(1.0, 1.0), score(2.0, 2.0), score(2.0, 2.0), score(2.0, 1.0)];
    let (_, raw) = crate::model::plain::raw_scores(&forest.columns, &forest.forest, 5, |r, c| rows[[r, c]]);
    for (row, (raw, expected)) in raw.into_iter().zip(expected).enumerate() {
        assert!((raw - expected).abs() < 1e-12, "row {row}: {raw} {expected}");
    }
}

/// By convention 15 % lie above the threshold; 0.1 above it a tenth of the way down to one in a thousand is left.
#[test]
fn without_scores_a_convention_takes_their_place() {
    let (model, calibration) = parse(&document()).unwrap().into_model(settings(), None).unwrap();
    assert_eq!(calibration, Calibration::Threshold(0.5));
    let Judge::Plain(plain) = &model.judge else { panic!() };
    for (raw, expected) in [(0.25, 0.575), (0.5, 0.15), (0.6, 0.001 + 0.1 * 0.149)] {
        assert!((plain.tail.probability(raw) - expected).abs() < 1e-9, "{raw}");
    }
    assert!(plain.tail.probability(1.0) > 0.001);
    let again = Model::decode(&model.encode().unwrap()).unwrap();
    assert_eq!(again.encode().unwrap(), model.encode().unwrap());
    let strange = columns([1e6, -1e6]);
    let entity = LabelSet::default();
    assert_eq!(again.score_columns(&entity, &strange), model.score_columns(&entity, &strange));
}

#[test]
fn rows_calibrate_and_say_what_is_ordinary() {
    let rows = ndarray::Array2::from_shape_fn((40, 2), |(row, column)| (row * 2 + column) as f64);
    let (model, calibration) = parse(&document()).unwrap().into_model(settings(), Some(rows.view())).unwrap();
    assert_eq!(calibration, Calibration::Rows(40));
    let Judge::Plain(plain) = &model.judge else { panic!() };
    assert_eq!([plain.columns[0].ordinary, plain.columns[1].ordinary], [Some(39.0), Some(40.0)]);
    assert!(model.run_self_test().is_ok());
    let few = array![[1.0, 2.0]];
    let error = parse(&document()).unwrap().into_model(settings(), Some(few.view())).unwrap_err();
    assert!(error.to_string().contains("1 scores, at least 20 are needed"), "{error}");
}

/// Written and read again, a forest is the same, with scikit-learn's harmonic numbers or ours.
#[test]
fn a_model_written_as_json_is_read_back() {
    let mut exact = document();
    exact["harmonic_numbers"] = json!("exact");
    // c(3) = 5/3.
    exact["check"]["raw_scores"] = json!([2.0_f64.powf(-3.0 / 5.0)]);
    for document in [document(), exact] {
        let forest = parse(&document).unwrap();
        let (model, _) = forest.clone().into_model(settings(), None).unwrap();
        let again = ScikitLearnForest::parse(&model.to_scikit_learn_json().unwrap()).unwrap();
        assert_eq!(again.forest.trees(), forest.forest.trees());
        assert_eq!(again.forest.harmonic_numbers(), forest.forest.harmonic_numbers());
        assert_eq!((again.columns, again.features), (forest.columns, forest.features));
    }
}

#[test]
fn what_is_wrong_is_said_with_tree_and_node() {
    let cases: [(&str, Value, &str); 22] = [
        ("/format", json!("pickle"), "\"pickle\" version 1, not"),
        ("/version", json!(2), "version 2, not"),
        ("/features", json!(["a"]), "scaler.mean has 2 numbers, the forest has 1 features"),
        ("/features", json!([]), "scaler.mean has 2 numbers"),
        ("/scaler/scale/1", json!(0.0), "mean 0 and scale 0 for feature 1"),
        ("/scaler/extra", json!(1), "unknown field `extra`"),
        ("/max_samples", json!(5000), "5000 rows a tree, must be within 1 to"),
        ("/max_samples", json!(2), "tree 0: the leaves hold 3 rows, the sample has 2"),
        ("/max_samples", json!(-1), "cannot be read"),
        ("/contamination", json!(0.7), "the contamination is 0.7, must be above 0 and at most 0.5"),
        ("/threshold", json!(-0.5), "the threshold is -0.5"),
        ("/trees", json!([]), "0 trees"),
        ("/trees/1/left/0", json!(5), "tree 1: node 0 has child 5, there are 5 nodes"),
        ("/trees/1/left/0", json!(-7), "tree 1: node 0 has child -7"),
        ("/trees/1/right/2", json!(2), "tree 1: node 2 is the child of two nodes"),
        ("/trees/1/right/2", json!(0), "tree 1: node 0 is the child of two nodes"),
        ("/trees/0/feature/0", json!(2), "tree 0: node 0 splits by feature 2, there are 2"),
        ("/trees/0/threshold/0", json!(-1e39), "tree 0: node 0 has the threshold -1"),
        ("/trees/0/samples/2", json!(0), "tree 0: leaf 2 holds 0 rows"),
        (
            "/trees/0/samples",
            json!([3, 2]),
            "tree 0: feature, threshold, left, right and samples have [3, 3, 3, 3, 2]",
        ),
        ("/check/rows/0", json!([1.0]), "check row 0 has 1 numbers, the forest has 2 features"),
        ("/check/raw_scores/0", json!(0.5), "check row 0 has raw score 0.563"),
    ];
    for (place, value, expected) in cases {
        let mut document = document();
        put(&mut document, place, value);
        let said = parse(&document).unwrap_err().to_string();
        assert!(said.contains(expected), "{place}: {said}");
    }
    let mut lonely = document();
    for list in ["feature", "left", "right", "samples"] {
        lonely["trees"][0][list].as_array_mut().unwrap().push(json!(-1));
    }
    lonely["trees"][0]["threshold"].as_array_mut().unwrap().push(json!(0.0));
    assert_eq!(parse(&lonely).unwrap_err().to_string(), "tree 0: node 3 is no child of any node");
}

/// A chain of splits is as deep as it is long.
#[test]
fn a_tree_that_is_too_deep_is_refused() {
    let (splits, mut deep) = (100_000_i64, document());
    let list = |of: &dyn Fn(i64) -> i64| (0..=2 * splits).map(of).collect::<Vec<_>>();
    // Even nodes are splits, save the last; an odd node is the left child of the one before it.
    let inner = |node: i64| node % 2 == 0 && node < 2 * splits;
    deep["trees"][0] = json!({
        "feature": list(&|node| if inner(node) { 0 } else { -1 }),
        "threshold": list(&|_| 0),
        "left": list(&|node| if inner(node) { node + 1 } else { -1 }),
        "right": list(&|node| if inner(node) { node + 2 } else { -1 }),
        "samples": list(&|_| 1),
    });
    let said = parse(&deep).unwrap_err().to_string();
    assert!(said.contains("tree 0: node 24 is deeper than 12 levels"), "{said}");
}

proptest! {
    /// For all numbers in any place, reading and importing give a model or an error.
    #[test]
    fn nothing_in_the_json_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), strange_number()), 1..4),
    ) {
        let mut document = document();
        let places = number_places(&document, String::new());
        for (place, value) in changes {
            put(&mut document, place.get::<String>(&places), value);
        }
        let imported = parse(&document).and_then(|forest| forest.into_model(settings(), None));
        if let Ok((model, _)) = imported {
            // What a file may not hold is said when it is read.
            let _ = Model::decode(&model.encode().unwrap());
        }
    }
}

fn strange_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-3_i64..7).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        Just(json!(5e-324)),
        Just(Value::Null),
    ]
}

/// Where numbers stand.
fn number_places(value: &Value, at: String) -> Vec<String> {
    match value {
        Value::Number(_) => vec![at],
        Value::Array(values) => values
            .iter()
            .enumerate()
            .flat_map(|(i, value)| number_places(value, format!("{at}/{i}")))
            .collect(),
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| number_places(value, format!("{at}/{name}"))).collect()
        }
        _ => Vec::new(),
    }
}

fn put(document: &mut Value, place: &str, value: Value) {
    match document.pointer_mut(place) {
        Some(old) => *old = value,
        None => {
            let (object, name) = place.rsplit_once('/').unwrap();
            document.pointer_mut(object).unwrap()[name] = value;
        }
    }
}
