// A fader: moved from where it stands, by finger, mouse and keys.

import { h } from "./dom.js";
import { rounded, share, shown, steps, valueAt, within } from "./law.js";

const TAP_MS = 350, TAP_PX = 6; // two taps without a move: back to the default
const FINE = 0.2, FINE_PX = 80; // Shift, or a finger so far beside it
const OWN_MS = 400; // what the server says meanwhile is older than what the hand does

export class Slider {
  // parameter: as the server describes it; set(value): what a move does.
  constructor(parameter, label, { vertical = true, marks = [] }, set) {
    this.parameter = parameter;
    this.set = set;
    this.vertical = vertical;
    this.movedAt = -Infinity;
    this.cap = h("div", { class: "cap" });
    this.element = h("div", {
      class: `slider ${vertical ? "vertical" : "horizontal"}`, role: "slider", tabindex: 0, "aria-label": label,
      "aria-orientation": vertical ? "vertical" : "horizontal", "data-parameter": parameter.name,
      "aria-valuemin": parameter.minimum, "aria-valuemax": parameter.maximum,
      onpointerdown: (e) => this.take(e), onpointermove: (e) => this.move(e), onpointerup: (e) => this.leave(e),
      onpointercancel: () => { this.grip = null; }, onkeydown: (e) => this.key(e),
    }, h("div", { class: "groove" }));
    for (const mark of marks) {
      const tick = h("i", { class: mark === 0 ? "tick zero" : "tick" });
      tick.style.setProperty("--at", share(parameter, mark));
      this.element.append(tick);
    }
    this.element.append(this.cap);
    this.show(parameter.value);
  }

  // What the server says; not while a hand is on it.
  update(value) {
    if (!this.grip && performance.now() - this.movedAt > OWN_MS) this.show(value);
  }

  show(value) {
    this.value = value;
    this.element.style.setProperty("--at", share(this.parameter, value));
    this.element.setAttribute("aria-valuenow", Number.isFinite(value) ? value : within(this.parameter, value));
    this.element.setAttribute("aria-valuetext", shown(this.parameter, value));
    this.onshow?.(value);
  }

  change(value) {
    if (value === this.value) return;
    this.movedAt = performance.now();
    this.show(value);
    this.set(value);
  }

  take(event) {
    if (event.button) return;
    this.element.setPointerCapture(event.pointerId);
    this.grip = { x: event.clientX, y: event.clientY, at: share(this.parameter, this.value), way: 0, x0: event.clientX, y0: event.clientY };
  }

  move(event) {
    const grip = this.grip;
    if (!grip) return;
    const length = this.vertical ? this.element.clientHeight - this.cap.offsetHeight : this.element.clientWidth - this.cap.offsetWidth;
    const along = this.vertical ? grip.y - event.clientY : event.clientX - grip.x;
    const beside = this.vertical ? Math.abs(event.clientX - grip.x0) : Math.abs(event.clientY - grip.y0);
    grip.way = Math.max(grip.way, Math.abs(this.vertical ? event.clientY - grip.y0 : event.clientX - grip.x0));
    [grip.x, grip.y] = [event.clientX, event.clientY];
    if (grip.way < TAP_PX) return; // a tap trembles
    const fine = event.shiftKey || beside > FINE_PX ? FINE : 1;
    grip.at = Math.min(1, Math.max(0, grip.at + fine * along / length));
    this.change(valueAt(this.parameter, grip.at));
  }

  leave() {
    const grip = this.grip;
    this.grip = null;
    if (!grip || grip.way >= TAP_PX) return;
    const now = performance.now();
    if (now - (this.tappedAt ?? -Infinity) < TAP_MS) this.reset();
    this.tappedAt = now;
  }

  // 0 dB, the middle, or whatever stands at the start.
  reset() {
    const p = this.parameter;
    this.change(p.unit === "dB" ? 0 : p.default);
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const p = this.parameter, { small, step, page } = steps(p);
    const by = {
      ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: page / step, PageDown: -page / step,
    }[event.key];
    if (by !== undefined) {
      const size = event.shiftKey ? small : step;
      const from = within(p, this.value);
      const wanted = rounded(p, (Number.isFinite(this.value) ? this.value : from) + by * size);
      // one step below the lowest level is off
      this.change(wanted < p.minimum && p.off === -Infinity ? p.off : this.value === p.off && by > 0 ? p.minimum : within(p, wanted));
    } else if (event.key === "Home") {
      this.change(p.off === -Infinity ? p.off : p.minimum);
    } else if (event.key === "End") {
      this.change(p.maximum);
    } else if (event.key === "0") {
      this.reset();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
