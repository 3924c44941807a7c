// The page: what the server says goes into the desk, what the desk shows is drawn by the screen's own clock.

import { Desk } from "./desk.js";
import { byId, say, write } from "./dom.js";
import { Facts } from "./facts.js";
import { Ribbon } from "./ribbon.js";
import { Scenes } from "./scenes.js";
import { bindKeys, bindTabs } from "./keys.js";
import { buildStrips, showSilent } from "./strips.js";
import { Wire } from "./wire.js";

const LOST_MS = 700; // a moment without a connection is not worth a banner

// the token came with the address and is a cookie now: it need not stand where others read it
if (location.search) history.replaceState(null, "", location.pathname);

const wire = new Wire();
const desk = new Desk((name, value) => wire.set(name, value));
const facts = new Facts(desk, wire), ribbon = new Ribbon(), scenes = new Scenes(desk, facts);
let strips = null, lastEvent = 0, lostAt = performance.now(), stranger = false, changed = true;

wire.addEventListener("hello", ({ detail }) => {
  const other = desk.describe(detail.parameters, detail.actions);
  if (other) {
    strips = buildStrips(desk);
    byId("mixer").replaceChildren(...strips.all.map((strip) => strip.element));
    ribbon.voicesAre(desk.stems());
  }
  changed = true;
  lostAt = null;
  lastEvent = other ? 0 : lastEvent;
  scenes.learn();
});

wire.addEventListener("live", ({ detail }) => {
  if (detail.values) desk.hear(detail.values);
  if (detail.status) takeStatus(detail.status);
  if (detail.levels && strips) takeLevels(detail.levels);
  if (detail.events) {
    const news = detail.events.filter((event) => event.number > lastEvent || event.number < lastEvent - 400);
    facts.events(news);
    lastEvent = detail.events.at(-1).number;
    if (news.some((event) => event.kind === "action" && /^scene (store|delete)/.test(event.text))) scenes.learn();
  }
});

wire.addEventListener("lost", () => { lostAt ??= performance.now(); });
wire.addEventListener("stranger", () => { stranger = true; });
wire.addEventListener("error", ({ detail }) => {
  say(detail.problem, detail.remedy);
  changed = true; // what was refused goes back to what is
});
desk.addEventListener("change", () => { changed = true; });

function takeStatus(status) {
  Object.assign(desk.status, status);
  if (!strips) return;
  const s = desk.status, order = s.stems ?? [];
  const of = (list, stem) => list?.[order.indexOf(stem)];
  for (const strip of strips.stems) {
    strip.showPitch(of(s.f0_hz, strip.title), of(s.merged, strip.title));
    strip.clips([of(s.clips, strip.title) ?? 0]);
  }
  strips.input.clips(s.input_clips ?? []);
  strips.output.clips(s.output_clips ?? []);
  if (status.f0_hz || status.frames) ribbon.push(desk.stems().map((stem) => of(s.f0_hz, stem)), desk.stems().map((stem) => of(s.merged, stem)), performance.now());
}

function takeLevels(levels) {
  const now = performance.now(), order = desk.status.stems ?? [];
  if (desk.status.state !== "running") return;
  for (const strip of strips.stems) strip.meter.push([levels.peak_db?.[order.indexOf(strip.title)] ?? -120], now);
  for (const [strip, peaks] of [[strips.input, levels.input_peak_db], [strips.output, levels.output_peak_db]]) {
    strip.meter.resize(Math.max(1, peaks?.length ?? 1));
    strip.meter.push(peaks ?? [], now);
  }
}

function showTrouble(now) {
  const lost = lostAt !== null && now - lostAt > LOST_MS;
  const text = lost
    ? stranger ? "rtsep was started anew: open the address that it shows now" : "Connection lost \u2013 what you see is old. Trying again \u2026"
    : lostAt === null ? facts.trouble() : "";
  const banner = byId("banner");
  write(banner, text);
  banner.hidden = !text;
  banner.classList.toggle("lost", lost);
  byId("mixer").inert = lost;
  document.body.classList.toggle("lost", lost);
}

let before = performance.now();
function frame(now) {
  const seconds = Math.min(0.25, (now - before) / 1000);
  before = now;
  if (strips) {
    if (changed) {
      strips.all.forEach((strip) => strip.update());
      showSilent(strips.stems, desk);
    }
    changed = strips.all.some((strip) => strip.sliders.some(([name, slider]) => slider.value !== desk.value(name)));
    strips.all.forEach((strip) => strip.meter.frame(now, seconds));
  }
  ribbon.frame(now);
  facts.show(now);
  showTrouble(now);
  requestAnimationFrame(frame);
}

bindTabs();
bindKeys(desk, facts, () => strips);
requestAnimationFrame(frame);
