"""A fitted scikit-learn model for the exchange tests: trains on made-up data, keeps the model, scores other rows.

Writes into FOLDER: model.joblib, train.csv, test.csv (both with the column timestamp, one row a minute, and x0, x1, ...)
expected.csv: minus `score_samples` of the test rows, one a line; and threshold.csv: minus `offset_`.

    exchange.py FOLDER DIMENSIONS ROWS MAX_SAMPLES SETTING,SETTING,...

SETTINGS: scaler (a Pipeline with StandardScaler), bootstrap, max_features (half of them), single (rows that are
exact in single precision), missing (some test rows without a value), contamination (0.02), none.
"""

import sys
import warnings

import joblib
import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

TRAIN_ROWS = 5_000

folder, dimensions, rows, max_samples = sys.argv[1], *map(int, sys.argv[2:5])
settings = set(sys.argv[5].split(","))
random = np.random.default_rng(7)
# Columns of very different size, some far from zero: that is where single precision and a scaler matter.
center, size = random.uniform(-1e4, 1e6, dimensions), 10 ** random.uniform(-2, 4, dimensions)
data = center + size * random.normal(size=(TRAIN_ROWS + rows, dimensions))
far = random.random(len(data)) < 0.05
data[far] += size * random.normal(0, 8, (far.sum(), dimensions))
if "single" in settings:
    data = data.astype(np.float32).astype(np.float64)
train, test = data[:TRAIN_ROWS], data[TRAIN_ROWS:]
if "missing" in settings:
    test[::9, 1] = np.nan

model = IsolationForest(
    n_estimators=100,
    max_samples=max_samples,
    max_features=0.5 if "max_features" in settings else 1.0,
    bootstrap="bootstrap" in settings,
    contamination=0.02 if "contamination" in settings else "auto",
    random_state=1,
)
if "scaler" in settings:
    model = Pipeline([("scale", StandardScaler()), ("forest", model)])
warnings.simplefilter("error")
model.fit(train)
joblib.dump(model, f"{folder}/model.joblib")


def write(name, rows):
    head = ",".join(["timestamp"] + [f"x{i}" for i in range(dimensions)])
    with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
        print(head, file=file)
        for i, row in enumerate(rows.tolist()):
            print(1_600_000_000 + 60 * i, *map(repr, row), sep=",", file=file)


def write_numbers(name, numbers):
    with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
        print(*map(repr, numbers), sep="\n", file=file)


write("train.csv", train)
write("test.csv", test)
write_numbers("expected.csv", (-model.score_samples(test)).tolist())
forest = model[-1] if "scaler" in settings else model
write_numbers("threshold.csv", [-float(forest.offset_)])
