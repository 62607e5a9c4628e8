/** Elements made and found. Text is only ever set as text. */

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** An HTML element with attributes and children, which may be elements or text. */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function drawn(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** One of the icons that index.html defines. */
export function icon(name) {
  return drawn("svg", { class: "icon", "aria-hidden": "true" }, drawn("use", { href: `#i-${name}` }));
}

/** A row of buttons of which one is pressed; `chosen(value)` when another is. */
export function chips(label, choices, current, chosen) {
  const buttons = choices.map(([value, text]) =>
    element(
      "button",
      { type: "button", "data-value": value, "aria-pressed": String(value === current), onclick: () => chosen(value) },
      text,
    ),
  );
  return element("div", { class: "chips", role: "group", "aria-label": label }, ...buttons);
}

/** A switch with its words. */
export function toggle(text, checked, changed, id) {
  const box = element("input", { type: "checkbox", role: "switch", id, onchange: () => changed(box.checked) });
  box.checked = checked;
  return element("label", { class: "toggle" }, box, element("span", {}, text));
}

/** Add a style sheet before all others. */
export function styleSheet(href) {
  document.head.prepend(element("link", { rel: "stylesheet", href }));
}
