//! A plain model as ONNX, the format of other programs that score.
//!
//! One input `input`, float, \[N, features\]: the features' values; one output `raw_score`, float, \[N, 1\]. In
//! between: what stands for a missing value (NaN) and the standardisation, in double precision as in
//! [`Plain`]; a `TreeEnsembleRegressor` (domain ai.onnx.ml) that adds up the path lengths; and
//! `2^(-sum / (trees c(psi)))`, in double precision again.
//!
//! The trees decide as ours do, to the bit: thresholds are single-precision numbers, a value goes left where it is not
//! above. The sum of the path lengths is single precision in the format, so a score is within 1e-6, not equal.

use super::{ExportError, Model, Plain};
use crate::score::iforest::{Forest, Node};
use prost::Message as _;
use proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    attribute_proto::AttributeType,
    tensor_proto::DataType,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};

/// Types generated from `proto/onnx.proto`.
mod proto {
    #![allow(missing_docs, unreachable_pub, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/emberwatch.onnx.rs"));
}

/// ONNX 1.13, of the end of 2022: old enough to be read everywhere.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;
const ML_DOMAIN: &str = "ai.onnx.ml";
const ML_OPSET: i64 = 3;

/// Name of the input, and of the output.
const INPUT: &str = "input";
const OUTPUT: &str = "raw_score";

// === impl Model ===

impl Model {
    /// The model as the bytes of an ONNX file, without its calibration: the output is the raw score.
    ///
    /// # Errors
    /// When it is no plain model, or its forest is not plain.
    pub fn to_onnx(&self) -> Result<Vec<u8>, ExportError> {
        let plain = self.exportable()?;
        if plain.forest.unit() == 0.0 {
            return Err(ExportError::NoOpinion);
        }
        let names: Vec<&str> = self.schema.features().iter().map(|feature| feature.name.as_str()).collect();
        let property = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
        let message = ModelProto {
            ir_version: IR_VERSION,
            producer_name: "emberwatch".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc_string: "Isolation Forest; the output is 2^(-mean path length / c(psi))".to_owned(),
            graph: Some(graph(plain)),
            opset_import: vec![
                OperatorSetIdProto { domain: String::new(), version: OPSET },
                OperatorSetIdProto { domain: ML_DOMAIN.to_owned(), version: ML_OPSET },
            ],
            metadata_props: vec![
                property("version", self.version.clone()),
                property("features", names.join(",")),
            ],
        };
        Ok(message.encode_to_vec())
    }
}

fn graph(plain: &Plain) -> GraphProto {
    let mut graph = Graph::default();
    let mut x = INPUT.to_owned();
    let columns = &plain.columns;
    let fills = columns.iter().any(|column| column.ordinary.is_some());
    let scales = columns.iter().any(|column| column.scale.center != 0.0 || column.scale.unit != 1.0);
    if fills || scales {
        x = graph.cast(&x, DataType::Double, "wide");
    }
    if fills {
        let ordinary = columns.iter().map(|column| column.ordinary.unwrap_or(f64::NAN)).collect();
        let ordinary = graph.constant("ordinary", ordinary);
        let missing = graph.node("IsNaN", &[&x], "missing");
        x = graph.node("Where", &[&missing, &ordinary, &x], "filled");
    }
    if scales {
        let center = graph.constant("center", columns.iter().map(|column| column.scale.center).collect());
        let unit = graph.constant("unit", columns.iter().map(|column| column.scale.unit).collect());
        let centered = graph.node("Sub", &[&x, &center], "centered");
        x = graph.node("Div", &[&centered, &unit], "scaled");
    }
    if fills || scales {
        x = graph.cast(&x, DataType::Float, "narrow");
    }
    let forest = &plain.forest;
    let sum = graph.trees(&x, forest, "path_lengths");
    let sum = graph.cast(&sum, DataType::Double, "wide_path_lengths");
    let part = graph.constant("part", vec![-1.0 / (forest.trees().len() as f64 * forest.unit())]);
    let exponent = graph.node("Mul", &[&sum, &part], "exponent");
    let two = graph.constant("two", vec![2.0]);
    let score = graph.node("Pow", &[&two, &exponent], "wide_score");
    graph.cast(&score, DataType::Float, OUTPUT);
    GraphProto {
        node: graph.nodes,
        name: "isolation_forest".to_owned(),
        initializer: graph.constants,
        input: vec![table(INPUT, columns.len())],
        output: vec![table(OUTPUT, 1)],
    }
}

