/**
 * The 4-parameter logistic of image quality work, fitted by least squares:
 * ŷ = b2 + (b1 − b2) / (1 + exp(−(x − b3) / |b4|)), from [max(y), min(y), mean(x), 0.5] as in the paper's evaluation
 * (Coobiw/IE-Critic-R1 @357c239, scripts/iebench_eval.py, scipy's curve_fit). Levenberg–Marquardt with Marquardt's scaling
 * and exact derivatives (Marquardt 1963; Madsen, Nielsen, Tingleff 2004, "Methods for non-linear least squares problems",
 * algorithm 3.16). The package ml-levenberg-marquardt was tried: its unscaled damping stopped short of scipy's optimum on weak
 * predictors, and with its numeric derivatives a bootstrap of fits took minutes. tests/golden/metrics.json has scipy's results.
 */

/** [b1, b2, b3, b4]: upper end, lower end, middle (in units of x), width (in units of x; its sign has no meaning). */
export type Parameters = readonly [number, number, number, number];

/** What is fitted: distinct predictions, each with the mean of its opinions and how many there are. */
export interface FitPoints {
  /** Distinct predictions. */
  x: Float64Array;
  /** Mean opinion at each. */
  y: Float64Array;
  /** Opinions at each, above 0. */
  weights: Float64Array;
  /** Sum of squares of opinions around the mean at their prediction: no curve can take that away. */
  within: number;
  lowest: number;
  highest: number;
}

export type LogisticFit =
  | { kind: 'fitted'; parameters: Parameters; squares: number; iterations: number }
  | { kind: 'undefined'; reason: 'too-few-points' | 'constant-predictions' | 'constant-targets' };

/** Opinions that the curve needs. */
export const fewestFitted = 5;

/**
 * Fits opinions on predictions. `squares` is the residual sum of squares over all opinions. The curve is undefined with fewer than `fewestFitted` opinions and with
 * one single value on a side. The fit ends after at most `maxIterations`, with the best curve so far: at a flat optimum (a perfect predictor) the
 * parameters drift without end, although the curve is right long before.
 */
export function fitLogistic(points: FitPoints, maxIterations = 300): LogisticFit {
  const count = points.weights.reduce((sum, weight) => sum + weight, 0);
  if (count < fewestFitted) return { kind: 'undefined', reason: 'too-few-points' };
  if (points.x.length === 1) return { kind: 'undefined', reason: 'constant-predictions' };
  if (points.lowest === points.highest) return { kind: 'undefined', reason: 'constant-targets' };
  let point = linearise(startOf(points, count), points);
  let damping = 1e-3;
  let iterations = 0;
  while (iterations < maxIterations && damping < 1e16) {
    iterations += 1;
    const step = solve(damped(point.normal, damping), point.gradient);
    const next = step === undefined ? undefined : linearise(moved(point.parameters, step), points);
    if (next === undefined || !(next.squares < point.squares)) {
      damping *= 4;
      continue;
    }
    const gained = point.squares - next.squares;
    point = next;
    damping = Math.max(damping / 5, 1e-12);
    if (gained <= 1e-11 * point.squares) break;
  }
  return { kind: 'fitted', parameters: point.parameters, squares: point.squares, iterations };
}

function startOf({ x, weights, lowest, highest }: FitPoints, count: number): Parameters {
  const sum = x.reduce((before, value, i) => before + value * (weights[i] ?? 0), 0);
  return [highest, lowest, sum / count, 0.5];
}

/** The curve at `x`: ŷ. */
export function logisticCurve([upper, lower, middle, width]: Parameters, x: number): number {
  return lower + (upper - lower) / (1 + Math.exp(-(x - middle) / Math.max(Math.abs(width), 1e-9)));
}

interface Point {
  parameters: Parameters;
  squares: number;
  /** JᵀJ, 4 × 4, and Jᵀr of the residuals r = y − ŷ. */
  normal: number[][];
  gradient: number[];
}

