// A bar of level that rises at once and falls as a peak meter does, with a line that stays for a while.

import { h, write } from "./dom.js";
import { level, meterShare, METER_MARKS, RED_DB, YELLOW_DB } from "./law.js";

const FLOOR_DB = -60;
const FALL_DB_S = 24;
const HOLD_MS = 2000;
const STALE_MS = 400; // without news nothing sounds
const READ_MS = 1000; // for a screen reader

export class Meter {
  constructor(label, count = 1) {
    this.bars = [];
    this.element = h("div", { class: "meter", role: "meter", "aria-label": label, "aria-valuemin": FLOOR_DB, "aria-valuemax": 0 });
    this.element.style.setProperty("--yellow", meterShare(YELLOW_DB));
    this.element.style.setProperty("--red", meterShare(RED_DB));
    this.number = h("output", { class: "peak", "aria-hidden": "true" }, level(-Infinity));
    this.heardAt = -Infinity;
    this.readAt = 0;
    this.top = { db: -Infinity, at: 0 };
    this.resize(count);
  }

  resize(count) {
    while (this.bars.length < count) {
      const cover = h("div", { class: "cover" }), hold = h("div", { class: "hold" });
      const element = h("div", { class: "bar" }, cover, hold);
      this.element.append(element);
      this.bars.push({ element, cover, hold, heard: -Infinity, shown: FLOOR_DB, held: FLOOR_DB, heldAt: 0 });
    }
    while (this.bars.length > count) this.bars.pop().element.remove();
  }

  // Peaks in dBFS, one for each bar, since the last time.
  push(peaks, now) {
    this.heardAt = now;
    this.bars.forEach((bar, i) => { bar.heard = peaks[i] ?? -Infinity; });
    const loudest = Math.max(...peaks, -Infinity);
    if (loudest >= this.top.db || now - this.top.at > HOLD_MS) this.top = { db: loudest, at: now };
  }

  frame(now, seconds) {
    const stale = now - this.heardAt > STALE_MS;
    for (const bar of this.bars) {
      const wanted = Math.max(FLOOR_DB, stale ? FLOOR_DB : bar.heard);
      bar.shown = Math.max(wanted, bar.shown - FALL_DB_S * seconds);
      if (bar.shown >= bar.held) {
        [bar.held, bar.heldAt] = [bar.shown, now];
      } else if (now - bar.heldAt > HOLD_MS) {
        bar.held = Math.max(bar.shown, bar.held - FALL_DB_S * seconds);
      }
      const at = meterShare(bar.shown).toFixed(3), held = meterShare(bar.held).toFixed(3);
      if (at !== bar.at) bar.cover.style.transform = `scaleY(${1 - (bar.at = at)})`;
      if (held !== bar.heldShare) bar.hold.style.transform = `translateY(${100 * (1 - (bar.heldShare = held))}%)`; // moved, not laid out and painted
    }
    if (stale) this.top.db = -Infinity;
    write(this.number, this.top.db > -100 ? level(this.top.db) : level(-Infinity));
    if (now - this.readAt > READ_MS) {
      this.readAt = now;
      const loudest = Math.max(...this.bars.map((bar) => bar.shown), FLOOR_DB);
      this.element.setAttribute("aria-valuenow", loudest.toFixed(0));
      this.element.setAttribute("aria-valuetext", `${loudest.toFixed(0)} dBFS`);
    }
  }
}

// Numbers beside meters.
export function scale() {
  const element = h("div", { class: "scale", "aria-hidden": "true" });
  for (const db of METER_MARKS) {
    const mark = h("span", {}, String(Math.abs(db)));
    mark.style.bottom = `${100 * meterShare(db)}%`;
    element.append(mark);
  }
  return element;
}
