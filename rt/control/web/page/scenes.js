// Scenes, where the session has them: a list, store, recall with a fade.

import { byId, h, say } from "./dom.js";

const NONE = "no scene"; // what the session answers where there is none

export class Scenes {
  constructor(desk, facts) {
    Object.assign(this, { desk, facts });
    byId("scene-store").onclick = () => this.store();
    byId("scene-name").onkeydown = (event) => {
      if (event.key === "Enter") this.store();
      event.stopPropagation();
    };
  }

  async learn() {
    const can = this.desk.can("scene");
    byId("scenes").hidden = !can;
    if (!can) return;
    const told = await this.facts.act("scene", "list");
    if (typeof told !== "string") return;
    const names = told === NONE ? [] : told.split("\n");
    byId("scene-list").replaceChildren(...names.map((name) => this.row(name)));
  }

  row(name) {
    return h("li", {}, h("button", { "aria-label": `Recall scene ${name}`, onclick: () => this.recall(name) }, name));
  }

  recall(name) {
    const seconds = Number(byId("scene-fade").value);
    return this.facts.act("scene", `recall ${name}${seconds ? ` ${seconds}` : ""}`);
  }

  async store() {
    const field = byId("scene-name"), name = field.value.trim();
    if (!name) {
      say("a scene needs a name", "write one");
      field.focus();
      return;
    }
    if (await this.facts.act("scene", `store ${name}`) !== undefined) field.value = "";
  }
}
