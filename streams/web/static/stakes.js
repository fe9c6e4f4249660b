// What incidents cost: how far the model's metric fell, for how long, at what price.

export const LOWER = ["log_loss", "brier", "ece", "mae", "rmse", "mape", "false_positive_rate", "false_negative_rate"];
const UNITS = ["mae", "rmse"];  // not shares: a point of them is a hundredth of what they were
const MONTH = 30 * 86_400_000;
const HOW = { cohort: "realised", estimate: "estimated" };

// Points that were lost: hundredths of a share, or per cent of an error of numbers.
function points(metric, value, baseline) {
  const worse = LOWER.includes(metric) ? value - baseline : baseline - value;
  return UNITS.includes(metric) ? (baseline ? 100 * worse / Math.abs(baseline) : null) : 100 * worse;
}

// The mean loss of an incident {points, metric, how}: by the rows of its time where they have
// labels, else as estimated of them, else as its alert says; null where nothing is known.
export function loss(one, series, end) {
  const start = Date.parse(one.starts_at);
  const told = one.performance;
  const metric = told.metric ?? "accuracy";
  for (const detector of Object.keys(HOW)) {
    const seen = series.find((s) => s.signal === `metric:${metric}` && s.detector === detector && s.version === one.version);
    const lost = (seen?.at ?? []).flatMap((at, i) => at > start && at <= end && seen.statistic[i] != null && seen.threshold[i] != null
      ? [points(metric, seen.statistic[i], seen.threshold[i])] : []).filter((x) => x != null);
    if (lost.length) return { metric, how: HOW[detector], points: lost.reduce((sum, x) => sum + x, 0) / lost.length };
  }
  const value = told.realised ?? told.estimated;
  if (value == null || told.baseline == null) return null;
  return { metric, how: told.realised == null ? "estimated" : "realised", points: points(metric, value, told.baseline) };
}

// `price`: of a point in a month.
export const cost = (lost, ms, price) =>
  lost == null || lost.points == null || price == null ? null : Math.max(0, lost.points) * price * (ms / MONTH);
