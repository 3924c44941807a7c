// Scenes, where the session has them: a list, store, recall.

import { byId, h } from "./dom.js";

export class Scenes {
  constructor(desk, facts) {
    Object.assign(this, { desk, facts });
    byId("scene-store").onclick = () => this.store();
    byId("scene-name").onkeydown = (event) => { if (event.key === "Enter") this.store(); };
  }

  async learn() {
    const can = this.desk.can("scene");
    byId("scenes").hidden = !can;
    if (!can) return;
    const names = await this.facts.act("scene", "list");
    if (Array.isArray(names)) byId("scene-list").replaceChildren(...names.map((name) => this.row(name)));
  }

  row(name) {
    return h("li", {}, h("button", { "aria-label": `Recall ${name}`, onclick: () => this.facts.act("scene", `recall ${name}`) }, name));
  }

  async store() {
    const field = byId("scene-name"), name = field.value.trim();
    if (!name) return;
    await this.facts.act("scene", `store ${name}`);
    field.value = "";
    this.learn();
  }
}
