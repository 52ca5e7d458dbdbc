// Beliefs, decisions, cache, budgets, events.

import { spark, thinned } from "./charts.js";
import { byId, el, keyed, shape, svg, text } from "./dom.js";
import { BLANK, bytes, clock, count, money, percent, score, seconds } from "./format.js";
import { cause, word } from "./overview.js";

const MOST_BELIEFS = 12;
const MOST_DECISIONS = 8;
const MOST_EVENTS = 10;
const PASSING = /^(already tried|unhealthy|limited|drained)/; // told by the headline and the table
let allBeliefs = false;

export function beliefs(state) {
  const rows = [...state.models.values()].sort((a, b) => hundredths(b) - hundredths(a) || a.id.localeCompare(b.id));
  const shown = allBeliefs ? rows : rows.slice(0, MOST_BELIEFS);
  const nodes = keyed(byId("beliefs"), shown.map((row) => row.id), (id) => el("li", {}, el("span", { class: "belief-name" }, id), el("span", { class: "interval", "aria-hidden": "true" }), el("span", { class: "belief-figure" }), el("span", { class: "belief-pulls" }), el("span", { class: "trend" })));
  for (const row of shown) belief(nodes.get(row.id), row, state.series);
  const more = byId("more-beliefs");
  more.hidden = rows.length <= MOST_BELIEFS;
  text(more, allBeliefs ? "Show fewer" : `Show all ${rows.length}`);
  more.onclick = () => { allBeliefs = !allBeliefs; beliefs(state); };
}

const hundredths = (row) => Math.round((row.belief.estimate ?? -1) * 100);

function belief(node, row, series) {
  const { estimate, low, high, optimistic, pulls, pending } = row.belief;
  const [, interval, figure, trials, trend] = node.children;
  const said = `${estimate} ${low} ${high} ${optimistic}`;
  if (interval.dataset.said !== said) {
    interval.dataset.said = said;
    interval.replaceChildren(intervalOf(row.belief));
  }
  text(figure, estimate == null ? BLANK : percent(estimate));
  text(trials, `${count(pulls)} pull${pulls === 1 ? "" : "s"}${pending ? `, ${pending} open` : ""}`);
  node.setAttribute("aria-label", `${row.id}: ${percent(estimate)}, between ${percent(low)} and ${percent(high)}, ${pulls} pulls`);
  if (trend.dataset.at !== String(series.at)) {
    trend.dataset.at = String(series.at);
    const past = series.models[row.id]?.belief.filter((value) => value != null) ?? [];
    const change = past.length > 1 ? past.at(-1) - past[0] : 0;
    const words = Math.abs(change) < 0.01 ? "steady" : `${change > 0 ? "up" : "down"} ${Math.round(Math.abs(change) * 100)} points`;
    trend.replaceChildren(spark(thinned(past, 40), { width: 56, height: 18 }), el("span", { class: "trend-word" }, past.length > 1 ? words : ""));
  }
}

function intervalOf({ estimate, low, high, optimistic }) {
  const x = (share) => 4 + 192 * share;
  const drawing = svg("svg", { viewBox: "0 0 200 18", preserveAspectRatio: "none", class: "interval-plot" }, svg("line", { x1: x(0), x2: x(1), y1: 9, y2: 9, class: "scale" }));
  if (estimate != null) {
    drawing.append(svg("line", { x1: x(low), x2: x(high), y1: 9, y2: 9, class: "range" }));
    if (optimistic != null) drawing.append(svg("rect", { x: x(optimistic) - 1.5, y: 3, width: 3, height: 12, class: "hope" }));
    drawing.append(svg("rect", { x: x(estimate) - 2.5, y: 2, width: 5, height: 14, rx: 1.5, class: "estimate" }));
  }
  return drawing;
}

export function decisions(state) {
  const latest = state.decisions.slice(-MOST_DECISIONS).reverse();
  const nodes = keyed(byId("decisions"), latest.map((one) => String(one.number)), () => el("li"));
  for (const one of latest) {
    const node = nodes.get(String(one.number));
    if (!node.childElementCount) decision(node, one);
  }
  if (!latest.length && !byId("decisions").childElementCount) byId("decisions").append(el("li", { "data-key": "none", class: "hint" }, "Nothing has been asked yet."));
}

