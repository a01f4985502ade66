"""What the settings of the alarms are worth on servers that they were not chosen on.

Each server, then each whole set, is left out: of SETTINGS the one that does best on all others is judged on what was left
out. Best is the mean over the sets, each the mean of its servers, of the event F1, among the settings that keep the false
hours of every set within its limit.
"""

import collections
import statistics

from quality_alarms import Setting, alarms, event_figures, severity_scores, stretches
from quality_page import cell, markdown

SHIPPED = Setting(medium=0.4, n=2, m=3, clear_after=3, margin=0.05)

# The shipped one first: of settings that do equally well the first is chosen.
SETTINGS = [SHIPPED] + [
    setting
    for medium in (step / 40 for step in range(12, 23))  # 0.3 to 0.55
    for n, m in ((1, 1), (2, 3), (3, 5), (2, 5), (3, 3))
    for clear_after, margin in ((1, 0.0), (3, 0.05), (5, 0.1))
    if (setting := Setting(medium, n, m, clear_after, margin)) != SHIPPED
]

# Event F1 and false alarm hours a day.
Worth = collections.namedtuple("Worth", "f1 false_hours")


def worth_of_settings(columns, incidents, step_seconds):
    """For each of SETTINGS the worth of its alarms; `columns` are the anomaly_score, raw_score, criterion and alarm of each row.

    Stops where the shipped setting does not give the alarms that were raised.
    """
    *seen, raised = columns
    parts = list(stretches(severity_scores(*seen), SETTINGS))
    runs = [list(alarms(parts, setting)) for setting in SETTINGS]
    given = {row for start, end in runs[0] for row in range(start, end)}
    if given != {row for row, alarm in enumerate(raised) if alarm == "1"}:
        raise SystemExit(f"scripts/quality_alarms.py does not alarm as the product does with {SHIPPED}")
    return [Worth(*event_figures(of_setting, incidents, len(raised), step_seconds)) for of_setting in runs]


def left_out_tables(servers, limits):
    """`servers`: set -> server -> for each seed what `worth_of_settings` gave; `limits`: set -> false hours a day."""
    worth = {name: {server: means(of_seeds) for server, of_seeds in of_set.items()} for name, of_set in servers.items()}
    if len(worth) < 2 or any(len(of_set) < 2 for of_set in worth.values()):
        return None
    by_server = {
        (name, server): choice(without(worth, name, server), limits) for name, of_set in worth.items() for server in of_set
    }
    by_set = {name: choice({other: worth[other] for other in worth if other != name}, limits) for name in worth}
    rows = []
    for name, of_set in worth.items():
        shipped = mean([of_server[0] for of_server in of_set.values()])
        server = mean([of_server[by_server[name, server]] for server, of_server in of_set.items()])
        whole = mean([of_server[by_set[name]] for of_server in of_set.values()])
        three = (shipped, server, whole)
        rows.append([name, *(cell(one.f1) for one in three), *(cell(one.false_hours) for one in three)])
    heads = [f"{figure}, {how}" for figure in ("event F1", "false hours/day") for how in ("shipped", "server left out", "set left out")]
    return f"{markdown(['set', *heads], rows)}\n\n{choices_table(by_server, by_set)}"


def choices_table(by_server, by_set):
    """How often which setting was chosen."""
    counts = collections.Counter(by_server.values())
    rows = []
    for place in sorted({*counts, *by_set.values()}, key=lambda place: (-counts[place], place)):
        medium, n, m, clear_after, margin = SETTINGS[place]
        sets = ", ".join(name for name, chosen in by_set.items() if chosen == place)
        setting = f"{medium:.3f}; {n} of {m}; {clear_after}, {margin:.2f}" + (" (shipped)" if place == 0 else "")
        rows.append([setting, sets or "-", f"{counts[place]} of {len(by_server)}"])
    heads = ["medium; n of m; clear_after, margin", "chosen without the set", "chosen without a server"]
    return markdown(heads, rows, left=2)


def choice(worth, limits):
    """The place in SETTINGS of the best one; where none keeps the limits, the one that comes closest."""

    def goodness(place):
        of_sets = {name: mean([of_server[place] for of_server in of_set.values()]) for name, of_set in worth.items()}
        excess = max(max(0.0, one.false_hours / limits[name] - 1.0) for name, one in of_sets.items())
        return -excess, statistics.fmean(one.f1 for one in of_sets.values())

    return max(range(len(SETTINGS)), key=goodness)


def without(worth, name, server):
    return {**worth, name: {other: of_server for other, of_server in worth[name].items() if other != server}}


def means(of_seeds):
    """For each setting the mean over the seeds."""
    return [mean(of_setting) for of_setting in zip(*of_seeds)]


def mean(worths):
    return Worth(*map(statistics.fmean, zip(*worths)))