/// A float matrix of any number of rows.
fn table(name: &str, columns: usize) -> ValueInfoProto {
    let rows = Dimension { value: Some(dimension::Value::DimParam("N".to_owned())) };
    let columns = Dimension { value: Some(dimension::Value::DimValue(columns as i64)) };
    let shape = Some(TensorShapeProto { dim: vec![rows, columns] });
    let tensor = type_proto::Tensor { elem_type: DataType::Float.into(), shape };
    let r#type = Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)) });
    ValueInfoProto { name: name.to_owned(), r#type }
}

/// A graph under way. What makes a value gives the value's name.
#[derive(Default)]
struct Graph {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

// === impl Graph ===

impl Graph {
    fn constant(&mut self, name: &str, numbers: Vec<f64>) -> String {
        self.constants.push(TensorProto {
            dims: vec![numbers.len() as i64],
            data_type: DataType::Double.into(),
            name: name.to_owned(),
            double_data: numbers,
        });
        name.to_owned()
    }

    fn node(&mut self, op_type: &str, inputs: &[&str], output: &str) -> String {
        self.push(op_type, "", inputs, output, Vec::new())
    }

    fn cast(&mut self, input: &str, to: DataType, output: &str) -> String {
        self.push("Cast", "", &[input], output, vec![int("to", i64::from(i32::from(to)))])
    }

    /// The sum of the path lengths of all trees.
    fn trees(&mut self, input: &str, forest: &Forest, output: &str) -> String {
        self.push("TreeEnsembleRegressor", ML_DOMAIN, &[input], output, TreeLists::of(forest).attributes())
    }

    fn push(
        &mut self,
        op_type: &str,
        domain: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<AttributeProto>,
    ) -> String {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.to_owned()],
            name: format!("make_{output}"),
            op_type: op_type.to_owned(),
            attribute,
            domain: domain.to_owned(),
        });
        output.to_owned()
    }
}

/// All nodes of all trees as the lists of a `TreeEnsembleRegressor`.
#[derive(Default)]
struct TreeLists {
    tree: Vec<i64>,
    node: Vec<i64>,
    feature: Vec<i64>,
    threshold: Vec<f32>,
    mode: Vec<Vec<u8>>,
    left: Vec<i64>,
    right: Vec<i64>,
    leaf_tree: Vec<i64>,
    leaf_node: Vec<i64>,
    path_length: Vec<f32>,
}

// === impl TreeLists ===

impl TreeLists {
    fn of(forest: &Forest) -> Self {
        let mut lists = Self::default();
        for (number, tree) in forest.trees().iter().enumerate() {
            // Depths of the right branches that are still to come.
            let (mut depth, mut open) = (0_u32, Vec::new());
            for (place, node) in tree.nodes().iter().enumerate() {
                lists.tree.push(number as i64);
                lists.node.push(place as i64);
                match *node {
                    Node::Split { feature, threshold, right } => {
                        lists.push(
                            i64::from(feature),
                            threshold,
                            "BRANCH_LEQ",
                            place as i64 + 1,
                            right.into(),
                        );
                        depth += 1;
                        open.push(depth);
                    }
                    Node::Leaf { count } => {
                        lists.push(0, 0.0, "LEAF", 0, 0);
                        let rest = forest.harmonic_numbers().average_path_length(count as usize);
                        lists.leaf_tree.push(number as i64);
                        lists.leaf_node.push(place as i64);
                        lists.path_length.push((f64::from(depth) + rest) as f32);
                        depth = open.pop().unwrap_or(0);
                    }
                }
            }
        }
        lists
    }

    fn push(&mut self, feature: i64, threshold: f32, mode: &str, left: i64, right: i64) {
        self.feature.push(feature);
        self.threshold.push(threshold);
        self.mode.push(mode.as_bytes().to_vec());
        self.left.push(left);
        self.right.push(right);
    }

    fn attributes(self) -> Vec<AttributeProto> {
        // A missing value goes left, as in our trees.
        let missing_left = vec![1; self.node.len()];
        let only_target = vec![0; self.leaf_node.len()];
        vec![
            int("n_targets", 1),
            text("aggregate_function", "SUM"),
            text("post_transform", "NONE"),
            ints("nodes_treeids", self.tree),
            ints("nodes_nodeids", self.node),
            ints("nodes_featureids", self.feature),
            floats("nodes_values", self.threshold),
            attribute("nodes_modes", AttributeType::Strings, |into| into.strings = self.mode),
            ints("nodes_truenodeids", self.left),
            ints("nodes_falsenodeids", self.right),
            ints("nodes_missing_value_tracks_true", missing_left),
            ints("target_treeids", self.leaf_tree),
            ints("target_nodeids", self.leaf_node),
            ints("target_ids", only_target),
            floats("target_weights", self.path_length),
        ]
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    attribute(name, AttributeType::Int, |into| into.i = i)
}

fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    attribute(name, AttributeType::Ints, |into| into.ints = ints)
}

fn floats(name: &str, floats: Vec<f32>) -> AttributeProto {
    attribute(name, AttributeType::Floats, |into| into.floats = floats)
}

fn text(name: &str, text: &str) -> AttributeProto {
    attribute(name, AttributeType::String, |into| into.s = text.as_bytes().to_vec())
}

fn attribute(name: &str, kind: AttributeType, fill: impl FnOnce(&mut AttributeProto)) -> AttributeProto {
    let mut attribute =
        AttributeProto { name: name.to_owned(), r#type: kind.into(), ..AttributeProto::default() };
    fill(&mut attribute);
    attribute
}
