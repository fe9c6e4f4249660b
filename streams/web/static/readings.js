// What kinds of readings there are, and which of them are judgements.

// Detectors that measure a metric of the model with its labels, or estimate it without.
export const MEASURED = ["window", "cohort", "estimate", "reweighted", "check", "gap", "segments", "trend"];

// Figures that are counted with the predictions where a monitor of them is declared: of operations.
const COUNTED = ["latency_ms_p50", "latency_ms_p95", "latency_ms_p99", "error_ratio", "throughput"];
export const isOperational = (signal) => COUNTED.includes(signal.replace("metric:", ""));

// They tell of a signal, and page nobody.
const CONTEXT = ["adwin", "page_hinkley"];
const TOLD = ["summary", "rate"];

export const latest = (values) => values.findLast((one) => one != null) ?? null;

// Readings that compare with a threshold of ours; where a signal has none, whatever tells of it.
export const judgements = (readings) => {
  const told = readings.filter((one) => !CONTEXT.includes(one.detector));
  const judged = told.filter((one) => one.detector !== "summary");
  return judged.length ? judged : told;
};

// Series of figures, that others sent or that a monitor was declared of: one for each version and
// name, by the detector that judges where there is one, else by what tells of it.
export const figures = (series) => {
  const ours = new Set(series.filter((one) => MEASURED.includes(one.detector)).map((one) => one.signal));
  const found = new Map();
  for (const one of series) {
    if (ours.has(one.signal) || TOLD.includes(one.detector)) continue;
    const place = JSON.stringify([one.signal, one.version]);
    const known = found.get(place);
    if (!known || (CONTEXT.includes(known.detector) && !CONTEXT.includes(one.detector))) found.set(place, one);
  }
  return [...found.values()];
};
