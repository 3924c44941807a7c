// What has no place in a strip: a sheet with every other parameter of it.

import { byId, h, write } from "./dom.js";
import { shown } from "./law.js";
import { Slider } from "./slider.js";

export function openMore(title, names, desk) {
  const sheet = byId("more");
  const rows = names.map((name) => row(name, name.startsWith(`${title}.`) ? name.slice(title.length + 1) : name, desk));
  const close = h("button", { class: "big", onclick: () => sheet.close() }, "Close");
  sheet.replaceChildren(h("h2", {}, title), h("div", { class: "rows" }, ...rows.map((r) => r.element)), close);
  const update = () => rows.forEach((r) => r.update());
  desk.addEventListener("change", update);
  sheet.onclose = () => desk.removeEventListener("change", update);
  sheet.onclick = (event) => { if (event.target === sheet) sheet.close(); };
  update();
  sheet.showModal();
}

function row(name, short, desk) {
  const words = short.replace(/^to-(\d+)$/, "to output $1");
  const parameter = desk.parameter(name);
  if (parameter.unit === "on/off") {
    const button = h("button", { class: "switch", role: "switch", "data-parameter": name, onclick: () => desk.set(name, desk.value(name) ? 0 : 1) }, words);
    return {
      element: button,
      update: () => {
        button.setAttribute("aria-checked", String(Boolean(desk.value(name))));
        write(button, `${words}: ${shown(parameter, desk.value(name))}`);
      },
    };
  }
  const slider = new Slider(parameter, name, { vertical: false }, (value) => desk.set(name, value));
  const text = h("output", { "aria-hidden": "true" });
  slider.onshow = (value) => write(text, `${words}: ${shown(parameter, value)}`);
  return { element: h("div", { class: "small" }, text, slider.element), update: () => slider.update(desk.value(name)) };
}
