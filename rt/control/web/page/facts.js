// Transport, status and events as text.

import { byId, h, say, write } from "./dom.js";
import { clock, span } from "./law.js";

const EVENTS = 150;
const MARKS = { fault: "\u25b2", state: "\u25cf", note: "\u2139", action: "\u2691" };
const ms = (samples, rate) => `${(1000 * samples / rate).toFixed(1)} ms`;
const percent = (share) => `${(100 * share).toFixed(0)} %`;

export class Facts {
  constructor(desk, wire) {
    Object.assign(this, { desk, wire, markers: 0 });
    byId("record").onclick = () => this.record();
    byId("marker").onclick = () => this.mark();
    byId("marker-text").onkeydown = (e) => { if (e.key === "Enter") this.mark(); e.stopPropagation(); };
    this.rows = new Map();
    this.seen = false;
    new ResizeObserver(([entry]) => { this.seen = entry.contentRect.height > 0; }).observe(byId("facts"));
  }

  get recording() { return ["recording", "held"].includes(this.desk.status.record_state); }

  async act(action, words) {
    try {
      return await this.wire.do(action, words);
    } catch ({ problem, remedy }) {
      say(problem, remedy);
      return undefined;
    }
  }

  record() { return this.act("record", this.recording ? "stop" : "start"); }

  async mark() {
    const field = byId("marker-text"), text = field.value.trim() || `marker ${this.markers + 1}`;
    if (await this.act("mark", text) === undefined) return;
    this.markers += 1;
    field.value = "";
  }

  // What is wrong now, in words; "" where nothing is.
  trouble() {
    const s = this.desk.status;
    if (s.session_answers === false) return "The session does not answer: takes and markers cannot be reached";
    if (s.state === "device-lost") return `Device lost: ${s.last_error || "waiting for it"}`;
    if (s.state === "restarting") return "The engine is being started again";
    if (s.state === "bypassed") return `Bypassed: the mixture is played. ${s.last_error || ""}`;
    if (s.state === "failed" || s.state === "stopped") return `The session has ${s.state}. ${s.last_error || ""}`;
    if (s.record_state === "held") return "The disk takes nothing: the take is held";
    if (s.record_state === "failed") return "Recording failed; the sound goes on";
    if (s.no_signal) return "No signal: the input is silent";
    return s.last_error || "";
  }

  show(now) {
    if (now - (this.shownAt ?? -Infinity) < 200) return;
    this.shownAt = now;
    const s = this.desk.status, rate = s.samplerate || 48000, open = this.wire.open;
    const state = byId("state"), bad = !open || Boolean(this.trouble());
    write(state, !open ? "\u2715 offline" : s.no_signal && s.state === "running" ? "\u25b2 no signal" : `${bad ? "\u25b2" : "\u25cf"} ${s.state ?? "..."}`);
    state.classList.toggle("bad", bad);
    write(byId("elapsed"), s.frames === undefined ? "-:--" : clock(s.frames / rate));
    const on = this.recording, take = (s.record_take || "").split("/").pop();
    write(byId("take"), on || s.record_frames ? `${clock((s.record_frames || 0) / rate)}${take ? ` ${take}` : ""}` : s.record_state ? s.record_state : "none");
    write(byId("disk"), s.record_left_s == null ? "-" : span(s.record_left_s));
    write(byId("latency"), s.live_latency_samples ? ms(s.live_latency_samples + (s.device_input_samples ?? 0) + (s.device_output_samples ?? 0), rate) : "-");
    write(byId("faults"), `${s.xruns ?? "-"} / ${s.late_hops ?? "-"}`);
    byId("faults").classList.toggle("bad", Boolean(s.xruns || s.late_hops));
    const record = byId("record");
    record.disabled = !open || !s.record_state || s.record_state === "failed" || !this.desk.can("record");
    record.setAttribute("aria-pressed", String(on));
    write(record, on ? "\u25a0 Stop take" : "\u25cf Start take");
    record.title = s.record_state ? "" : "rtsep was started without --record";
    byId("marker").disabled = byId("marker-text").disabled = !open || !on || !this.desk.can("mark");
    if (this.seen) this.table(s, rate);
  }

