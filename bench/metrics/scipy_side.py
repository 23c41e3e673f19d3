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


given = json.loads(Path(sys.argv[1]).read_text())
all_x, all_y = np.array(given["x"]), np.array(given["y"])
draws = [np.repeat(np.arange(len(all_x)), np.array(draw, dtype=int)) for draw in given["draws"]]
values = {name: [] for name in ("srcc", "plcc", "krcc", "rmse", "plcc_fit", "main_score")}
started = time.perf_counter()
for draw in draws:
    x, y = all_x[draw], all_y[draw]
    srcc = spearmanr(x, y)[0]
    with np.errstate(over="ignore"):
        fit, _ = curve_fit(logistic, x, y, p0=[y.max(), y.min(), x.mean(), 0.5], maxfev=200_000)
        plcc_fit = pearsonr(logistic(x, *fit), y)[0]
    values["srcc"].append(srcc)
    values["plcc"].append(pearsonr(x, y)[0])
    values["krcc"].append(kendalltau(x, y)[0])
    values["rmse"].append(float(np.sqrt(np.mean((x - y) ** 2))))
    values["plcc_fit"].append(plcc_fit)
    values["main_score"].append((plcc_fit + srcc) / 2)
seconds = time.perf_counter() - started
plain = {name: [None if value != value else float(value) for value in series] for name, series in values.items()}
json.dump({"seconds": seconds, "versions": f"scipy {scipy.__version__}", "values": plain}, sys.stdout)
