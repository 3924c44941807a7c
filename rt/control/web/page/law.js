// What a number looks like: where a level stands on a fader or a meter, how it is written, which note a pitch is.

// Level in dB -> share of a fader's way: near 0 dB a decibel is long, far below it is short, as on a mixing desk.
const DESK = [[-60, 0.06], [-40, 0.18], [-30, 0.28], [-20, 0.42], [-10, 0.6], [0, 0.78], [12, 1]];
// The same for a meter, in dBFS.
const METER = [[-60, 0], [-50, 0.07], [-40, 0.17], [-30, 0.3], [-20, 0.5], [-10, 0.75], [0, 1]];
export const METER_MARKS = [0, -6, -12, -18, -30, -40, -60];
export const YELLOW_DB = -18, RED_DB = -6; // as in `rtsep mixer`
const OFF_SHARE = 0.06; // of the way, where there is an "off" at its end

function along(table, x, from, to) {
  const last = table.length - 1;
  if (x <= table[0][from]) return table[0][to];
  for (let i = 1; i <= last; i++) {
    if (x <= table[i][from]) {
      const share = (x - table[i - 1][from]) / (table[i][from] - table[i - 1][from]);
      return table[i - 1][to] + share * (table[i][to] - table[i - 1][to]);
    }
  }
  return table[last][to];
}

export const meterShare = (db) => along(METER, db, 0, 1);

const isFader = (p) => p.unit === "dB" && p.minimum === -60 && p.maximum === 12;

// Share 0..1 of the way at which a value stands.
export function share(p, value) {
  if (value === -Infinity) return 0;
  if (value === Infinity) return 1;
  if (isFader(p)) return along(DESK, value, 0, 1);
  const low = p.off === -Infinity ? OFF_SHARE : 0, high = p.off === Infinity ? 1 - OFF_SHARE : 1;
  return low + (high - low) * (value - p.minimum) / (p.maximum - p.minimum);
}

// The value that stands there, rounded to what is shown.
export function valueAt(p, at) {
  const low = p.off === -Infinity ? OFF_SHARE : 0, high = p.off === Infinity ? 1 - OFF_SHARE : 1;
  if (p.off === -Infinity && at < low / 2) return p.off;
  if (p.off === Infinity && at > (1 + high) / 2) return p.off;
  const exact = isFader(p) ? along(DESK, at, 1, 0) : p.minimum + (at - low) / (high - low) * (p.maximum - p.minimum);
  return within(p, rounded(p, exact));
}

export function within(p, value) {
  return Math.min(p.maximum, Math.max(p.minimum, value));
}

export function rounded(p, value) {
  const step = p.unit === "left..right" || p.unit === "dry share" ? 100 : 10;
  return Math.round(value * step) / step;
}

// One key's step, and a big one.
export function steps(p) {
  if (p.unit === "left..right" || p.unit === "dry share") return { small: 0.01, step: 0.05, page: 0.25 };
  return { small: 0.1, step: 1, page: p.unit === "ms" ? 10 : 6 };
}

const minus = (text) => text.replace("-", "\u2212");

export function level(db, digits = 1) {
  if (db === -Infinity) return "\u2212\u221e";
  if (db === Infinity) return "off";
  return minus((Math.abs(db) < 0.05 ? 0 : db).toFixed(digits));
}

export function shown(p, value) {
  if (p.unit === "on/off") return value ? "on" : "off";
  if (p.unit === "left..right") {
    const percent = Math.round(100 * Math.abs(value));
    return percent === 0 ? "C" : `${value < 0 ? "L" : "R"} ${percent}`;
  }
  if (p.unit === "dry share") return `${Math.round(100 * value)} % dry`;
  if (p.unit === "ms") return `${value.toFixed(1)} ms`;
  return value === Infinity ? "none" : `${level(value)} ${p.unit}`;
}

const NAMES = ["C", "C\u266f", "D", "D\u266f", "E", "F", "F\u266f", "G", "G\u266f", "A", "A\u266f", "B"];

export const midiOf = (hz) => 69 + 12 * Math.log2(hz / 440);

// Nearest note at A4 = 440 Hz and the distance in cents.
export function note(hz) {
  if (!(hz > 0)) return { name: "\u2013", cents: 0, text: "\u2013" };
  const midi = midiOf(hz), nearest = Math.floor(midi + 0.5), cents = Math.floor(100 * (midi - nearest) + 0.5);
  const name = `${NAMES[((nearest % 12) + 12) % 12]}${Math.floor(nearest / 12) - 1}`;
  return { name, cents, text: `${name} ${minus((cents < 0 ? "" : "+") + cents)}` };
}

export function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds)), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

export function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 100 ? `${hours} h ${String(minutes % 60).padStart(2, "0")}` : `${Math.floor(hours / 24)} d`;
}