/** The hot loop of a bootstrap, so its sums are plain variables: d1 to d4 are the derivatives by b1 to b4. */
function linearise(parameters: Parameters, { x, y, weights, within }: FitPoints): Point {
  const [upper, lower, middle, signedWidth] = parameters;
  const width = Math.max(Math.abs(signedWidth), 1e-9);
  const sign = signedWidth < 0 ? -1 : 1;
  const height = upper - lower;
  let squares = within;
  let [g1, g2, g3, g4] = [0, 0, 0, 0];
  let [n11, n21, n22, n31, n32, n33, n41, n42, n43, n44] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < x.length; i += 1) {
    const weight = weights[i] ?? 0;
    const offset = ((x[i] ?? 0) - middle) / width;
    const d1 = 1 / (1 + Math.exp(-offset));
    const d2 = 1 - d1;
    const d3 = (-height * d1 * d2) / width;
    const d4 = d3 * offset * sign;
    const residual = (y[i] ?? 0) - (lower + height * d1);
    squares += weight * residual * residual;
    const pull = weight * residual;
    g1 += d1 * pull;
    g2 += d2 * pull;
    g3 += d3 * pull;
    g4 += d4 * pull;
    const [w1, w2, w3] = [weight * d1, weight * d2, weight * d3];
    n11 += w1 * d1;
    n21 += w1 * d2;
    n22 += w2 * d2;
    n31 += w1 * d3;
    n32 += w2 * d3;
    n33 += w3 * d3;
    n41 += w1 * d4;
    n42 += w2 * d4;
    n43 += w3 * d4;
    n44 += weight * d4 * d4;
  }
  const normal = [
    [n11, n21, n31, n41],
    [n21, n22, n32, n42],
    [n31, n32, n33, n43],
    [n41, n42, n43, n44],
  ];
  return { parameters, squares, normal, gradient: [g1, g2, g3, g4] };
}

/** Marquardt's scaling: the diagonal is raised by its own size. A parameter without influence still gets a little. */
function damped(normal: readonly number[][], damping: number): number[][] {
  const largest = Math.max(...normal.map((line, i) => line[i] ?? 0));
  return normal.map((line, a) =>
    line.map((value, b) => (a === b ? value + damping * Math.max(value, largest * 1e-9) : value)),
  );
}

function moved([b1, b2, b3, b4]: Parameters, [d1 = 0, d2 = 0, d3 = 0, d4 = 0]: readonly number[]): Parameters {
  return [b1 + d1, b2 + d2, b3 + d3, b4 + d4];
}

/** Solves a small symmetric positive definite system by Cholesky's decomposition; undefined if it is not definite. */
function solve(matrix: readonly number[][], right: readonly number[]): number[] | undefined {
  const size = right.length;
  const lower = right.map(() => right.map(() => 0));
  const at = (lines: readonly number[][], a: number, b: number) => lines[a]?.[b] ?? 0;
  for (let a = 0; a < size; a += 1) {
    const line = lower[a] ?? [];
    for (let b = 0; b <= a; b += 1) {
      let sum = at(matrix, a, b);
      for (let k = 0; k < b; k += 1) sum -= (line[k] ?? 0) * at(lower, b, k);
      if (a === b && !(sum > 0)) return undefined;
      line[b] = a === b ? Math.sqrt(sum) : sum / at(lower, b, b);
    }
  }
  const half: number[] = [];
  for (let a = 0; a < size; a += 1) {
    const known = half.reduce((sum, value, k) => sum + at(lower, a, k) * value, 0);
    half.push(((right[a] ?? 0) - known) / at(lower, a, a));
  }
  const solution = right.map(() => 0);
  for (let a = size - 1; a >= 0; a -= 1) {
    let sum = half[a] ?? 0;
    for (let k = a + 1; k < size; k += 1) sum -= at(lower, k, a) * (solution[k] ?? 0);
    solution[a] = sum / at(lower, a, a);
  }
  return solution;
}
