"""Other methods on a series of single values: from the first `learned` values, for each value a score and whether it is an alarm.

scikit-learn's forest is left out (None) where this Python cannot import it.
"""

import statistics

try:
    from sklearn.ensemble import IsolationForest
except ImportError:
    IsolationForest = None


def robust_z(values, learned, seed):
    """Distance from the median, in robust standard deviations; more than three are an alarm."""
    centre = statistics.median(values[:learned])
    spread = 1.4826 * statistics.median(abs(value - centre) for value in values[:learned]) or 1.0
    return [(z, int(z > 3)) for z in (abs(value - centre) / spread for value in values)]


def forest_auto(values, learned, seed):
    """The forest with the threshold that it has by itself: contamination="auto", a score above 0.5."""
    return forest_alarms(values, learned, seed, lambda scores: 0.5)


def forest_quantile(values, learned, seed):
    """The forest with the 0.999 quantile of the scores of its own training values."""
    return forest_alarms(values, learned, seed, lambda scores: quantile(scores, 0.999))


def forest_alarms(values, learned, seed, threshold_of):
    """100 trees of 256 rows, scikit-learn's defaults."""
    column = [[value] for value in values]
    forest = IsolationForest(random_state=seed).fit(column[:learned])
    scores = [float(-score) for score in forest.score_samples(column)]
    threshold = threshold_of(scores[:learned])
    return [(score, int(score > threshold)) for score in scores]


def quantile(figures, share):
    """Between the two nearest figures by their distance, as numpy does."""
    ascending = sorted(figures)
    place = share * (len(ascending) - 1)
    below = int(place)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (place - below) * (ascending[above] - ascending[below])


METHODS = {
    "robust z": robust_z,
    "scikit-learn, auto": IsolationForest and forest_auto,
    "scikit-learn, 0.999": IsolationForest and forest_quantile,
}
