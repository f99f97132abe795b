// The query's text field: what the linter says of it, at its place, while it is written.
//
// A field cannot mark its own text, so the same text lies behind it, invisible but for its marks.

import { check } from "./api.js";
import { byId, make } from "./dom.js";

const PAUSE_MS = 250;
const MOST_SHOWN = 5;
const WORDS = { error: "Error", warning: "Warning", hint: "Hint" };

let timer = 0;
let round = 0;

/** Wire the field; once. */
export function setUpEditor() {
  const field = byId("query");
  field.addEventListener("input", () => {
    // Old marks are at old places.
    show([]);
    checkSoon();
  });
  field.addEventListener("scroll", follow);
  new ResizeObserver(follow).observe(field);
}

/** Replace the text, and have it looked at. */
export function setQuery(text) {
  byId("query").value = text;
  show([]);
  checkSoon();
}

function checkSoon() {
  clearTimeout(timer);
  round += 1;
  const mine = round;
  timer = setTimeout(async () => {
    const text = byId("query").value;
    if (!text.trim()) return;
    // Without an answer there are no marks; a run says what is wrong with the connection.
    const problems = await check(text).catch(() => []);
    if (mine === round) show(problems);
  }, PAUSE_MS);
}

function show(problems) {
  const text = byId("query").value;
  const isWrong = problems.some((problem) => problem.level === "error");
  byId("query").setAttribute("aria-invalid", String(isWrong));
  byId("marks").replaceChildren(...marked(text, problems));
  const [errors, warnings, hints] = ["error", "warning", "hint"].map((level) =>
    problems.filter((problem) => problem.level === level));
  const worse = [...errors, ...warnings];
  // Advice can wait while something is wrong.
  const shown = worse.length > 0 ? worse.slice(0, MOST_SHOWN) : hints.slice(0, 1);
  const rest = (worse.length > 0 ? worse : hints).length - shown.length;
  byId("problems").replaceChildren(
    ...shown.map(line),
    ...(rest > 0 ? [make("span", { class: "muted" }, `and ${rest} more`)] : []));
  follow();
}

/** Return the text as nodes, each problem's place in a mark; of places that overlap the first counts. */
function marked(text, problems) {
  const nodes = [];
  let at = 0;
  const places = problems.filter((problem) => problem.level !== "hint").sort((a, b) => a.start - b.start);
  for (const { start, end, level } of places) {
    if (start < at) continue;
    nodes.push(text.slice(at, start));
    // A place behind the last character shows as a space.
    at = Math.max(end, start + 1);
    nodes.push(make("mark", { class: level }, text.slice(start, at) || " "));
  }
  nodes.push(text.slice(at), "\n");
  return nodes;
}

function line(problem) {
  const { level, message, help, line: row, column, fix } = problem;
  const place = make("button", { type: "button", class: "place", "aria-label": `Go to line ${row}, column ${column}`,
    onclick: () => select(problem) }, `${row}:${column}`);
  const parts = [make("strong", {}, WORDS[level]), " ", place, ` ${message} ${help}`.trimEnd()];
  if (fix) {
    parts.push(" ", make("button", { type: "button", class: "quiet", title: fix.label, onclick: () => apply(fix) },
      fix.text ? `Write ${fix.text}` : "Remove it"));
  }
  return make("p", { class: level }, ...parts);
}

function select({ start, end }) {
  byId("query").focus();
  byId("query").setSelectionRange(start, end);
}

function apply({ start, end, text }) {
  const field = byId("query");
  field.focus();
  field.setSelectionRange(start, end);
  // Unlike an assignment, this leaves the change to be undone.
  if (!document.execCommand("insertText", false, text)) field.setRangeText(text, start, end, "end");
  show([]);
  checkSoon();
}

function follow() {
  const { scrollTop, scrollLeft } = byId("query");
  byId("marks").scrollTop = scrollTop;
  byId("marks").scrollLeft = scrollLeft;
}
