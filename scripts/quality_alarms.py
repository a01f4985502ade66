"""The alarms that the product would have raised at other settings, and what they are worth.

A second implementation of two rules: when a severity begins and ends (src/calibrate/tracker.rs, docs/configuration.md) and
what alarms cost (docs/evaluate.md), so that settings can be compared without judging every row again. `scripts/quality`
holds it against the program's own alarms and figures, on every server and seed.
"""

import collections
import itertools
import math

# A severity begins when n of m steps reached its threshold, and ends after clear_after steps in a row below the threshold
# minus the margin. Medium is enough: high begins above it and ends no later.
Setting = collections.namedtuple("Setting", "medium n m clear_after margin")

GAP = 10  # alarms at most so many rows apart are one episode
GRACE = 15  # rows before and after an incident in which an alarm costs nothing


# === alarms ===


def severity_scores(anomaly_scores, raw_scores, criteria):
    """The scores that severities follow from; None: no verdict, behind which a severity begins anew.

    What dropped to zero is medium by itself, wherever medium begins; the aftermath of an alarm supports nothing.
    """
    for score, raw, joined in zip(anomaly_scores, raw_scores, criteria):
        names = joined.split("+")
        if not raw:
            yield None
        elif "dropped_to_zero" in names:
            yield math.inf
        else:
            yield 0.0 if "aftermath" in names else float(score)


def stretches(scores, settings):
    """(first row, scores) of the parts outside of which none of these settings can alarm."""
    floor = min(setting.medium - setting.margin for setting in settings)
    memory = max(max(setting.m, setting.clear_after) for setting in settings)
    first, quiet = None, 0
    scores = list(scores)
    for row, score in enumerate([*scores, None]):
        quiet = 0 if score is not None and score >= floor else quiet + 1
        if first is None and quiet == 0:
            first = row
        elif first is not None and (score is None or quiet > memory):
            yield first, scores[first:row]
            first = None


def alarms(parts, setting):
    """(first row, row behind the last) of each run of rows of severity medium or high."""
    for first, scores in parts:
        row = first
        for on, run in itertools.groupby(severity_states(scores, setting)):
            start, row = row, row + sum(1 for _ in run)
            if on:
                yield start, row


def severity_states(scores, setting):
    """Whether medium stands, row by row."""
    medium, n, m, clear_after, margin = setting
    reached, held = collections.deque(maxlen=n), -clear_after
    stands = False
    for row, score in enumerate(scores):
        if score >= medium:
            reached.append(row)
        if score >= medium - margin:
            held = row
        enters = len(reached) == n and row - reached[0] < m
        stands = enters or (stands and row - held < clear_after)
        yield stands


# === what they are worth ===


def event_figures(runs, incidents, n_rows, step_seconds):
    """Event F1 and false alarm hours a day of these runs of alarms."""
    found = sum(any(start < end and first < behind for start, behind in runs) for first, end in incidents)
    free = joined([(max(0, first - GRACE), end + GRACE) for first, end in incidents], -1)
    rows_an_hour = max(1, round(3600 / step_seconds))
    false = sum(charged(episode, free, rows_an_hour) for episode in joined(runs, GAP))
    # 2 / (1 / precision + 1 / recall), where precision = found / (found + false).
    f1 = 2 * found / (found + false + len(incidents)) if incidents else 0.0
    return f1, false * 86_400 / (n_rows * step_seconds)


def joined(ranges, gap):
    """Ranges that lie at most `gap` rows apart become one; with -1 those that overlap."""
    result = []
    for start, end in ranges:
        if result and start <= result[-1][1] + gap:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def charged(episode, free, rows_an_hour):
    """False alarms of an episode: one for each begun hour of what lies outside of the free rows."""
    paid, end = episode
    total = 0
    for first, behind in free:
        if first < end and paid < behind:
            total += math.ceil(max(0, first - paid) / rows_an_hour)
            paid = min(behind, end)
    return total + math.ceil((end - paid) / rows_an_hour)