  table(s, rate) {
    const device = s.device_input_samples == null || s.device_output_samples == null ? "the driver does not say" : `${ms(s.device_input_samples, rate)} in + ${ms(s.device_output_samples, rate)} out`;
    const number = (n) => (n === undefined ? "-" : String(n));
    const rows = [
      ["latency, exact", `${s.live_latency_samples} samples = ${ms(s.live_latency_samples, rate)}`],
      ["  of it algorithmic", ms(s.algorithmic_samples, rate)],
      ["  of it buffering", ms(s.buffering_samples, rate)],
      ...(s.clock_bridge_samples ? [["  of it between the clocks", ms(s.clock_bridge_samples, rate)]] : []),
      ["device adds", device],
      ...(s.clock_bridge_samples ? [
        ["input's clock", s.clock_ppm == null ? "being measured" : `${s.clock_ppm > 0 ? "+" : ""}${s.clock_ppm} ppm against the output's`],
        ["waiting between the clocks", s.clock_fill_samples == null ? "-" : ms(s.clock_fill_samples, rate)],
        ["clock slips", number(s.clock_slips), s.clock_slips],
      ] : []),
      ["xruns", number(s.xruns), s.xruns],
      ["late hops", number(s.late_hops), s.late_hops],
      ["hops skipped", number(s.skipped_hops), s.skipped_hops],
      ["fallback samples", number(s.fallback_samples), s.fallback_samples],
      ["at the ceiling", number(s.limited_samples), s.limited_samples],
      ["NaN or Inf", number(s.nonfinite_samples), s.nonfinite_samples],
      ["engine restarts", number(s.engine_restarts ?? 0), s.engine_restarts],
      ["device losses", number(s.device_losses), s.device_losses],
      ["holes in the take", number(s.record_holes ?? 0), s.record_holes],
      ["web requests refused", number(s.web_refused ?? 0), s.web_refused],
      ["hop time", `${percent(s.hop_time_p50)}, p99 ${percent(s.hop_time_p99)}, most ${percent(s.hop_time_max)} of a hop`, s.hop_time_max > 1],
      ["processor", `${percent(s.cpu_load)} of a core, ${s.scheduling || ""}`],
      ["device", `${s.input_device || "-"} \u2192 ${s.output_device || "-"}, block ${s.blocksize}`],
    ];
    this.histogram(s.hop_time_counts ?? []);
    for (const [name, text, bad] of rows) {
      let row = this.rows.get(name);
      if (!row) {
        row = h("dd");
        byId("status").append(h("dt", { class: name.startsWith(" ") ? "part" : "" }, name.trim()), row);
        this.rows.set(name, row);
      }
      write(row, text);
      row.classList.toggle("bad", Boolean(bad));
    }
    const notes = s.notes ?? [], list = byId("session-notes");
    if (list.dataset.notes !== JSON.stringify(notes)) {
      list.dataset.notes = JSON.stringify(notes);
      list.replaceChildren(...notes.map((text) => h("li", {}, text)));
    }
  }

  // How many hops of the last seconds needed how many tenths of a hop's time.
  histogram(counts) {
    const bars = byId("hops"), all = counts.reduce((sum, n) => sum + n, 0);
    bars.hidden = !all;
    if (!all) return;
    while (bars.children.length < counts.length) bars.append(h("i", { title: `${10 * bars.children.length} % of a hop and more` }));
    // the root, so that one late hop among a thousand is seen
    counts.forEach((n, i) => { bars.children[i].style.height = `${n ? Math.max(4, 100 * Math.sqrt(n / all)) : 1}%`; });
    const late = counts.at(-1);
    bars.setAttribute("aria-label", `hop times: ${late} of ${all} hops needed nine tenths of their time or more`);
  }

  events(events) {
    const list = byId("events");
    for (const { at, kind, text } of events) {
      const time = new Date(1000 * at).toLocaleTimeString([], { hour12: false });
      list.prepend(h("li", { class: kind }, h("time", {}, time), h("i", { "aria-label": kind }, MARKS[kind] ?? "\u00b7"), h("span", {}, text)));
    }
    while (list.children.length > EVENTS) list.lastChild.remove();
  }
}

