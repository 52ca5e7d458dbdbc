// The top of the page: one sentence, six figures, four charts.

import { Chart, thinned } from "./charts.js";
import { byId, el, keyed, shape, text } from "./dom.js";
import { lengthOf, meanOf, now, ranked, summed, unpriced, weighed } from "./figures.js";
import { BLANK, clock, money, percent, rate, seconds, shortened, span } from "./format.js";

export const OUT = new Set(["unhealthy", "limited"]);
const WORST = ["unhealthy", "limited", "recovering", "drained", "unknown", "healthy"];
const WHY = { connection: "cannot be reached", server: "server errors", timeout: "answers too late", rate_limit: "rate limit", quota: "no credit left", authentication: "the key is refused", permission: "the key may not use it", malformed_response: "broken replies", not_found: "the provider does not know it" };
const SAY = { unhealthy: "out", limited: "asked to wait", recovering: "on trial", drained: "drained", unknown: "not asked yet", healthy: "healthy" };
const MOST_TROUBLES = 6;
const MOST_LAYERS = 7;
const MOST_NAMED = 4;
const MOST_POINTS = 180;

export const word = (status) => SAY[status] ?? status;
export function cause(row) {
  const why = (row.reason ?? "").replace(/^\w+/, (kind) => WHY[kind] ?? kind);
  return row.out_in ? `${why} (in worker ${row.out_in.join(", ")} only)` : why;
}

// whose figures these are, where several processes answer at this address
export function workers(node, crew) {
  node.hidden = !crew;
  if (!crew) return;
  const missing = crew.of - crew.told.length;
  node.dataset.missing = String(missing);
  text(node, missing ? `${missing} of ${crew.of} workers missing` : `all ${crew.of} workers`);
}
export const byWorst = (a, b) => WORST.indexOf(a.status) - WORST.indexOf(b.status);

export function headline(state) {
  const rows = [...state.models.values()];
  const out = rows.filter((row) => OUT.has(row.status)).sort(byWorst);
  const drained = rows.filter((row) => row.status === "drained");
  const trial = rows.filter((row) => row.status === "recovering");
  text(byId("headline"), sentence(rows, { out, drained, trial }, state));
  const worst = state.issues.length || matters(state).length ? "unhealthy" : [...rows].sort(byWorst)[0]?.status ?? "unknown";
  const shown = worst === "unknown" && rows.some((row) => row.status === "healthy") ? "healthy" : worst;
  if (byId("headline-shape").dataset.status !== shown) {
    byId("headline-shape").dataset.status = shown;
    byId("headline-shape").replaceChildren(shape(shown));
  }
  troubles([...out, ...trial, ...drained], state);
}

function sentence(rows, { out, drained, trial }, state) {
  if (state.engine.draining) return "The gateway is closing.";
  if (!rows.length) return "No models are registered.";
  if (out.length + drained.length === rows.length) return rows.length === 1 ? "The only model is out." : `All ${rows.length} models are out.`;
  if (state.issues.length === 1) return `${state.issues[0].charAt(0).toUpperCase()}${state.issues[0].slice(1)}.`;
  if (state.issues.length) return "Something is wrong with more than one model.";
  if (usedUp(state).some((row) => !row.tenant)) return "The budget is used up.";
  if (out.length === 1) return `${shortened(out[0].id)} is ${word(out[0].status)}.`;
  if (out.length) return `${out.length} of ${rows.length} models are out.`;
  if (trial.length) return trial.length === 1 ? `${shortened(trial[0].id)} is coming back.` : `${trial.length} models are coming back.`;
  if (drained.length) return drained.length === 1 ? `${shortened(drained[0].id)} is drained.` : `${drained.length} models are drained.`;
  return rows.length === 1 ? "The model is fit." : `All ${rows.length} models are fit.`;
}

const usedUp = (state) => (state.budgets ?? []).filter((row) => row.left_usd <= 0);

