#!/usr/bin/env python3
"""Writes a fitted scikit-learn IsolationForest as the JSON that `emberwatch model import` reads.

    export_sklearn.py MODEL.joblib --out FOREST.json [--features NAME,NAME,...] [--training FILE.csv]

MODEL.joblib holds an IsolationForest, or a Pipeline of a StandardScaler and an IsolationForest. Loading a joblib
file runs code that stands in it: export only files that you trust. Needs the scikit-learn that wrote the file.

--features names the columns, where the model was not fitted on a DataFrame, which names them itself.
--training is a CSV file with these columns: the rows that the forest was trained on. Their scores then calibrate
the imported model. Better are rows that it was not trained on, given to `emberwatch model import --calibrate`.

The JSON is described in docs/scikit-learn.md. Exit status: 0 written, 1 refused, with the reason.
"""

import argparse
import csv
import gzip
import json
import sys
import warnings

import joblib
import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

FORMAT = "emberwatch isolation forest"
VERSION = 1
CHECK_ROWS = 64


class Refused(Exception):
    """The model holds something that the JSON cannot say."""


def main():
    arguments = parse_arguments()
    try:
        model = joblib.load(arguments.model)
        document = export(model, arguments.features, arguments.training)
        with open(arguments.out, "w", encoding="utf-8") as file:
            json.dump(document, file, allow_nan=False)
    except (Refused, OSError) as reason:
        sys.exit(f"export_sklearn: {reason}")
    trees, features = len(document["trees"]), len(document["features"])
    print(f"{trees} trees over {features} features written to {arguments.out}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL.joblib")
    parser.add_argument("--out", required=True, metavar="FOREST.json")
    parser.add_argument("--features", type=lambda text: text.split(","), metavar="NAME,NAME,...")
    parser.add_argument("--training", metavar="FILE.csv")
    return parser.parse_args()


def export(model, features=None, training=None):
    """The document for `model`; `training` is the path of a CSV file."""
    scaler, forest = parts(model)
    features = names(model, forest, features)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": f"scikit-learn {sklearn.__version__}",
        "features": features,
        "max_samples": int(forest.max_samples_),
        "contamination": None if forest.contamination == "auto" else float(forest.contamination),
        "threshold": -float(forest.offset_),
        "trees": [tree(*pair) for pair in zip(forest.estimators_, columns(forest))],
        "check": check(model, scaler, forest),
    }
    if scaler is not None:
        document["scaler"] = scaling(scaler)
    if training is not None:
        document["training_scores"] = raw_scores(model, read_rows(training, features))
    return document


def parts(model):
    """The scaler, or none, and the forest. By their exact types: a subclass may do anything."""
    steps = [model]
    if type(model) is Pipeline:
        steps = [step for _, step in model.steps if step is not None and step != "passthrough"]
    kinds = [type(step) for step in steps]
    if kinds not in ([IsolationForest], [StandardScaler, IsolationForest]):
        found = " -> ".join(kind.__name__ for kind in kinds)
        raise Refused(f"found {found}; only IsolationForest, or StandardScaler -> IsolationForest, can be exported")
    forest = steps[-1]
    if not hasattr(forest, "estimators_"):
        raise Refused("the forest is not fitted")
    return (steps[0] if len(steps) == 2 else None), forest


def names(model, forest, given):
    known = getattr(model, "feature_names_in_", None)
    if given is not None and known is not None and list(known) != given:
        raise Refused(f"--features says {given}, the model was fitted on {list(known)}")
    number = forest.n_features_in_
    features = given or (list(map(str, known)) if known is not None else [f"x{i}" for i in range(number)])
    if len(features) != number:
        raise Refused(f"--features has {len(features)} names, the forest has {number} features")
    return features


def scaling(scaler):
    number = scaler.n_features_in_
    return {
        "mean": (scaler.mean_ if scaler.with_mean else np.zeros(number)).tolist(),
        "scale": (scaler.scale_ if scaler.with_std else np.ones(number)).tolist(),
    }


def columns(forest):
    """For each tree the feature that each of its columns is: with max_features below 1 a tree sees some only."""
    for features in forest.estimators_features_:
        # With all features, scikit-learn gives a tree the rows as they are.
        yield features if len(features) < forest.n_features_in_ else np.arange(forest.n_features_in_)


def tree(estimator, features):
    nodes = estimator.tree_
    is_leaf = nodes.children_left == -1
    feature = np.where(is_leaf, -1, np.asarray(features)[np.where(is_leaf, 0, nodes.feature)])
    return {
        "feature": feature.tolist(),
        "threshold": np.where(is_leaf, 0.0, nodes.threshold).tolist(),
        "left": nodes.children_left.tolist(),
        "right": nodes.children_right.tolist(),
        "samples": nodes.n_node_samples.tolist(),
    }


def check(model, scaler, forest):
    """Rows over and beyond all thresholds, some exactly at one, with their scores."""
    random = np.random.default_rng(0)
    number = forest.n_features_in_
    thresholds = [[] for _ in range(number)]
    for estimator, features in zip(forest.estimators_, columns(forest)):
        nodes = estimator.tree_
        for node in np.flatnonzero(nodes.children_left != -1):
            thresholds[features[nodes.feature[node]]].append(nodes.threshold[node])
    rows = np.zeros((CHECK_ROWS, number))
    for feature, own in enumerate(thresholds):
        if own:
            low, high = min(own), max(own)
            span = high - low
            rows[:, feature] = random.uniform(low - span / 2, high + span / 2, CHECK_ROWS)
            rows[::4, feature] = np.float32(random.choice(own, len(rows[::4])))
    if scaler is not None:
        rows = scaler.inverse_transform(rows)
    return {"rows": rows.tolist(), "raw_scores": raw_scores(model, rows)}


def raw_scores(model, rows):
    with warnings.catch_warnings():
        # "X does not have valid feature names": they are in order.
        warnings.simplefilter("ignore", UserWarning)
        return (-model.score_samples(rows)).tolist()


def read_rows(path, features):
    """The columns called `features`, in their order."""
    open_text = gzip.open if path.endswith(".gz") else open
    with open_text(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in features if name not in (reader.fieldnames or [])]
        if missing:
            raise Refused(f"{path} has no column {missing[0]!r}")
        try:
            return np.array([[float(row[name] or "nan") for name in features] for row in reader])
        except (TypeError, ValueError) as reason:
            raise Refused(f"{path}: {reason}") from reason


if __name__ == "__main__":
    main()
