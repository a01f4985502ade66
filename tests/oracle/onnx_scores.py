"""Scores rows with onnxruntime: the columns of CSV behind the first one, as single-precision numbers.

    onnx_scores.py MODEL.onnx ROWS.csv SCORES.csv
"""

import sys

import numpy as np
import onnxruntime

model, rows, scores = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
values = np.genfromtxt(rows, delimiter=",", skip_header=1)[:, 1:].astype(np.float32)
(result,) = session.run(["raw_score"], {"input": values})
with open(scores, "w", encoding="utf-8") as file:
    for score in result[:, 0].tolist():
        print(repr(score), file=file)