// what concerns more than one model
function matters(state) {
  const spent = usedUp(state).map((row) => `${row.tenant ? `${row.tenant}'s` : "the"} budget of the ${row.period} is used up${row.resets_at ? `: requests are refused until ${clock(row.resets_at)}` : ""}`);
  return [...(state.issues.length > 1 ? state.issues : []), ...spent]; // a single one is the headline
}

function troubles(rows, state) {
  const list = byId("troubles");
  const all = matters(state);
  const keys = [...all.map((issue) => `issue ${issue}`), ...rows.slice(0, MOST_TROUBLES).map((row) => row.id)];
  if (rows.length > MOST_TROUBLES) keys.push("and more");
  const nodes = keyed(list, keys, () => el("li"));
  all.forEach((issue) => text(nodes.get(`issue ${issue}`), issue));
  for (const row of rows.slice(0, MOST_TROUBLES)) trouble(nodes.get(row.id), row);
  if (rows.length > MOST_TROUBLES) text(nodes.get("and more"), `and ${rows.length - MOST_TROUBLES} more, first in the table below`);
  list.hidden = !keys.length;
}

function trouble(node, row) {
  const said = `${row.status} ${cause(row)}`;
  if (node.dataset.said !== said) {
    node.dataset.said = said;
    node.replaceChildren(shape(row.status), el("strong", {}, row.id), ` ${word(row.status)}${row.reason ? `: ${cause(row)}` : ""} `, el("span", { class: "returns", "data-returns": "" }));
  }
  Object.assign(node.querySelector("[data-returns]").dataset, { returns: row.returns_at ?? "", status: row.status });
}

// seconds run down between two looks; nobody counts where the figures are old
export function countDown(offset) {
  const now = Date.now() / 1000 + offset;
  for (const node of document.querySelectorAll("[data-returns]")) text(node, node.closest(".stale") ? "" : returning(Number(node.dataset.returns), node.dataset.status, now));
}

function returning(at, status, now) {
  if (status === "drained") return "– until somebody restores it";
  if (!OUT.has(status)) return "";
  return at > now ? `– tried again in ${span(at - now)}` : "– tried again with the next request";
}

export function keyFigures(state) {
  const figures = now(state.series);
  const cache = state.cache;
  const shown = [
    ["Calls a minute", rate(figures.perMinute), "over the last minute"],
    ["Errors", percent(figures.errors), "of all attempts"],
    ["Latency p50", seconds(figures.p50), "half answer sooner"],
    ["Latency p95", seconds(figures.p95), "95 % answer sooner"],
    ["Cost an hour", ...pace(figures.costPerHour, state)],
    ["From the cache", cache && cache.hits + cache.misses ? percent(cache.hit_rate) : BLANK, cache ? `${money(cache.saved_usd)} saved` : "no cache"],
  ];
  const nodes = keyed(byId("figures"), shown.map(([name]) => name), (name) => el("div", {}, el("dt", {}, name), el("dd", { class: "big" }), el("dd", { class: "small" })));
  for (const [name, value, small] of shown) {
    const [, big, under] = nodes.get(name).children;
    text(big, value);
    text(under, small);
  }
}

// what is not known is not nothing: models without a price are in no sum
function pace(costPerHour, { series, models }) {
  const left = unpriced(series, models);
  if (left && !costPerHour) return [BLANK, "no prices known"];
  return [money(costPerHour), left ? `and ${left} without a price` : "at this pace"];
}

export class Charts {
  constructor() {
    this.charts = {
      calls: new Chart({ title: "Calls a minute", format: rate }),
      latency: new Chart({ title: "Latency", format: seconds }),
      errors: new Chart({ title: "Errors", format: percent }),
      cost: new Chart({ title: "Cost an hour", format: money }),
    };
    byId("charts").append(...Object.values(this.charts).map((chart) => chart.node));
  }

  show(series, models, selected) {
    const scale = { length: 0, points: Math.min(series.points, MOST_POINTS), step_s: series.step_s * (series.points / Math.min(series.points, MOST_POINTS)) };
    const fit = (values) => thinned(values, MOST_POINTS);
    scale.length = fit(new Array(lengthOf(series)).fill(0)).length;
    const mine = selected ? series.models[selected] : null;
    this.charts.calls.show({ ...scale, ...callsOf(series, selected, fit) });
    this.charts.latency.show({ ...scale, ...latencyOf(series, mine, selected, fit) });
    this.charts.errors.show({ ...scale, ...errorsOf(series, mine, selected, fit) });
    this.charts.cost.show({ ...scale, ...costOf(series, models, selected, fit) });
  }
}

// one area a model, the greatest lowest, and one for all the others
function stacked(series, column, { factor, selected, fit }) {
  const order = ranked(series, column);
  const names = order.slice(0, MOST_LAYERS).map((one) => one.id);
  if (selected && series.models[selected] && !names.includes(selected)) names.splice(MOST_LAYERS - 1, 1, selected);
  const all = order.reduce((sum, one) => sum + one.sum, 0);
  const shares = new Map(order.map((one) => [one.id, `${shortened(one.id)} ${percent(one.sum / all)}`]));
  const base = new Array(lengthOf(series)).fill(0);
  const layers = names.map((id, place) => {
    const values = series.models[id][column].map((value) => (value ?? 0) * factor);
    const layer = { name: id, kind: "area", values: fit(values), base: fit([...base]), tone: id === selected ? "accent" : `tone-${place}` };
    if (place < MOST_NAMED || id === selected) layer.label = shares.get(id) ?? `${shortened(id)} 0 %`;
    values.forEach((value, i) => { base[i] += value; });
    return layer;
  });
  const sums = summed(series, column).map((value) => value * factor);
  if (order.length > names.length) layers.push({ name: "others", kind: "area", values: fit(sums.map((value, i) => Math.max(0, value - base[i]))), base: fit([...base]), tone: "tone-7", label: "others" });
  return { layers, pace: meanOf(sums.slice(-12)), first: order.slice(0, 3).map((one) => shares.get(one.id)).join(", ") };
}

function callsOf(series, selected, fit) {
  const { layers, pace, first } = stacked(series, "calls", { factor: 60 / series.step_s, selected, fit });
  return { layers, now: rate(pace), said: `${rate(pace)} now${first ? `; ${first}` : ""}` };
}

function latencyOf(series, mine, selected, fit) {
  const [p50, p95] = [weighed(series, "p50_s"), weighed(series, "p95_s")];
  const layers = [
    { name: "p95", kind: "line", tone: "faint", values: fit(p95), label: "p95" },
    { name: "p50", kind: "line", tone: "plain", values: fit(p50), label: "p50" },
  ];
  if (mine) layers.push({ name: selected, kind: "line", tone: "accent", values: fit(mine.p95_s), label: `${shortened(selected)} p95` });
  const [half, most] = [meanOf(p50.slice(-12)), meanOf(p95.slice(-12))];
  return { layers, now: seconds(half), said: `p50 ${seconds(half)}, p95 ${seconds(most)} in the last minute` };
}

function errorsOf(series, mine, selected, fit) {
  const [calls, errors] = [summed(series, "calls"), summed(series, "errors")];
  const shares = errors.map((value, i) => (calls[i] ? value / calls[i] : null));
  const layers = [{ name: "all models", kind: "area", tone: "tone-1", values: fit(shares.map((share) => share ?? 0)) }];
  if (mine) layers.push({ name: selected, kind: "line", tone: "accent", values: fit(mine.errors.map((value, i) => (mine.calls[i] ? value / mine.calls[i] : null))), label: shortened(selected) });
  const [lately, of] = [errors.slice(-12).reduce((a, b) => a + b, 0), calls.slice(-12).reduce((a, b) => a + b, 0)];
  const share = of ? lately / of : null;
  return { layers, least: 0.05, most: 1, now: percent(share), said: `${percent(share)} of attempts in the last minute` };
}

function costOf(series, models, selected, fit) {
  const { layers, pace, first } = stacked(series, "cost_usd", { factor: 3600 / series.step_s, selected, fit });
  const left = unpriced(series, models);
  if (!first && left) return { layers: [], now: BLANK, said: "no prices are known" };
  const but = left ? `; without ${left} that ${left === 1 ? "has" : "have"} no price` : "";
  return { layers, now: money(pace), said: `${money(pace)} an hour at the pace of the last minute${first ? `; ${first}` : ""}${but}` };
}
