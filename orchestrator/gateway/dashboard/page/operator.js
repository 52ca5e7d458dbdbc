// Who presses: a key that stays in this tab, asked of the gateway before the buttons show.

import { byId, text } from "./dom.js";

const KEPT = "orchestrator-token";

export class Operator {
  constructor({ onChange }) {
    this.onChange = onChange;
    this.name = null;
    this.token = fromAddress() ?? sessionStorage.getItem(KEPT);
    byId("unlock").addEventListener("click", () => (this.name ? this.forget() : this.ask()));
    byId("token-cancel").addEventListener("click", () => byId("token-dialog").close());
    byId("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.use(byId("token").value.trim());
    });
  }

  async start() {
    if (this.token) await this.use(this.token, { quietly: true });
  }

  ask() {
    text(byId("token-wrong"), "");
    byId("token").value = "";
    if (!byId("token-dialog").open) byId("token-dialog").showModal();
  }

  forget() {
    this.token = this.name = null;
    sessionStorage.removeItem(KEPT);
    this.changed();
  }

  async use(token, { quietly = false } = {}) {
    const { ok, told } = await call("/dashboard/operator", { token });
    if (!ok) {
      if (quietly) this.forget();
      else text(byId("token-wrong"), told.error?.message ?? "The gateway does not answer.");
      return;
    }
    this.token = token;
    this.name = told.name;
    sessionStorage.setItem(KEPT, token);
    byId("token-dialog").close();
    this.changed();
  }

  act(action, model) {
    return call("/dashboard/actions", { token: this.token, body: { action, model } });
  }

  changed() {
    text(byId("unlock"), this.name ? `Lock (${this.name})` : "Unlock buttons");
    this.onChange();
  }
}

async function call(path, { token, body }) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body) headers["Content-Type"] = "application/json";
  try {
    const reply = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
    return { ok: reply.ok, told: await reply.json() };
  } catch {
    return { ok: false, told: {} };
  }
}

// a link may bring the key behind '#', which browsers send nowhere; it leaves the address at once
function fromAddress() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) history.replaceState(null, "", location.pathname);
  return found;
}
