// The table: one row a model, trouble first; a row opens into everything about its model.

import { spark, thinned } from "./charts.js";
import { byId, el, keyed, shape, text } from "./dom.js";
import { ranked } from "./figures.js";
import { BLANK, clock, count, money, percent, score, seconds } from "./format.js";
import { byWorst, cause, OUT, word } from "./overview.js";

const FILTER_FROM = 13;
const ACTIONS = {
  drain: ["Drain", "ask it no more until it is restored"],
  restore: ["Restore", "end a drain or an outage now"],
  probe: ["Probe", "check it now"],
  reset: ["Reset", "forget everything about its health"],
};

export class Models {
  constructor({ onSelect, onAction }) {
    this.onSelect = onSelect;
    this.onAction = onAction;
    this.selected = null;
    this.canAct = false;
    this.state = null;
    byId("filter").addEventListener("input", () => this.show(this.state));
  }

  show(state) {
    if (!state) return;
    this.state = state;
    const order = ranked(state.series);
    this.calls = new Map(order.map((one) => [one.id, one.sum]));
    this.all = order.reduce((sum, one) => sum + one.sum, 0);
    const rows = [...state.models.values()].filter(matching(byId("filter").value)).sort((a, b) => byWorst(a, b) * urgent(a, b) || (this.calls.get(b.id) ?? 0) - (this.calls.get(a.id) ?? 0) || a.id.localeCompare(b.id));
    if (this.selected && !state.models.has(this.selected)) this.select(null);
    const keys = rows.flatMap((row) => (row.id === this.selected ? [row.id, `detail ${row.id}`] : [row.id]));
    const nodes = keyed(byId("rows"), keys, (key) => (key.startsWith("detail ") ? detailRow() : this.row(key)));
    for (const row of rows) this.fill(nodes.get(row.id), row);
    const open = nodes.get(`detail ${this.selected}`);
    if (open) this.fillDetail(open, state.models.get(this.selected));
    byId("filter").hidden = state.models.size < FILTER_FROM;
    byId("nobody").hidden = rows.length > 0;
    text(byId("nobody"), state.models.size ? "No model is called so, nor has it such a provider or status." : "Set the key of a provider or name models in the configuration; \u201corchestrator doctor\u201d says what is missing.");
    const fit = [...state.models.values()].filter((row) => ["healthy", "recovering", "unknown"].includes(row.status)).length;
    text(byId("models-count"), state.models.size ? `${fit} of ${state.models.size} fit` : "");
  }

  select(id) {
    this.selected = this.selected === id ? null : id;
    this.onSelect(this.selected);
    this.show(this.state);
  }

  row(id) {
    const name = el("button", { type: "button", class: "name", "aria-expanded": "false", onclick: () => this.select(id) }, id);
    const cell = (kind, label, lesser = "") => el("td", { role: "cell", class: `${kind} ${lesser}`, "data-label": label });
    return el("tr", { role: "row", class: "model" },
      el("th", { role: "rowheader", scope: "row" }, el("div", { class: "who" }, el("span", { class: "status" }), name), el("p", { class: "why" })),
      cell("share", "Share"), cell("number", "Calls", "lesser"), cell("number", "Errors"), cell("number", "p50", "lesser"), cell("number", "p95"), cell("number", "Cost"), cell("number", "Now", "lesser"), cell("traffic", "Traffic"));
  }

  fill(node, row) {
    const [head, share, calls, errors, p50, p95, cost, current, traffic] = node.children;
    const part = this.all ? (this.calls.get(row.id) ?? 0) / this.all : null;
    status(head, row);
    head.querySelector(".name").setAttribute("aria-expanded", String(row.id === this.selected));
    node.classList.toggle("selected", row.id === this.selected);
    bar(share, part);
    text(calls, count(row.calls));
    text(errors, row.calls ? percent(row.errors / row.calls) : BLANK);
    errors.classList.toggle("bad", row.calls > 0 && row.errors / row.calls >= 0.05);
    text(p50, seconds(row.p50_s));
    text(p95, seconds(row.p95_s));
    text(cost, row.is_priced ? money(row.cost_usd) : BLANK);
    text(current, row.waiting ? `${row.in_flight} +${row.waiting}` : String(row.in_flight));
    const series = this.state.series.models[row.id];
    if (traffic.dataset.at !== String(this.state.series.at)) {
      traffic.dataset.at = String(this.state.series.at);
      traffic.replaceChildren(...(series ? [spark(thinned(series.calls, 60))] : []));
    }
  }

