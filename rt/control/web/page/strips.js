// The mixer's strips: the input, every stem, the output.

import { h, write } from "./dom.js";
import { note, shown } from "./law.js";
import { Meter, scale } from "./meter.js";
import { Slider } from "./slider.js";
import { openMore } from "./more.js";

export const COLOURS = ["#e69f00", "#56b4e9", "#2bc48a", "#f0e442", "#ff8a5c", "#cc79a7"]; // Okabe and Ito's, on dark
const FADER_MARKS = [12, 6, 0, -6, -12, -20, -30, -40, -60];
const GAIN_MARKS = [40, 20, 0, -20, -40];

export class Strip {
  // parts: names of parameters: gain, switches [[name, letter, words, class]], small (a slider across), rest.
  constructor(title, key, parts, desk, { colour, count = 1, kind }) {
    this.title = title;
    this.desk = desk;
    this.sliders = [];
    this.buttons = [];
    this.clipCount = 0;
    this.cleared = 0;
    const gain = desk.parameter(parts.gain);
    const marks = gain.maximum > 12 ? GAIN_MARKS : FADER_MARKS;
    this.meter = new Meter(`${title} level`, count);
    this.fader = this.slider(parts.gain, `${title} gain`, { marks });
    this.readout = h("output", { class: "readout", "aria-hidden": "true" }, shown(gain, gain.value));
    this.fader.onshow = (value) => write(this.readout, shown(gain, value));
    this.pitch = h("span", { class: "pitch", "aria-hidden": "true" });
    this.clip = h("button", { class: "clip", "aria-pressed": "false", "aria-label": `${title} clip, clear`, onclick: () => this.clear() }, "clip");
    const switches = parts.switches.filter(([name]) => desk.has(name)).map((one) => this.button(...one));
    this.routes = parts.rest.filter((name) => /\.to-\d+$/.test(name));
    const more = this.more = h("button", { class: "more", "aria-label": `More of ${title}`, onclick: () => openMore(title, parts.rest, desk) }, "\u2026");
    this.element = h("article", { class: `strip ${kind}`, role: "group", "aria-label": title, "data-strip": title },
      h("header", {}, key ? h("kbd", { "aria-hidden": "true" }, key) : "", h("b", {}, title), this.pitch),
      h("div", { class: "over" }, this.clip, this.meter.number),
      h("div", { class: "throw" }, this.fader.element, scale(), this.meter.element),
      this.readout,
      h("div", { class: "switches" }, ...switches));
    if (parts.small && desk.has(parts.small)) this.element.append(this.smallSlider(parts.small, title));
    if (parts.rest.length) this.element.append(more);
    if (colour) this.element.style.setProperty("--own", colour);
  }

  slider(name, label, options) {
    const slider = new Slider(this.desk.parameter(name), label, options, (value) => this.desk.set(name, value));
    this.sliders.push([name, slider]);
    return slider;
  }

  smallSlider(name, title) {
    const parameter = this.desk.parameter(name), words = name.slice(name.lastIndexOf(".") + 1);
    const slider = this.slider(name, `${title} ${words}`, { vertical: false });
    const text = h("output", { "aria-hidden": "true" }, shown(parameter, parameter.value));
    slider.onshow = (value) => write(text, shown(parameter, value));
    return h("div", { class: "small" }, slider.element, text);
  }

  button(name, letter, words, kind) {
    const button = h("button", { class: `switch ${kind}`, "aria-label": `${words} ${this.title}`, "data-parameter": name, title: words, onclick: () => this.toggle(name) }, letter);
    this.buttons.push([name, button]);
    return button;
  }

  toggle(name) {
    if (this.desk.has(name)) this.desk.set(name, this.desk.value(name) ? 0 : 1);
  }

  clear() {
    this.cleared = this.clipCount;
    this.clip.setAttribute("aria-pressed", "false");
  }

  // Counts since the start of the show: what came before a tap is cleared by it.
  clips(counts) {
    this.clipCount = counts.reduce((sum, n) => sum + n, 0);
    if (this.clipCount < this.cleared) this.cleared = 0; // another show
    this.clip.setAttribute("aria-pressed", String(this.clipCount > this.cleared));
  }

  showPitch(hz, merged) {
    write(this.pitch, hz == null ? "" : merged ? `${note(hz).text} merged` : note(hz).text);
  }

  update() {
    for (const [name, slider] of this.sliders) slider.update(this.desk.value(name));
    const outputs = this.routes.filter((name) => this.desk.value(name)).map((name) => name.split("-").at(-1));
    if (this.routes.length) write(this.more, `\u2192 ${outputs.length > 4 ? `${outputs.length} outputs` : outputs.join(", ") || "nowhere"} \u2026`);
    for (const [name, button] of this.buttons) button.setAttribute("aria-pressed", String(Boolean(this.desk.value(name))));
  }
}

// Strips that nobody hears step back: muted, or others are on solo.
export function showSilent(stems, desk) {
  const on = (strip, what) => Boolean(desk.value(`${strip.title}.${what}`));
  const solo = stems.some((strip) => on(strip, "solo"));
  for (const strip of stems) {
    const heard = !on(strip, "mute") && (!solo || on(strip, "solo") || on(strip, "solo-safe"));
    strip.element.classList.toggle("silent", !heard);
  }
}

// All strips of a desk, in the order in which they stand.
export function buildStrips(desk) {
  const names = [...desk.names()];
  const of = (prefix, taken) => names.filter((n) => n.startsWith(prefix) && !taken.includes(n));
  const input = [names.filter((n) => /^in-\d+\.gain$/.test(n)), names.filter((n) => n.startsWith("input."))].flat();
  const strips = { stems: [] };
  strips.input = new Strip("input", "", { gain: "input.gain", switches: [], rest: input.filter((n) => n !== "input.gain") }, desk, { kind: "input" });
  desk.stems().forEach((stem, i) => {
    const taken = ["gain", "mute", "solo", "solo-safe", "pan", "polarity"].map((n) => `${stem}.${n}`);
    strips.stems.push(new Strip(stem, i < 9 ? String(i + 1) : "", {
      gain: `${stem}.gain`,
      switches: [
        [`${stem}.mute`, "M", "Mute", "mute"], [`${stem}.solo`, "S", "Solo", "solo"],
        [`${stem}.polarity`, "\u00d8", "Turn polarity of", "polarity"], [`${stem}.solo-safe`, "SF", "Solo-safe", "safe"],
      ],
      small: `${stem}.pan`, rest: of(`${stem}.`, taken),
    }, desk, { kind: "stem", colour: stem === "residual" ? "#aab2bd" : COLOURS[i % COLOURS.length] }));
  });
  const known = ["output.gain", "output.mute", "output.dim", "bypass", "dry"];
  const loose = names.filter((n) => !n.includes(".") && !known.includes(n));
  strips.output = new Strip("output", "0", {
    gain: "output.gain",
    switches: [
      ["output.mute", "MUTE", "Mute", "mute"], ["output.dim", "DIM", "Dim", "dim"], ["bypass", "BYP", "Bypass", "bypass"],
    ],
    small: "dry", rest: [...of("output.", known), ...loose],
  }, desk, { kind: "output" });
  strips.all = [strips.input, ...strips.stems, strips.output];
  return strips;
}
