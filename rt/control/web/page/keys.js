// Keys of the whole page, and the tabs of a small screen.

import { byId } from "./dom.js";

export function bindTabs() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const choose = (tab) => {
    document.body.dataset.tab = tab.dataset.for;
    for (const one of tabs) {
      one.setAttribute("aria-selected", String(one === tab));
      one.tabIndex = one === tab ? 0 : -1;
    }
  };
  tabs.forEach((tab, i) => {
    tab.onclick = () => choose(tab);
    tab.onkeydown = (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      const next = tabs[(i + by + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    };
  });
  choose(tabs[0]);
}

export function bindKeys(desk, facts, strips) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !strips() || byId("more").open) return;
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    const key = event.key.toLowerCase();
    if (/^[0-9]$/.test(key)) {
      const strip = key === "0" ? strips().output : strips().stems[Number(key) - 1];
      if (strip) {
        strip.fader.element.focus();
        strip.element.scrollIntoView({ block: "nearest", inline: "nearest" });
        event.preventDefault();
      }
      return;
    }
    const here = document.activeElement?.closest("[data-strip]")?.dataset.strip;
    const own = { m: "mute", s: "solo", f: "solo-safe", p: "polarity" }[key], all = { b: "bypass", d: "output.dim", x: "output.mute" }[key];
    const name = own && here ? `${here}.${own}` : all;
    if (name && desk.has(name)) {
      desk.set(name, desk.value(name) ? 0 : 1);
      event.preventDefault();
    } else if (key === "k" && !byId("marker").disabled) {
      facts.mark();
      event.preventDefault();
    }
  });
}