  fillDetail(node, row) {
    const box = node.firstElementChild.firstElementChild;
    const facts = [
      ["Status", `${word(row.status)}${row.reason ? `: ${cause(row)}` : ""}`],
      ["Failures in a row", String(row.failures)],
      ["Changed or checked", row.last_check ? clock(row.last_check) : "never"],
      ["In flight", row.limit == null ? `${row.in_flight}, no limit` : `${row.in_flight} of at most ${row.limit}`],
      ["Waiting", String(row.waiting)],
      ["Requests left this minute", row.requests_left == null ? "no limit" : String(row.requests_left)],
      ["Speed", row.tokens_per_s == null ? BLANK : `${Math.round(row.tokens_per_s)} tokens/s`],
      ["Believed quality", row.belief.estimate == null ? "nothing yet" : `${score(row.belief.estimate)} (${score(row.belief.low)} to ${score(row.belief.high)}), ${count(row.belief.pulls)} pulls`],
      ["Provider", `${row.provider}${row.is_local ? ", local" : ""}`],
    ];
    const [list, buttons] = box.children;
    const nodes = keyed(list, facts.map(([name]) => name), (name) => el("div", {}, el("dt", {}, name), el("dd")));
    for (const [name, value] of facts) text(nodes.get(name).lastElementChild, value);
    this.fillButtons(buttons, row);
  }

  fillButtons(box, row) {
    const keys = this.canAct ? Object.keys(ACTIONS) : ["locked"];
    keyed(box, keys, (key) => {
      if (key === "locked") return el("p", { class: "hint" }, "Read-only: unlock the buttons to drain, restore, probe or reset.");
      const [label, hint] = ACTIONS[key];
      return el("button", { type: "button", class: "act", title: hint, onclick: () => this.onAction(key, this.selected) }, label);
    });
    for (const button of box.querySelectorAll("button")) {
      const key = button.dataset.key;
      button.disabled = (key === "drain" && row.status === "drained") || (key === "restore" && !["drained", "unhealthy"].includes(row.status));
    }
  }
}

function detailRow() {
  return el("tr", { role: "row", class: "detail" }, el("td", { role: "cell", colspan: 9 }, el("div", { class: "detail-box" }, el("dl", { class: "facts" }), el("div", { class: "buttons" }))));
}

// trouble first, but whoever is merely unknown or healthy goes by its traffic
function urgent(a, b) {
  const calm = (row) => row.status === "healthy" || row.status === "unknown";
  return calm(a) && calm(b) ? 0 : 1;
}

function matching(words) {
  const wanted = words.trim().toLowerCase();
  return (row) => !wanted || `${row.id} ${row.provider} ${row.status} ${word(row.status)}`.toLowerCase().includes(wanted);
}

function status(head, row) {
  const place = head.querySelector(".status");
  if (place.dataset.status !== row.status) {
    place.dataset.status = row.status;
    place.replaceChildren(shape(row.status), el("span", { class: "word" }, word(row.status)));
  }
  const why = head.querySelector(".why");
  const said = row.status === "healthy" ? "" : cause(row);
  if (why.dataset.said !== said) {
    why.dataset.said = said;
    why.replaceChildren(said, said ? " " : "", el("span", { class: "returns", "data-returns": "" }));
  }
  Object.assign(why.querySelector("[data-returns]").dataset, { returns: row.returns_at ?? "", status: row.status });
  why.hidden = !said && !OUT.has(row.status);
}

function bar(cell, share) {
  if (!cell.childElementCount) cell.append(el("span", { class: "track", "aria-hidden": "true" }, el("span", { class: "fill" })), el("span", { class: "percent" }));
  cell.querySelector(".fill").style.width = `${((share ?? 0) * 100).toFixed(1)}%`;
  text(cell.querySelector(".percent"), percent(share));
}
