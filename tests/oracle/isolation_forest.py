"""Scores of scikit-learn's IsolationForest, for the differential test of ours.

Reads CSV without a head from standard input: `n_train` rows to fit, then the rows to score. Writes one score a
line: minus `score_samples`, that is the score of the paper, for the rows to score.

    isolation_forest.py N_TRAIN N_TREES SUBSAMPLE_SIZE SEED
"""

import sys

import numpy as np
from sklearn.ensemble import IsolationForest

n_train, n_trees, subsample_size, seed = map(int, sys.argv[1:])
rows = np.loadtxt(sys.stdin, delimiter=",", ndmin=2, dtype=np.float32)
forest = IsolationForest(n_estimators=n_trees, max_samples=subsample_size, random_state=seed)
forest.fit(rows[:n_train])
for score in -forest.score_samples(rows[n_train:]):
    print(repr(float(score)))
