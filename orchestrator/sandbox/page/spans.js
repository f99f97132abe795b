// The time span of a search: presets, two fields, and the way back from what was looked at closely.

import { byId, instantText } from "./dom.js";

// Spans that were zoomed out of view, the widest first: `[start, end]` as they were typed.
let zoomed = [];

/** Wire the presets and the fields; once. */
export function setUpSpan() {
  byId("presets").addEventListener("click", (event) => {
    if (!event.target.dataset.start) return;
    zoomed = [];
    setSpan(event.target.dataset.start, "now");
  });
  for (const id of ["start", "end"]) {
    byId(id).addEventListener("input", () => {
      zoomed = [];
      markPreset();
    });
  }
  markPreset();
}

/** Fill the fields with a part of what is shown, in ms; `zoomOut` brings back what stood there. */
export function zoomTo(from, to) {
  zoomed.push([byId("start").value, byId("end").value]);
  setSpan(...[from, to].map((ms) => instantText(ms, { withMillis: ms % 1000 !== 0 }).replace(/:00$/, "")));
}

export function isZoomed() {
  return zoomed.length > 0;
}

export function zoomOut() {
  setSpan(...zoomed.pop());
}

/** Fill the fields, with texts as they could be typed. */
export function setSpan(from, to) {
  byId("start").value = from;
  byId("end").value = to;
  markPreset();
}

function markPreset() {
  const isNow = byId("end").value.trim() === "now";
  for (const button of byId("presets").children) {
    const isChosen = isNow && byId("start").value.trim() === button.dataset.start;
    button.setAttribute("aria-pressed", String(isChosen));
  }
}

/** Return start and end as the API takes them: epoch ms, or the server's own relative times. */
export function spanAsked(domain) {
  const from = byId("start").value.trim();
  if (from !== "all") return [timeAsked(from), timeAsked(byId("end").value.trim() || "now")];
  // All there is: the end is exclusive, so one ms behind the newest event.
  const newest = domain?.newest_event ? Date.parse(domain.newest_event) + 1 : 0;
  const end = Math.max(newest, Date.now());
  return [domain?.oldest_event ? Date.parse(domain.oldest_event) : 0, end];
}

function timeAsked(text) {
  const isDate = /^\d{4}-\d\d-\d\d/.test(text);
  const ms = isDate ? Date.parse(withZone(text.replace(" ", "T"))) : NaN;
  return Number.isNaN(ms) ? text : ms;
}

function withZone(text) {
  return /(Z|[+-]\d\d:?\d\d)$/.test(text) || text.length <= 10 ? text : `${text}Z`;
}
