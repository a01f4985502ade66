"""Models that the exporter must refuse, into FOLDER; prints for each its file and what the refusal must say.

    refused.py FOLDER
"""

import sys

import joblib
import numpy as np
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler

folder = sys.argv[1]
rows = np.random.default_rng(0).normal(size=(100, 4))


def forest():
    return IsolationForest(n_estimators=3)


models = {
    "other": (EllipticEnvelope().fit(rows), "found EllipticEnvelope"),
    "step": (
        Pipeline([("a", StandardScaler()), ("b", PCA()), ("c", forest())]).fit(rows),
        "found StandardScaler -> PCA -> IsolationForest",
    ),
    "scaler": (Pipeline([("a", RobustScaler()), ("b", forest())]).fit(rows), "found RobustScaler -> IsolationForest"),
    "unfitted": (forest(), "the forest is not fitted"),
}
for name, (model, reason) in models.items():
    joblib.dump(model, f"{folder}/{name}.joblib")
    print(f"{folder}/{name}.joblib", reason, sep="\t")
