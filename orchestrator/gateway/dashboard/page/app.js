// The page, wired: the feed brings the state, each part shows its share of it.

import { byId, text } from "./dom.js";
import { Feed } from "./feed.js";
import { clock, span } from "./format.js";
import { Models } from "./models.js";
import { Operator } from "./operator.js";
import { Charts, countDown, headline, keyFigures, workers } from "./overview.js";
import { beliefs, budgets, cache, decisions, events } from "./panels.js";

const LINKS = { live: "live", lost: "connection lost, trying again", locked: "a key is needed to look", waiting: "connecting" };
const HOURS_AGAIN_S = 60;

const page = { state: null, hours: null, span: "minutes", offset: 0, drawnAt: null };
const charts = new Charts();
const operator = new Operator({ onChange: unlocked });
const models = new Models({ onSelect: drawCharts, onAction: act });
const feed = new Feed({ token: () => operator.token, onState: show, onLink: link });

function show(state) {
  page.state = state;
  page.offset = state.at - Date.now() / 1000;
  text(byId("policy"), state.engine.policy);
  workers(byId("workers"), state.engine.workers);
  headline(state);
  keyFigures(state);
  models.show(state);
  beliefs(state);
  decisions(state);
  cache(state);
  budgets(state);
  events(state);
  if (page.drawnAt !== state.series.at) drawCharts();
  countDown(page.offset);
  text(byId("footer"), `orchestrator ${state.engine.version}, up for ${span(state.at - state.engine.started_at)}`);
  document.title = `${byId("headline").textContent.replace(/\.$/, "")} · orchestrator`;
}

function drawCharts() {
  if (!page.state) return;
  page.drawnAt = page.state.series.at;
  charts.show(page.span === "hours" && page.hours ? page.hours : page.state.series, page.state.models, models.selected);
}

async function choose(name) {
  page.span = name;
  for (const button of document.querySelectorAll("[data-span]")) button.setAttribute("aria-pressed", String(button.dataset.span === name));
  if (name === "hours") await fetchHours();
  drawCharts();
}

async function fetchHours() {
  const headers = operator.token ? { Authorization: `Bearer ${operator.token}` } : {};
  const reply = await fetch("/dashboard/history/hours", { headers }).catch(() => null);
  if (reply?.ok) page.hours = await reply.json();
}

function link(state) {
  const node = byId("live");
  if (node.dataset.state === state) return;
  node.dataset.state = state;
  text(byId("live-text"), LINKS[state]);
  document.body.classList.toggle("stale", state !== "live");
  if (state === "lost") outdated();
  if (state === "locked") operator.ask();
}

// what is not heard of any more is told as what was
function outdated() {
  document.title = "connection lost · orchestrator";
  if (page.state) text(byId("headline"), `At ${clock(page.state.at)}: ${byId("headline").textContent}`);
  countDown(page.offset);
}

function unlocked() {
  models.canAct = Boolean(operator.name);
  if (page.state) models.show(page.state);
  feed.retry?.();
}

async function act(action, model) {
  if (action === "reset" && !window.confirm(`Forget everything about the health of ${model}?`)) return;
  toast(`${action} ${model} …`);
  const { ok, told } = await operator.act(action, model);
  toast(ok ? `${model}: ${action} done, it is ${told.status}.` : told.error?.message ?? "The gateway does not answer.");
  if (!ok && told.error?.code === "authentication") operator.forget();
}

let silence = null;

function toast(words) {
  clearTimeout(silence);
  byId("toast").hidden = false;
  text(byId("toast"), words);
  silence = setTimeout(() => { byId("toast").hidden = true; }, 6000);
}

for (const button of document.querySelectorAll("[data-span]")) button.addEventListener("click", () => choose(button.dataset.span));
setInterval(() => countDown(page.offset), 1000);
setInterval(() => { if (page.span === "hours") fetchHours(); }, HOURS_AGAIN_S * 1000);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && models.selected && !byId("token-dialog").open) models.select(models.selected);
});
operator.start().finally(() => feed.run());
