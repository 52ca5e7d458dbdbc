// Elements from plain values. Text is set as text: a name can hold anything and stays a name.

const SVG = "http://www.w3.org/2000/svg";

export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

export function text(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

export const byId = (id) => document.getElementById(id);

// Keeps one node for each key, in order, and touches only what has to move.
export function keyed(parent, keys, make) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let place = parent.firstElementChild;
  const nodes = new Map();
  for (const key of keys) {
    let node = known.get(key);
    known.delete(key);
    if (!node) {
      node = make(key);
      node.dataset.key = key;
    }
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
    nodes.set(key, node);
  }
  for (const node of known.values()) node.remove();
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  return nodes;
}

// A status has a shape of its own: colour alone tells some people nothing.
const SHAPES = {
  healthy: () => [svg("circle", { cx: 8, cy: 8, r: 5.5, class: "fill" })],
  unknown: () => [svg("circle", { cx: 8, cy: 8, r: 4.75, class: "line" })],
  limited: () => [svg("path", { d: "M8 2.2 14.4 13.4H1.6Z", class: "fill" })],
  recovering: () => [svg("circle", { cx: 8, cy: 8, r: 4.75, class: "line" }), svg("path", { d: "M8 3.2a4.8 4.8 0 0 1 0 9.6Z", class: "fill" })],
  unhealthy: () => [svg("rect", { x: 2, y: 2, width: 12, height: 12, rx: 2.5, class: "fill" }), svg("path", { d: "m5.4 5.4 5.2 5.2m0-5.2-5.2 5.2", class: "cut" })],
  drained: () => [svg("rect", { x: 3, y: 3, width: 3.6, height: 10, rx: 1, class: "fill" }), svg("rect", { x: 9.4, y: 3, width: 3.6, height: 10, rx: 1, class: "fill" })],
};

export function shape(status) {
  const make = SHAPES[status] ?? SHAPES.unknown;
  return svg("svg", { viewBox: "0 0 16 16", class: `shape ${status}`, "aria-hidden": "true" }, ...make());
}
