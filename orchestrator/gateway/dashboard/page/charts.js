// Small charts, drawn by hand: one accent for what is selected, greys for everything else.

import { el, svg, text } from "./dom.js";
import { span } from "./format.js";

const HEIGHT = 132;
const TOP = 8;
const BOTTOM = 18;
const FEWEST = 12;

export class Chart {
  constructor({ title, format, note = "" }) {
    this.format = format;
    this.note = note;
    this.title = title;
    this.value = el("span", { class: "chart-value" });
    this.box = el("div", { class: "plot" });
    this.legend = el("p", { class: "legend" });
    this.node = el("figure", { class: "chart" }, el("figcaption", {}, el("span", { class: "chart-title" }, title), this.value), this.box, this.legend);
    this.data = null;
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  // data: { length, step_s, layers: [{name, values, kind: "area"|"line", tone, base}], now, said }
  show(data) {
    this.data = data;
    text(this.value, data.now);
    this.draw();
  }

  draw() {
    const { data } = this;
    const width = Math.floor(this.box.clientWidth);
    if (!data || width < 40) return;
    if (!data.length) return void this.box.replaceChildren(el("p", { class: "hint" }, `Nothing yet: there is a point every ${span(data.step_s)}.`));
    if (!data.layers.length) return void this.box.replaceChildren(el("p", { class: "hint" }, `Nothing to draw: ${data.said}.`));
    const highest = Math.max(data.least ?? 0, ...data.layers.flatMap((layer) => layer.values.map((value, i) => (value ?? 0) + (layer.base?.[i] ?? 0))));
    const most = Math.min(nice(highest), data.most ?? Infinity);
    const right = 58;
    const points = Math.min(data.points, Math.max(data.length, FEWEST)); // a young history fills the width, too
    const x = (i) => ((width - right) * (points - data.length + i)) / Math.max(1, points - 1);
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most);
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": `${this.title}: ${data.said}` });
    for (const share of [0, 0.5, 1]) {
      const level = y(most * share);
      drawing.append(svg("line", { x1: 0, x2: width - right, y1: level, y2: level, class: share ? "grid" : "ground" }));
      if (share) drawing.append(svg("text", { x: width - right + 6, y: level + 4, class: "tick" }, this.format(most * share)));
    }
    drawing.append(svg("text", { x: 0, y: HEIGHT - 4, class: "tick" }, `−${span(points * data.step_s)}`));
    drawing.append(svg("text", { x: width - right, y: HEIGHT - 4, class: "tick end" }, "now"));
    for (const layer of data.layers) drawing.append(...marks(layer, x, y));
    this.box.replaceChildren(drawing);
    this.legend.replaceChildren(...data.layers.filter((layer) => layer.label).map((layer) => el("span", { class: `key ${layer.kind} ${layer.tone}` }, layer.label)));
    this.legend.hidden = !this.legend.childElementCount;
  }
}

function marks(layer, x, y) {
  const runs = stretches(layer.values);
  return runs.map(([from, to]) => {
    const tops = [];
    for (let i = from; i <= to; i += 1) tops.push(`${x(i).toFixed(1)} ${y(layer.values[i] + (layer.base?.[i] ?? 0)).toFixed(1)}`);
    if (layer.kind === "line") {
      if (from === to) return svg("circle", { cx: x(from), cy: y(layer.values[from]), r: 1.6, class: `dot ${layer.tone}` });
      return svg("path", { d: `M${tops.join("L")}`, class: `line ${layer.tone}` });
    }
    if (from === to) return svg("rect", { x: x(from) - 1.5, width: 3, y: y(layer.values[from] + (layer.base?.[from] ?? 0)), height: y(layer.base?.[from] ?? 0) - y(layer.values[from] + (layer.base?.[from] ?? 0)), class: `area ${layer.tone}` }, svg("title", {}, layer.name));
    const under = [];
    for (let i = to; i >= from; i -= 1) under.push(`${x(i).toFixed(1)} ${y(layer.base?.[i] ?? 0).toFixed(1)}`);
    return svg("path", { d: `M${tops.join("L")}L${under.join("L")}Z`, class: `area ${layer.tone}` }, svg("title", {}, layer.name));
  });
}

// where there are values: an idle model has no latency, and no line either
function stretches(values) {
  const runs = [];
  values.forEach((value, i) => {
    if (value == null) return;
    if (runs.length && runs.at(-1)[1] === i - 1) runs.at(-1)[1] = i;
    else runs.push([i, i]);
  });
  return runs;
}

function nice(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most * 1.02) ?? 10 * power;
}

export function spark(values, { width = 96, height = 22 } = {}) {
  const most = Math.max(1e-9, ...values.map((value) => value ?? 0));
  const x = (i) => (width * i) / Math.max(1, values.length - 1);
  const points = values.map((value, i) => `${x(i).toFixed(1)} ${(height - 1 - ((height - 3) * (value ?? 0)) / most).toFixed(1)}`);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "spark", "aria-hidden": "true", preserveAspectRatio: "none" });
  if (points.length > 1) drawing.append(svg("path", { d: `M0 ${height - 1}L${points.join("L")}L${width} ${height - 1}Z`, class: "area" }), svg("path", { d: `M${points.join("L")}`, class: "line" }));
  return drawing;
}

// fewer points, each the mean of what it stands for
export function thinned(values, most) {
  if (values.length <= most) return values;
  const size = Math.ceil(values.length / most);
  const groups = [];
  for (let i = values.length % size; i < values.length; i += size) {
    const known = values.slice(i, i + size).filter((value) => value != null);
    groups.push(known.length ? known.reduce((a, b) => a + b, 0) / known.length : null);
  }
  return groups;
}
