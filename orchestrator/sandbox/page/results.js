// A page of rows as a table: columns as the server orders them, a sticky header that sorts, each row
// openable to all that it holds.

import { instantText, make } from "./dom.js";

const TIMES = new Set(["@timestamp", "@ingesttimestamp", "_bucket"]);
const LONG_CHARS = 36;
const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

/**
 * Return the columns: those that are shown already, then what is new among these rows.
 *
 * At first they stand as the server orders them, else the time, what most rows have, what the server adds.
 */
export function columnsOf(rows, fieldOrder, shown) {
  const counts = new Map();
  for (const row of rows) {
    for (const name of Object.keys(row)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  // Whole events are an aggregate's rows behind sort() or tail(), and in no order that was asked for.
  const isWhole = rows.some((row) => "@id" in row && "@timezone" in row);
  const known = shown.length > 0 ? shown : isWhole ? [] : (fieldOrder ?? []);
  const place = (name) => (name === "@timestamp" ? 0 : name.startsWith("@") && name !== "@rawstring" ? 2 : 1);
  // Sorting is stable: of fields as frequent as each other, the first to appear stays first.
  const found = [...counts.keys()].sort((a, b) => place(a) - place(b) || counts.get(b) - counts.get(a));
  return [...new Set([...known, ...found])];
}

/**
 * Return the table of one page.
 *
 * `sort` is `{field, descending}`; `onSort(field)` asks for another order.
 */
export function tableOf(rows, columns, { sort, onSort }) {
  const numeric = new Set(columns.filter((name) => isNumeric(rows, name)));
  const long = new Set(columns.filter((name) => rows.some((row) => String(row[name] ?? "").length > LONG_CHARS)));
  const head = make("tr", {}, make("th", { class: "opener", scope: "col" },
    make("span", { class: "visually-hidden" }, "Open")));
  for (const name of columns) head.append(heading(name, numeric.has(name), sort, onSort));
  // Takes the width that is left, so that few columns stand together.
  head.append(make("td", { class: "filler" }));
  const body = make("tbody");
  for (const row of rows) body.append(line(row, columns, (name) => kindOf(row, name, numeric, long)));
  return make("table", { class: "data" }, make("thead", {}, head), body);
}

function heading(name, isNumber, sort, onSort) {
  const isSorted = sort.field === name;
  const order = isSorted ? (sort.descending ? "descending" : "ascending") : "none";
  const mark = isSorted ? (sort.descending ? " ↓" : " ↑") : "";
  return make("th", { scope: "col", "aria-sort": order, class: isNumber ? "number" : null },
    make("button", { type: "button", title: `Sort by ${name}`, onclick: () => onSort(name) },
      make("span", { class: "name" }, name), mark));
}

function kindOf(row, name, numeric, long) {
  if (!(name in row)) return "absent";
  if (TIMES.has(name)) return "time";
  return numeric.has(name) ? "number" : long.has(name) ? "long" : null;
}

function line(row, columns, kindIn) {
  const opener = make("button", { type: "button", "aria-expanded": "false", "aria-label": "All fields" }, "▸");
  const tr = make("tr", {}, make("td", { class: "opener" }, opener));
  for (const name of columns) {
    tr.append(make("td", { class: kindIn(name) }, name in row ? cellText(name, row[name]) : ""));
  }
  tr.append(make("td", { class: "filler" }));
  opener.addEventListener("click", () => toggle(tr, opener, row, columns));
  return tr;
}

function toggle(tr, opener, row, columns) {
  const isOpen = opener.getAttribute("aria-expanded") === "true";
  opener.setAttribute("aria-expanded", String(!isOpen));
  opener.textContent = isOpen ? "▸" : "▾";
  if (isOpen) {
    tr.nextElementSibling.remove();
    return;
  }
  const list = make("dl");
  for (const name of columns) {
    if (name in row) list.append(make("dt", {}, name), make("dd", {}, cellText(name, row[name])));
  }
  tr.after(make("tr", { class: "detail" }, make("td", { colspan: columns.length + 2 }, list)));
}

function cellText(name, value) {
  const text = String(value);
  return TIMES.has(name) && /^\d+$/.test(text)
    ? instantText(Number(text), { withMillis: name !== "_bucket" })
    : text;
}

function isNumeric(rows, name) {
  if (TIMES.has(name)) return false;
  const values = rows.filter((row) => name in row && row[name] !== "").map((row) => row[name]);
  return values.length > 0 && values.every((value) => NUMBER.test(String(value)));
}
