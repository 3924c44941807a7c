// What is known of the session: parameters with their values, and the status.

export class Desk extends EventTarget {
  constructor(send) {
    super();
    this.send = send;
    this.parameters = new Map();
    this.status = {};
    this.actions = [];
  }

  // Whether the desk has other parameters than before.
  describe(parameters, actions) {
    const names = parameters.map((p) => p.name).join("\n");
    const other = names !== this.described;
    this.described = names;
    this.actions = actions;
    this.parameters = new Map(parameters.map((p) => [p.name, p]));
    this.values = new Map(parameters.map((p) => [p.name, p.value]));
    return other;
  }

  names() { return this.parameters.keys(); }
  has(name) { return this.parameters.has(name); }
  parameter(name) { return this.parameters.get(name); }
  value(name) { return this.values.get(name); }
  stems() { return [...this.names()].filter((n) => n.endsWith(".solo")).map((n) => n.slice(0, -".solo".length)); }
  can(action) { return this.actions.includes(action); }

  // A hand moved something: it shows at once, and the server says the same soon.
  set(name, value) {
    this.values.set(name, value);
    this.send(name, value);
    this.dispatchEvent(new Event("change"));
  }

  hear(values) {
    for (const [name, value] of Object.entries(values)) this.values.set(name, value);
    this.dispatchEvent(new Event("change"));
  }
}
