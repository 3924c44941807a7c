// Pitches of the last seconds on a staff, a line for each voice; its name, note and cents at the right.

import { byId, h, write } from "./dom.js";
import { midiOf, note } from "./law.js";
import { COLOURS } from "./strips.js";

const SECONDS = 10;
const JUMP = 2.5; // semitones between two looks: another note, not a glide
const GAP_S = 0.4;
const LABEL_PX = 86, LEFT_PX = 34;
// White keys of an octave: the staff counts them, and a semitone between is half way.
const STEPS = [0, 0.5, 1, 1.5, 2, 3, 3.5, 4, 4.5, 5, 5.5, 6, 7];
const LINES = [43, 47, 50, 53, 57, 64, 67, 71, 74, 77]; // G2 B2 D3 F3 A3, E4 G4 B4 D5 F5
const LOW = 38, HIGH = 84; // D2 to C6
const DASHES = [[], [9, 4], [3, 3], [12, 3, 3, 3], [6, 2], [2, 5]];

function staff(midi) {
  const octave = Math.floor(midi / 12), within = midi - 12 * octave, key = Math.floor(within);
  return 7 * octave + STEPS[key] + (within - key) * (STEPS[key + 1] - STEPS[key]);
}

export class Ribbon {
  constructor() {
    this.canvas = byId("ribbon");
    this.list = byId("notes");
    this.voices = [];
    this.tick = 0;
    this.size = { width: 0, height: 0 }; // 0 where nobody sees it
    // asked in every frame, the browser would lay out the page before it answers
    new ResizeObserver(([entry]) => { this.size = entry.contentRect; }).observe(this.canvas);
  }

  voicesAre(stems) {
    this.voices = stems.map((name, i) => ({ name, colour: COLOURS[i % COLOURS.length], dash: DASHES[i % DASHES.length], points: [], hz: null }));
    this.list.replaceChildren();
    this.rows = this.voices.map((voice) => {
      const dot = h("i", { "aria-hidden": "true" }), text = h("span");
      dot.style.background = voice.colour;
      this.list.append(h("li", {}, dot, text));
      return text;
    });
  }

  push(pitches, merged, now) {
    this.voices.forEach((voice, i) => {
      voice.hz = pitches[i];
      voice.merged = Boolean(merged?.[i]);
      if (voice.hz == null) return;
      voice.points.push({ at: now, midi: voice.hz > 0 ? midiOf(voice.hz) : null });
      while (voice.points.length && now - voice.points[0].at > 1000 * (SECONDS + 1)) voice.points.shift();
    });
    this.rows.forEach((row, i) => {
      const { name, hz, merged: both } = this.voices[i];
      row.parentElement.hidden = hz == null;
      write(row, `${name} ${note(hz).text}${both ? " merged" : ""}`);
    });
  }

  frame(now) {
    const { width, height } = this.size, ratio = window.devicePixelRatio || 1;
    if (this.tick++ % 2 || !width) return; // 30 a second, and none that nobody sees
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      [this.canvas.width, this.canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    }
    const g = this.canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    const low = staff(LOW), high = staff(HIGH);
    const y = (midi) => height - 8 - (height - 16) * (staff(Math.min(HIGH, Math.max(LOW, midi))) - low) / (high - low);
    const right = width - LABEL_PX, x = (at) => right - (right - LEFT_PX) * (now - at) / (1000 * SECONDS);
    this.lines(g, y, right);
    g.save();
    g.beginPath();
    g.rect(LEFT_PX, 0, right - LEFT_PX + 4, height);
    g.clip();
    for (const voice of this.voices) this.trace(g, voice, x, y);
    g.restore();
    this.labels(g, y, right, now, height);
  }

  lines(g, y, right) {
    g.lineWidth = 1;
    g.setLineDash([]);
    g.strokeStyle = "#3a424c";
    g.beginPath();
    for (const midi of LINES) {
      g.moveTo(LEFT_PX, Math.round(y(midi)) + 0.5);
      g.lineTo(right, Math.round(y(midi)) + 0.5);
    }
    g.stroke();
    g.strokeStyle = "#262c33";
    g.beginPath();
    g.moveTo(LEFT_PX, Math.round(y(60)) + 0.5); // middle C has no line of its own
    g.lineTo(right, Math.round(y(60)) + 0.5);
    g.stroke();
    g.fillStyle = "#8b949e";
    g.font = "11px system-ui, sans-serif";
    g.textBaseline = "middle";
    g.textAlign = "left";
    for (const [midi, name] of [[43, "G2"], [53, "F3"], [60, "C4"], [67, "G4"], [77, "F5"]]) g.fillText(name, 6, y(midi));
  }

  trace(g, voice, x, y) {
    g.strokeStyle = voice.colour;
    g.lineWidth = 3;
    g.lineJoin = g.lineCap = "round";
    g.setLineDash(voice.dash);
    g.beginPath();
    let before = null;
    for (const point of voice.points) {
      if (point.midi !== null) {
        const goesOn = before && Math.abs(point.midi - before.midi) < JUMP && point.at - before.at < 1000 * GAP_S;
        if (goesOn) g.lineTo(x(point.at), y(point.midi));
        else { g.moveTo(x(point.at), y(point.midi)); g.lineTo(x(point.at) + 0.1, y(point.midi)); }
        before = point;
      } else {
        before = null;
      }
    }
    g.stroke();
  }

  labels(g, y, right, now, height) {
    const singing = this.voices.filter((v) => v.hz > 0 && v.points.length && now - v.points.at(-1).at < 1000 * GAP_S);
    singing.sort((a, b) => b.hz - a.hz);
    let above = -Infinity;
    g.font = "600 13px system-ui, sans-serif";
    g.textAlign = "left";
    for (const voice of singing) {
      const at = Math.min(height - 10, Math.max(y(midiOf(voice.hz)), above + 17, 10)), { text } = note(voice.hz);
      above = at;
      g.fillStyle = voice.colour;
      g.fillText(`${this.voices.indexOf(voice) + 1}  ${text}`, right + 8, at);
    }
  }
}
