"""Writes tests/golden/metrics.json: what scipy makes of small, awkward sets of predictions and opinions.

    /var/cache/critic/python/dev/bin/python tests/golden/make_metrics.py && node_modules/.bin/oxfmt tests/golden

PLCC, SRCC (average ranks), Kendall's tau-b, RMSE, and PLCC after the 4-parameter logistic fit of Coobiw/IE-Critic-R1
@357c239 (scripts/iebench_eval.py: curve_fit from [max(y), min(y), mean(x), 0.5]). The script says which scipy it ran with.
`fit_sse` is the residual sum of squares of scipy's fit: another fit may reach a better optimum, never a worse one.
"""

import json
import pathlib

import numpy as np
import scipy
from scipy.optimize import curve_fit
from scipy.stats import kendalltau, pearsonr, spearmanr


def logistic(x, b1, b2, b3, b4):
    with np.errstate(over="ignore"):
        return b2 + (b1 - b2) / (1 + np.exp(-(x - b3) / np.abs(b4)))


def expected(predicted, mos):
    x, y = np.array(predicted), np.array(mos)
    values, _ = curve_fit(logistic, x, y, p0=[y.max(), y.min(), x.mean(), 0.5], maxfev=200_000)
    fitted = logistic(x, *values)
    plcc_fit, srcc = pearsonr(fitted, y)[0], spearmanr(x, y)[0]
    return {
        "plcc": pearsonr(x, y)[0],
        "srcc": srcc,
        "krcc": kendalltau(x, y)[0],
        "rmse": float(np.sqrt(np.mean((x - y) ** 2))),
        "plcc_fit": plcc_fit,
        "main_score": (plcc_fit + srcc) / 2,
        "fit_sse": float(np.sum((fitted - y) ** 2)),
    }


def clipped(values, digits=2):
    return [round(float(value), digits) for value in np.clip(values, 1, 5)]


def cases():
    random = np.random.default_rng(20261123)
    mos = random.uniform(1, 5, 60)
    noise = random.normal(0, 0.4, 60)
    yield "a good critic: opinion plus noise", clipped(mos + noise), clipped(mos)
    yield "a critic that only ever says whole numbers", clipped(np.round(mos + noise), 0), clipped(mos)
    yield "many ties on both sides", clipped(np.round(mos + noise), 0), clipped(np.round(mos), 0)
    yield "a critic whose opinion is upside down", clipped(6 - mos + noise), clipped(mos)
    yield "a critic that guesses", clipped(random.uniform(1, 5, 60)), clipped(mos)
    yield "a critic that squeezes every score into the middle", clipped(3 + (mos - 3) * 0.1 + noise / 20), clipped(mos)
    bent = 1 + 4 / (1 + np.exp(-(mos - 3) / 0.3))
    yield "opinions that follow a steep curve of the scores", clipped(mos), clipped(bent + noise / 8)
    yield "scores that follow a steep curve of the opinions", clipped(bent + noise / 8), clipped(mos)
    yield "a perfect critic", clipped(mos), clipped(mos)
    yield "two distinct scores only", [2.0 if value < 3 else 4.0 for value in mos], clipped(mos)
    yield "six pairs", [1.5, 2.0, 2.0, 3.5, 4.0, 4.5], [1.2, 2.6, 1.9, 3.0, 4.4, 4.1]
    grid = 1 + np.round(random.uniform(0, 49, 300)) * 4 / 49
    yield "three hundred pairs on the published grid", clipped(grid * 0.8 + 0.6 + random.normal(0, 0.35, 300)), clipped(grid)


def main():
    rows = [
        {"name": name, "predicted": x, "mos": y, "expected": expected(x, y)}
        for name, x, y in cases()
    ]
    path = pathlib.Path(__file__).with_name("metrics.json")
    head = json.dumps({"made_by": "make_metrics.py", "scipy": scipy.__version__, "numpy": np.__version__})[:-1]
    body = ",\n".join(json.dumps(row) for row in rows)
    path.write_text(f'{head}, "cases": [\n{body}\n]}}\n')


if __name__ == "__main__":
    main()
