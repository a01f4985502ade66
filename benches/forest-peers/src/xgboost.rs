//! A forest as XGBoost writes models: JSON, which other engines read.

use emberwatch::score::iforest::{Forest, Node, Tree, average_path_length};
use serde_json::{Value, json};

/// The forest as a model whose margin is the sum of the path lengths.
pub(crate) fn json(forest: &Forest) -> Value {
    let n_features = forest.n_features().to_string();
    let n_trees = forest.trees().len();
    let trees: Vec<Value> =
        forest.trees().iter().enumerate().map(|(id, tree)| tree_json(id, tree, &n_features)).collect();
    json!({
        "version": [2, 0, 0],
        "learner": {
            "attributes": {}, "feature_names": [], "feature_types": [],
            "gradient_booster": {
                "name": "gbtree",
                "model": {
                    "gbtree_model_param": { "num_parallel_tree": "1", "num_trees": n_trees.to_string() },
                    "iteration_indptr": (0..=n_trees).collect::<Vec<_>>(),
                    "tree_info": vec![0; n_trees],
                    "trees": trees,
                },
            },
            "learner_model_param": {
                "base_score": "[0E0]", "boost_from_average": "1", "num_class": "0",
                "num_feature": n_features, "num_target": "1",
            },
            "objective": { "name": "reg:squarederror", "reg_loss_param": { "scale_pos_weight": "1" } },
        },
    })
}

/// One node as XGBoost keeps it; of a leaf `condition` is its value.
#[derive(Clone, Copy)]
struct Written {
    /// Its place in the tree.
    from: usize,
    depth: u32,
    parent: i64,
    left: i64,
    right: i64,
    feature: u16,
    condition: f64,
}

fn tree_json(id: usize, tree: &Tree, n_features: &str) -> Value {
    const NO_PARENT: i64 = i32::MAX as i64;
    let fresh = |from, depth, parent| Written {
        from,
        depth,
        parent,
        left: -1,
        right: -1,
        feature: 0,
        condition: 0.0,
    };
    // Level by level, so that the children of a node stand side by side: its engines walk that way.
    let mut nodes = vec![fresh(0, 0, NO_PARENT)];
    let mut at = 0;
    while let Some(node) = nodes.get(at).copied() {
        let mut written = node;
        match tree.nodes()[node.from] {
            Node::Leaf { count } => {
                written.condition = f64::from(node.depth) + average_path_length(count as usize);
            }
            Node::Split { feature, threshold, right } => {
                written.feature = feature;
                // Ours goes right above the threshold, XGBoost's from its condition on.
                written.condition = f64::from(threshold.next_up());
                written.left = nodes.len() as i64;
                written.right = written.left + 1;
                nodes.push(fresh(node.from + 1, node.depth + 1, at as i64));
                nodes.push(fresh(right as usize, node.depth + 1, at as i64));
            }
        }
        nodes[at] = written;
        at += 1;
    }
    let n = nodes.len();
    let each = |value: fn(&Written) -> Value| nodes.iter().map(value).collect::<Vec<_>>();
    json!({
        "id": id,
        "base_weights": vec![0.0; n], "loss_changes": vec![0.0; n], "sum_hessian": vec![1.0; n],
        "categories": [], "categories_nodes": [], "categories_segments": [], "categories_sizes": [],
        "default_left": vec![0; n], "split_type": vec![0; n],
        "left_children": each(|node| node.left.into()),
        "right_children": each(|node| node.right.into()),
        "parents": each(|node| node.parent.into()),
        "split_indices": each(|node| node.feature.into()),
        "split_conditions": each(|node| node.condition.into()),
        "tree_param": {
            "num_deleted": "0", "num_feature": n_features, "num_nodes": n.to_string(), "size_leaf_vector": "1",
        },
    })
}
