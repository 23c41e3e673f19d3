/**
 * The 4-parameter logistic of image quality work, fitted by least squares:
 * ŷ = b2 + (b1 − b2) / (1 + exp(−(x − b3) / |b4|)), from [max(y), min(y), mean(x), 0.5] as in the paper's evaluation
 * (Coobiw/IE-Critic-R1 @357c239, scripts/iebench_eval.py, scipy's curve_fit). Levenberg–Marquardt with Marquardt's scaling
 * and exact derivatives (Marquardt 1963; Madsen, Nielsen, Tingleff 2004, "Methods for non-linear least squares problems",
 * algorithm 3.16). The package ml-levenberg-marquardt was tried: its unscaled damping stopped short of scipy's optimum on weak
 * predictors, and with its numeric derivatives a bootstrap of fits took minutes. tests/golden/metrics.json has scipy's results.
 */

/** [b1, b2, b3, b4]: upper end, lower end, middle (in units of x), width (in units of x; its sign has no meaning). */
type Parameters = readonly [number, number, number, number];

export type LogisticFit =
  | { kind: 'fitted'; fitted: number[]; parameters: Parameters; squares: number; iterations: number }
  | { kind: 'undefined'; reason: 'too-few-points' | 'constant-predictions' | 'constant-targets' | 'not-finite' };

/**
 * Fits `y` (opinions) on `x` (predictions, same length, same order). `fitted` holds ŷ for each x, `squares` the residual sum
 * of squares. The curve is undefined with fewer than 5 points, with one single value on a side, and with NaN or infinity in the
 * input. The fit ends after at most `maxIterations`, with the best curve so far: at a flat optimum (a perfect predictor) the
 * parameters drift without end, although the curve is right long before.
 */
export function logisticFit(x: readonly number[], y: readonly number[], maxIterations = 300): LogisticFit {
  if (!x.every(Number.isFinite) || !y.every(Number.isFinite)) return { kind: 'undefined', reason: 'not-finite' };
  if (x.length < 5 || x.length !== y.length) return { kind: 'undefined', reason: 'too-few-points' };
  if (isConstant(x)) return { kind: 'undefined', reason: 'constant-predictions' };
  if (isConstant(y)) return { kind: 'undefined', reason: 'constant-targets' };
  let point = linearise(startOf(x, y), x, y);
  let damping = 1e-3;
  let iterations = 0;
  while (iterations < maxIterations && damping < 1e16) {
    iterations += 1;
    const step = solve(damped(point.normal, damping), point.gradient);
    const next = step === undefined ? undefined : linearise(moved(point.parameters, step), x, y);
    if (next === undefined || !(next.squares < point.squares)) {
      damping *= 4;
      continue;
    }
    const gained = point.squares - next.squares;
    point = next;
    damping = Math.max(damping / 5, 1e-12);
    if (gained <= 1e-11 * point.squares) break;
  }
  const { parameters, squares } = point;
  return { kind: 'fitted', fitted: x.map((value) => curve(parameters, value)), parameters, squares, iterations };
}

/** Fitted values for each x, or null where the fit is undefined; see `logisticFit`. */
export function fitLogistic(x: readonly number[], y: readonly number[], maxIterations?: number): number[] | null {
  const fit = logisticFit(x, y, maxIterations);
  return fit.kind === 'fitted' ? fit.fitted : null;
}

function startOf(x: readonly number[], y: readonly number[]): Parameters {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  let [highest, lowest] = [-Infinity, Infinity];
  for (const value of y) {
    highest = Math.max(highest, value);
    lowest = Math.min(lowest, value);
  }
  return [highest, lowest, mean, 0.5];
}

/** Share of the way from the lower to the upper end at `x`, in [0, 1]. */
function share([, , middle, width]: Parameters, x: number): number {
  return 1 / (1 + Math.exp(-(x - middle) / Math.max(Math.abs(width), 1e-9)));
}

function curve(parameters: Parameters, x: number): number {
  const [upper, lower] = parameters;
  return lower + (upper - lower) * share(parameters, x);
}

interface Point {
  parameters: Parameters;
  squares: number;
  /** JᵀJ, 4 × 4, and Jᵀr of the residuals r = y − ŷ. */
  normal: number[][];
  gradient: number[];
}

/** The hot loop of a bootstrap, so it has plain indices and fills only the lower half of JᵀJ until the end. */
function linearise(parameters: Parameters, x: readonly number[], y: readonly number[]): Point {
  const [upper, lower, middle, signedWidth] = parameters;
  const width = Math.max(Math.abs(signedWidth), 1e-9);
  const sign = signedWidth < 0 ? -1 : 1;
  const half = new Float64Array(16);
  const gradient = new Float64Array(4);
  const row = new Float64Array(4);
  let squares = 0;
  for (let i = 0; i < x.length; i += 1) {
    const offset = ((x[i] ?? 0) - middle) / width;
    const part = 1 / (1 + Math.exp(-offset));
    const residual = (y[i] ?? 0) - (lower + (upper - lower) * part);
    const slope = ((upper - lower) * part * (1 - part)) / width;
    row[0] = part;
    row[1] = 1 - part;
    row[2] = -slope;
    row[3] = -slope * offset * sign;
    squares += residual * residual;
    for (let a = 0; a < 4; a += 1) {
      const left = row[a] ?? 0;
      gradient[a] = (gradient[a] ?? 0) + left * residual;
      for (let b = 0; b <= a; b += 1) half[a * 4 + b] = (half[a * 4 + b] ?? 0) + left * (row[b] ?? 0);
    }
  }
  const at = (a: number, b: number) => half[Math.max(a, b) * 4 + Math.min(a, b)] ?? 0;
  const normal = [0, 1, 2, 3].map((a) => [at(a, 0), at(a, 1), at(a, 2), at(a, 3)]);
  return { parameters, squares, normal, gradient: [...gradient] };
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

function isConstant(values: readonly number[]): boolean {
  return values.every((value) => value === values[0]);
}
