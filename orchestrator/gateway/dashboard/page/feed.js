// What the page knows, and the stream that keeps it so. fetch instead of EventSource: it can carry a key.

const KEPT_DECISIONS = 40;
const FIRST_PAUSE_S = 1;
const MOST_PAUSE_S = 15;

export function merge(seen, name, told) {
  if (name === "whole") return { ...told, models: new Map(told.models.map((row) => [row.id, row])) };
  const { models = [], gone = [], decisions = [], point, ...sections } = told;
  const rows = new Map(seen.models);
  for (const row of models) rows.set(row.id, row);
  for (const id of gone) rows.delete(id);
  const newest = seen.decisions.at(-1)?.number ?? 0;
  const fresh = decisions.filter((one) => one.number > newest);
  return {
    ...seen,
    ...sections,
    models: rows,
    decisions: [...seen.decisions, ...fresh].slice(-KEPT_DECISIONS),
    series: point ? longer(seen.series, point) : seen.series,
  };
}

function longer(series, point) {
  if (point.at <= series.at) return series;
  const length = Math.max(0, ...Object.values(series.models).map((columns) => columns.calls.length));
  const models = {};
  for (const id of new Set([...Object.keys(series.models), ...Object.keys(point.models)])) {
    models[id] = {};
    point.columns.forEach((column, place) => {
      const past = series.models[id]?.[column] ?? new Array(length).fill(null);
      models[id][column] = [...past, point.models[id]?.[place] ?? null].slice(-series.points);
    });
  }
  return { ...series, at: point.at, models };
}

export class Feed {
  constructor({ token, onState, onLink }) {
    this.token = token;
    this.onState = onState;
    this.onLink = onLink;
    this.seen = null;
    this.stop = new AbortController();
  }

  async run() {
    let pause = FIRST_PAUSE_S;
    for (;;) {
      try {
        await this.read(() => { pause = FIRST_PAUSE_S; });
        this.onLink("lost");
      } catch (error) {
        this.onLink(error.status === 401 || error.status === 403 ? "locked" : "lost");
        if (error.status === 401 || error.status === 403) await this.unlocked();
      }
      await new Promise((go) => setTimeout(go, pause * 1000));
      pause = Math.min(pause * 2, MOST_PAUSE_S);
    }
  }

  // waits for a key where one is needed to look
  unlocked() {
    return new Promise((go) => { this.retry = go; });
  }

  async read(begun) {
    const key = this.token();
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    const reply = await fetch("/dashboard/feed", { headers, cache: "no-store", signal: this.stop.signal });
    if (!reply.ok) throw Object.assign(new Error("refused"), { status: reply.status });
    begun();
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const frames = (rest + value).split("\n\n");
      rest = frames.pop();
      frames.forEach((frame) => this.take(frame));
    }
  }

  take(frame) {
    const line = (field) => frame.split("\n").find((one) => one.startsWith(`${field}: `))?.slice(field.length + 2);
    const name = line("event");
    if (!name) return;
    if (name !== "whole" && !this.seen) return;
    this.seen = merge(this.seen, name, JSON.parse(line("data")));
    this.onLink("live");
    this.onState(this.seen, name);
  }
}
