"""The metrics of each resample by numpy and scipy, timed without imports: `scipy_side.py INPUT`, JSON on stdout (`bench/metrics/main.ts`)."""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.stats import kendalltau, pearsonr, spearmanr

warnings.simplefilter("ignore", OptimizeWarning)
warnings.filterwarnings("ignore", message=".*constant.*")


def logistic(x, b1, b2, b3, b4):
    return b2 + (b1 - b2) / (1 + np.exp(-(x - b3) / np.abs(b4)))


def fitted_plcc(x, y):
    with np.errstate(over="ignore"):
        fit, _ = curve_fit(
            logistic, x, y, p0=[y.max(), y.min(), x.mean(), 0.5], maxfev=200_000
        )
        return pearsonr(logistic(x, *fit), y)[0]


def plain(series):
    return [None if np.isnan(value) else float(value) for value in series]


def all_metrics(given):
    """Each metric's value of each draw, by name."""
    all_x, all_y = np.array(given["x"]), np.array(given["y"])
    values = {
        name: [] for name in ("srcc", "plcc", "krcc", "rmse", "plcc_fit", "main_score")
    }
    for draw in given["draws"]:
        drawn = np.repeat(np.arange(len(all_x)), np.array(draw, dtype=int))
        x, y = all_x[drawn], all_y[drawn]
        srcc, plcc_fit = spearmanr(x, y)[0], fitted_plcc(x, y)
        values["srcc"].append(srcc)
        values["plcc"].append(pearsonr(x, y)[0])
        values["krcc"].append(kendalltau(x, y)[0])
        values["rmse"].append(float(np.sqrt(np.mean((x - y) ** 2))))
        values["plcc_fit"].append(plcc_fit)
        values["main_score"].append((plcc_fit + srcc) / 2)
    return values


def part_metrics(part):
    """MainScore of a part's rows, then of each draw. The mean absolute error and the bias are computed too."""
    all_x, all_y = np.array(part["x"]), np.array(part["y"])
    values = {name: [] for name in ("main_score", "mean_absolute_error", "bias")}
    for draw in [[1] * len(all_x), *part["draws"]]:
        drawn = np.repeat(np.arange(len(all_x)), np.array(draw, dtype=int))
        x, y = all_x[drawn], all_y[drawn]
        values["main_score"].append((spearmanr(x, y)[0] + fitted_plcc(x, y)) / 2)
        values["mean_absolute_error"].append(np.mean(np.abs(x - y)))
        values["bias"].append(np.mean(x - y))
    return plain(values["main_score"])


given = json.loads(Path(sys.argv[1]).read_text())
started = time.perf_counter()
values = all_metrics(given)
between = time.perf_counter()
parts = [part_metrics(part) for part in given["parts"]]
answer = {
    "seconds": between - started,
    "versions": f"scipy {scipy.__version__}",
    "values": {name: plain(series) for name, series in values.items()},
    "breakdown": {"seconds": time.perf_counter() - between, "main_scores": parts},
}
json.dump(answer, sys.stdout)