function decision(node, one) {
  node.append(el("div", { class: "decision-head" }, el("time", {}, clock(one.at)), el("strong", {}, one.model), el("span", { class: "score" }, score(one.score))), el("p", { class: "decision-why" }, why(one)));
  if (!one.rivals.length && !one.refused.length) return;
  const rivals = one.rivals.map((rival) => el("li", {}, el("span", {}, rival.model), el("span", { class: "score" }, score(rival.score))));
  const refused = one.refused.map((group) => el("li", {}, el("span", {}, `${group.models.join(", ")}${group.count > group.models.length ? ` and ${group.count - group.models.length} more` : ""}`), el("span", { class: "refusal" }, group.why)));
  node.append(el("details", {}, el("summary", {}, `${one.running} in the running${one.refused.length ? `, ${one.refused.reduce((sum, group) => sum + group.count, 0)} refused` : ""}`), el("ul", {}, ...rivals, ...refused)));
}

function why(one) {
  const parts = [];
  const tried = one.refused.find((group) => group.why.startsWith("already tried"));
  if (one.panic) parts.push("every model that fits the request was out, so the least bad was tried");
  if (tried) parts.push(`failed over from ${tried.models.join(", ")}`);
  if (one.running === 1) parts.push("the only one in the running");
  else if (one.rivals.length) parts.push(`ahead of ${one.rivals[0].model} at ${score(one.rivals[0].score)}`);
  const unfit = one.refused.find((group) => !PASSING.test(group.why));
  if (unfit && (one.panic || one.running === 1)) parts.push(`not ${unfit.models[0]}${unfit.count > 1 ? ` and ${unfit.count - 1} more` : ""}: ${unfit.why}`);
  if (one.propensity != null && one.propensity < 0.995) parts.push(`drawn with ${percent(one.propensity)}`);
  return parts.join("; ");
}

export function cache(state) {
  const box = byId("cache");
  const figures = state.cache;
  if (!figures) return void box.replaceChildren(el("p", { class: "hint" }, "No cache is set up."));
  const levels = Object.entries(figures.levels).filter(([name, level]) => level.hits || level.misses || name !== "flight");
  box.replaceChildren(
    el("p", { class: "lead" }, el("strong", {}, figures.hits + figures.misses ? percent(figures.hit_rate) : BLANK), ` of ${count(figures.hits + figures.misses)} look-ups, `, el("strong", {}, money(figures.saved_usd)), ` and ${seconds(figures.saved_s)} saved`),
    el("ul", { class: "levels" }, ...levels.map(([name, level]) => el("li", {}, el("span", {}, name === "flight" ? "joined a call under way" : name), el("span", { class: "number" }, `${count(level.hits)} hits`), el("span", { class: level.available ? "hint" : "bad" }, level.available ? [level.entries == null ? null : `${count(level.entries)} entries`, bytes(level.bytes)].filter(Boolean).join(", ") : level.trouble ?? "not available")))),
  );
}

export function budgets(state) {
  const box = byId("budgets");
  if (!state.budgets?.length) return void box.replaceChildren(el("p", { class: "hint" }, "No budgets are set."));
  const nodes = keyed(box, state.budgets.map((row) => `${row.tenant ?? ""} ${row.period}`), () => el("div", { class: "budget" }, el("p", {}, el("strong"), el("span", { class: "number" })), el("span", { class: "track" }, el("span", { class: "fill" }), el("span", { class: "fill reserved" })), el("p", { class: "hint" })));
  for (const row of state.budgets) {
    const [head, track, foot] = nodes.get(`${row.tenant ?? ""} ${row.period}`).children;
    text(head.firstElementChild, `${row.tenant ?? "Everybody"}, a ${row.period}`);
    text(head.lastElementChild, `${money(row.spent_usd)} of ${money(row.limit_usd)}`);
    const [spent, reserved] = track.children;
    spent.style.width = `${Math.min(100, (100 * row.spent_usd) / row.limit_usd)}%`;
    reserved.style.width = `${Math.min(100, (100 * row.reserved_usd) / row.limit_usd)}%`;
    track.classList.toggle("over", row.left_usd <= 0);
    text(foot, `${row.left_usd <= 0 ? "used up" : `${money(row.left_usd)} left`}${row.resets_at ? `; starts anew ${new Date(row.resets_at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}` : ""}`);
  }
}

export function events(state) {
  const latest = state.events.slice(-MOST_EVENTS).reverse();
  const items = latest.map((one) => el("li", {}, el("time", {}, clock(one.at)), one.to ? shape(one.to) : shape("unknown"), el("span", {}, el("strong", {}, one.model), one.to ? ` ${word(one.to)}${one.reason && ["unhealthy", "limited"].includes(one.to) ? `: ${cause(one)}` : ""}` : ` ${one.what} by ${one.by}`)));
  byId("events").replaceChildren(...(items.length ? items : [el("li", { class: "hint" }, "Nothing out of the ordinary.")]));
}
