// Sums and shares over the series: one place for the arithmetic of the page.

export function total(series, column, { ids = Object.keys(series.models) } = {}) {
  let sum = 0;
  for (const id of ids) for (const value of series.models[id]?.[column] ?? []) sum += value ?? 0;
  return sum;
}

export function lengthOf(series) {
  return Math.max(0, ...Object.values(series.models).map((columns) => columns.calls.length));
}

// one number a step: the sum over models
export function summed(series, column) {
  const sums = new Array(lengthOf(series)).fill(0);
  for (const columns of Object.values(series.models)) columns[column].forEach((value, i) => { sums[i] += value ?? 0; });
  return sums;
}

// one number a step: the mean over models, each counting as much as its answers
export function weighed(series, column) {
  const length = lengthOf(series);
  const sums = new Array(length).fill(0);
  const weights = new Array(length).fill(0);
  for (const columns of Object.values(series.models)) {
    columns[column].forEach((value, i) => {
      if (value == null) return;
      const answers = (columns.calls[i] ?? 0) - (columns.errors[i] ?? 0);
      sums[i] += value * answers;
      weights[i] += answers;
    });
  }
  return sums.map((sum, i) => (weights[i] > 0 ? sum / weights[i] : null));
}

export function meanOf(values) {
  const known = values.filter((value) => value != null);
  return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
}

// models by what they sum up to in the span, such as their calls; the greatest first
export function ranked(series, column = "calls") {
  return Object.entries(series.models)
    .map(([id, columns]) => ({ id, sum: columns[column].reduce((a, b) => a + (b ?? 0), 0) }))
    .filter((one) => one.sum > 0)
    .sort((a, b) => b.sum - a.sum);
}

// what a sum of costs leaves out: models that were called and have no price
export function unpriced(series, models) {
  return ranked(series).filter((one) => models.get(one.id)?.is_priced === false).length;
}

const LAST_STEPS = 12; // a minute of the short series: what "now" means

export function now(series) {
  const recent = { ...series, models: {} };
  for (const [id, columns] of Object.entries(series.models)) {
    recent.models[id] = Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.slice(-LAST_STEPS)]));
  }
  const minutes = (Math.min(LAST_STEPS, lengthOf(series)) * series.step_s) / 60;
  const calls = total(recent, "calls");
  return {
    minutes,
    perMinute: minutes ? calls / minutes : null,
    errors: calls ? total(recent, "errors") / calls : null,
    p50: meanOf(weighed(recent, "p50_s")),
    p95: meanOf(weighed(recent, "p95_s")),
    costPerHour: minutes ? (total(recent, "cost_usd") / minutes) * 60 : null,
  };
}
