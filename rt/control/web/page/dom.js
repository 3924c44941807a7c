// Elements in one line, and short messages to the person.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

// Text is written only where it is another one: the browser lays out less, a screen reader reads less.
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function say(problem, remedy = "") {
  const line = h("p", {}, remedy ? `${problem}; ${remedy}` : problem);
  byId("messages").append(line);
  setTimeout(() => line.remove(), 6000);
}
