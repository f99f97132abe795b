// Elements, made by hand. Text reaches the document through text nodes alone: whatever an event or a
// name holds stays text.

const SVG = "http://www.w3.org/2000/svg";
// Characters without a shape of their own: controls, and those that turn the direction of what follows.
const UNSEEN = /([\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff])/;

/** Return the element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Make an element. Children are nodes or values, and values become text. */
export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Make an SVG element, in the same way. */
export function makeSvg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
  const isHtml = element instanceof HTMLElement && !(element instanceof HTMLOptionElement);
  element.append(...children.flatMap((child) =>
    (child instanceof Node ? child : isHtml ? seen(String(child)) : String(child))));
  return element;
}

/** Return a text as nodes that show what is unseen in it; read or copied, it is the same text. */
function seen(text) {
  if (!UNSEEN.test(text)) return [text];
  return text.split(UNSEEN).map((part, index) => {
    if (index % 2 === 0) return part;
    const mark = document.createElement("span");
    mark.className = "unseen";
    mark.dataset.code = `U+${part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    mark.append(part);
    return mark;
  });
}

/** Return an instant, in epoch ms or as ISO text, as `2026-03-10 02:00:00.000` in UTC. */
export function instantText(value, { withMillis = false } = {}) {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return String(value);
  return date.toISOString().replace("T", " ").slice(0, withMillis ? 23 : 19);
}

/** Return a count with its thousands apart. */
export function countText(count) {
  return Number(count).toLocaleString("en-US");
}

/** Return `1 row`, `2 rows`. */
export function plural(count, noun) {
  return `${countText(count)} ${noun}${Number(count) === 1 ? "" : "s"}`;
}

/** Return a notice: `error`, `warning` or `note`, a headline, and any nodes under it. */
export function notice(kind, headline, ...rest) {
  const role = kind === "note" ? "status" : "alert";
  return make("div", { class: `notice ${kind}`, role }, make("strong", {}, headline), ...rest);
}

/** Return what an empty list shows. */
export function nothing(text) {
  return make("p", { class: "empty muted" }, text);
}
