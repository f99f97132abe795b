// Rows over time as an inline SVG: bars for one series, lines for several. A range of it can be chosen,
// by dragging or with the arrow keys, to be looked at more closely.

import { countText, instantText, make, makeSvg } from "./dom.js";

const MOST_SERIES = 8;
const MOST_BUCKETS = 5_000;
const TICK_ROOM = 84;
const MARGIN = { top: 8, right: 12, bottom: 22, left: 48 };
const STEPS = [1, 5, 10, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
  172800, 604800, 1209600, 2592000, 7776000, 31536000].map((seconds) => seconds * 1000);

/**
 * Return the series in rows that have `_bucket`, or null where there is nothing to draw.
 *
 * Values are the fields that begin with `_`, else those that are numbers throughout; the other
 * fields name the series. With `bounds`, `{first, last, span}` in ms, buckets without rows are there too.
 * Shape: `{buckets: [ms], span: ms, series: [{name, values: [number or null]}], hidden}`.
 */
export function seriesOf(rows, columns, bounds = null) {
  const timed = rows.filter((row) => /^\d+$/.test(String(row._bucket ?? "")));
  if (timed.length === 0) return null;
  const fields = columns.filter((name) => name !== "_bucket");
  const numeric = fields.filter((name) => timed.every((row) => isNumber(row[name] ?? "")));
  const marked = numeric.filter((name) => name.startsWith("_"));
  const valueFields = marked.length > 0 ? marked : numeric;
  const keyFields = fields.filter((name) => !valueFields.includes(name));
  const buckets = bucketsOf(timed, bounds);
  const places = new Map(buckets.map((bucket, index) => [bucket, index]));
  const found = new Map();
  for (const row of timed) {
    const key = keyFields.map((name) => row[name] ?? "").join(" · ");
    for (const field of valueFields) {
      const name = [key, valueFields.length > 1 || !key ? field : ""].filter(Boolean).join(" ");
      if (!found.has(name)) {
        // A count that is not there is zero; of any other value nothing is known.
        const absent = field === "_count" ? 0 : null;
        found.set(name, { name, total: 0, values: new Array(buckets.length).fill(absent) });
      }
      const series = found.get(name);
      if (row[field] === undefined || row[field] === "") continue;
      series.values[places.get(Number(row._bucket))] = Number(row[field]);
      series.total += Math.abs(Number(row[field]));
    }
  }
  const all = [...found.values()].sort((a, b) => b.total - a.total);
  if (all.length === 0) return null;
  const span = bounds?.span ?? spanOf(buckets);
  return { buckets, span, series: all.slice(0, MOST_SERIES), hidden: Math.max(0, all.length - MOST_SERIES) };
}

function bucketsOf(timed, bounds) {
  const found = [...new Set(timed.map((row) => Number(row._bucket)))].sort((a, b) => a - b);
  if (bounds === null || (bounds.last - bounds.first) / bounds.span > MOST_BUCKETS) return found;
  const grid = [];
  for (let ms = bounds.first; ms <= bounds.last; ms += bounds.span) grid.push(ms);
  const known = new Set(grid);
  return found.every((ms) => known.has(ms)) ? grid : found;
}

/**
 * Draw into `figure`, again whenever its width changes; return what stops that.
 *
 * `onZoom(from, to)` is told which range was chosen, in ms; `onBack`, if not null, leaves the last one.
 */
export function drawChart(figure, data, { title, height, onZoom, onBack }) {
  const readout = make("span", { class: "readout", role: "status" });
  const back = onBack === null ? [] : [make("button", { type: "button", class: "quiet back", onclick: onBack }, "Zoom out")];
  const caption = make("figcaption", {}, make("span", { class: "title" }, title), ...back, legend(data), readout);
  const canvas = make("div", { class: "canvas", tabindex: 0, role: "group", "aria-label":
    "Chart; the arrow keys choose a bucket, with Shift a range, Enter looks at it more closely" });
  figure.replaceChildren(caption, canvas);
  const range = rangeOf(canvas, data, { readout, onZoom });
  let width = 0;
  const draw = () => {
    if (canvas.clientWidth === width || canvas.clientWidth === 0) return;
    width = canvas.clientWidth;
    canvas.replaceChildren(picture(data, { width, height, title, range }));
  };
  draw();
  const observer = new ResizeObserver(draw);
  observer.observe(canvas);
  return () => observer.disconnect();
}

function legend(data) {
  const list = make("span", { class: "legend" });
  if (data.series.length > 1) {
    data.series.forEach((series, index) => {
      list.append(make("span", { class: `key s${index}` }, series.name));
    });
  }
  if (data.hidden > 0) list.append(make("span", { class: "muted" }, `and ${data.hidden} more in the table`));
  return list;
}

/** Wire a canvas for choosing: `place(svg, box, x)` puts the choice on a picture that was just drawn. */
function rangeOf(canvas, data, { readout, onZoom }) {
  const { buckets, span } = data;
  let from = null;
  let to = null;
  let isDragged = false;
  let put = () => {};
  let bucketAt = () => null;

  function choose(start, end) {
    [from, to] = [start, end];
    put();
    readout.textContent = to === null ? "" : from === to ? readoutText(data, to) : rangeText(Math.min(from, to), Math.max(from, to));
  }

  function rangeText(first, last) {
    return `${instantText(buckets[first])} to ${instantText(buckets[last] + span)}`;
  }

  function zoom() {
    const [first, last] = [Math.min(from, to), Math.max(from, to)];
    onZoom(buckets[first], buckets[last] + span);
  }

  canvas.addEventListener("pointermove", (event) => {
    const index = bucketAt(event);
    if (index === null) { if (!isDragged) choose(null, null); return; }
    choose(isDragged ? from : index, index);
  });
  canvas.addEventListener("pointerdown", (event) => {
    const index = bucketAt(event);
    if (event.button !== 0 || index === null) return;
    isDragged = true;
    canvas.setPointerCapture(event.pointerId);
    choose(index, index);
  });
  canvas.addEventListener("pointerup", () => {
    // A mere click chooses nothing: it may have been meant for the focus.
    if (isDragged && from !== to) zoom();
    isDragged = false;
  });
  canvas.addEventListener("pointercancel", () => { isDragged = false; choose(null, null); });
  canvas.addEventListener("pointerleave", () => { if (!isDragged) choose(null, null); });
  canvas.addEventListener("keydown", (event) => {
    const last = buckets.length - 1;
    const steps = { ArrowLeft: (to ?? last + 1) - 1, ArrowRight: (to ?? -1) + 1, Home: 0, End: last };
    if (event.key in steps) {
      const next = Math.max(0, Math.min(last, steps[event.key]));
      choose(event.shiftKey ? from ?? next : next, next);
      event.preventDefault();
    } else if (event.key === "Enter" && to !== null) zoom();
    else if (event.key === "Escape" && to !== null) choose(null, null);
  });

  return function place(svg, box, x) {
    const cursor = makeSvg("rect", { class: "cursor", y: box.top, height: box.bottom - box.top, width: 0 });
    svg.append(cursor);
    put = () => {
      const [first, last] = [Math.min(from ?? 0, to ?? 0), Math.max(from ?? 0, to ?? 0)];
      cursor.setAttribute("x", x(buckets[first]));
      cursor.setAttribute("width", to === null ? 0 : Math.max(1, x(buckets[last] + span) - x(buckets[first])));
    };
    bucketAt = (event) => {
      const left = event.clientX - svg.getBoundingClientRect().left;
      const end = buckets[buckets.length - 1] + span;
      const ms = buckets[0] + ((left - box.left) / (box.right - box.left)) * (end - buckets[0]);
      // A drag may leave the picture: what counts is its nearest bucket.
      const near = isDragged ? Math.max(buckets[0], Math.min(end - 1, ms)) : ms;
      const index = buckets.findLastIndex((bucket) => bucket <= near);
      return index >= 0 && near < buckets[index] + span ? index : null;
    };
    put();
  };
}

function picture(data, { width, height, title, range }) {
  const { span } = data;
  const first = data.buckets[0];
  const last = data.buckets[data.buckets.length - 1] + span;
  const values = data.series.flatMap((series) => series.values).filter((value) => value !== null);
  const top = niceTop(Math.max(0, ...values));
  const bottom = Math.min(0, ...values);
  const box = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
  const x = (ms) => box.left + ((ms - first) / (last - first)) * (box.right - box.left);
  const y = (value) => box.bottom - ((value - bottom) / (top - bottom)) * (box.bottom - box.top);
  const svg = makeSvg("svg", { width, height, role: "img", "aria-label": spoken(data, title, span) });
  drawAxes(svg, { box, x, y, top, bottom, first, last });
  if (data.series.length === 1) drawBars(svg, data, { x, y, span });
  else data.series.forEach((series, index) => drawLine(svg, data.buckets, series, index, { x, y, span }));
  range(svg, box, x);
  return svg;
}

function drawAxes(svg, { box, x, y, top, bottom, first, last }) {
  for (const value of [...new Set([bottom, (top + bottom) / 2, top])]) {
    svg.append(
      makeSvg("line", { class: "grid", x1: box.left, x2: box.right, y1: y(value), y2: y(value) }),
      makeSvg("text", { x: box.left - 6, y: y(value) + 4, "text-anchor": "end" }, shortNumber(value)),
    );
  }
  const room = Math.max(2, Math.floor((box.right - box.left) / TICK_ROOM));
  const step = STEPS.find((length) => (last - first) / length <= room) ?? (last - first) / room;
  for (let ms = Math.ceil(first / step) * step; ms <= last; ms += step) {
    if (x(ms) > box.right - 20) break;
    svg.append(
      makeSvg("line", { class: "tick", x1: x(ms), x2: x(ms), y1: box.bottom, y2: box.bottom + 4 }),
      makeSvg("text", { x: x(ms), y: box.bottom + 16, "text-anchor": "middle" }, tickText(ms, step)),
    );
  }
}

function drawBars(svg, data, { x, y, span }) {
  const gap = x(data.buckets[0] + span) - x(data.buckets[0]) > 4 ? 1 : 0;
  data.buckets.forEach((bucket, index) => {
    const value = data.series[0].values[index];
    if (value === null || value === 0) return;
    const left = x(bucket);
    svg.append(makeSvg("rect", {
      class: "column s0", "data-bucket": bucket, "data-value": value, x: left, y: Math.min(y(0), y(value)),
      width: Math.max(1, x(bucket + span) - left - gap), height: Math.max(1, Math.abs(y(0) - y(value))),
    }));
  });
}

function drawLine(svg, buckets, series, index, { x, y, span }) {
  let path = "";
  series.values.forEach((value, place) => {
    if (value === null) return;
    const isJoined = place > 0 && series.values[place - 1] !== null;
    path += `${isJoined ? "L" : "M"}${x(buckets[place] + span / 2).toFixed(1)} ${y(value).toFixed(1)}`;
    const isAlone = !isJoined && (series.values[place + 1] ?? null) === null;
    if (isAlone) svg.append(makeSvg("circle", { class: `dot s${index}`, cx: x(buckets[place] + span / 2), cy: y(value), r: 2.5 }));
  });
  svg.append(makeSvg("path", { class: `line s${index}`, d: path, "data-series": series.name }));
}

function readoutText(data, index) {
  const values = data.series
    .filter((series) => series.values[index] !== null)
    .map((series) => (data.series.length === 1 ? "" : `${series.name}: `) + countText(series.values[index]));
  return `${instantText(data.buckets[index])}  ${values.join("   ")}`;
}

function spoken(data, title, span) {
  const last = data.buckets[data.buckets.length - 1] + span;
  return `${title}, ${instantText(data.buckets[0])} to ${instantText(last)} UTC; the values are in the table`;
}

function spanOf(buckets) {
  let span = Infinity;
  for (let i = 1; i < buckets.length; i += 1) span = Math.min(span, buckets[i] - buckets[i - 1]);
  return Number.isFinite(span) ? span : 60_000;
}

function niceTop(value) {
  if (value <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  // Half of the top is written beside its line: whole where the values are.
  const fits = (top) => top >= value && (!Number.isInteger(value) || top % 2 === 0);
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 20].map((factor) => factor * unit).find(fits);
}

function shortNumber(value) {
  const size = Math.abs(value);
  for (const [unit, letter] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    const base = letter === "k" ? 1e3 : unit;
    if (size >= unit) return `${Number((value / base).toFixed(1))}${letter}`;
  }
  return String(Number(value.toFixed(2)));
}

function tickText(ms, step) {
  const text = new Date(ms).toISOString();
  if (step >= 31536000000) return text.slice(0, 4);
  if (step >= 86400000) return text.slice(5, 10);
  const clock = text.slice(11, step < 60000 ? 19 : 16);
  return ms % 86400000 === 0 ? text.slice(5, 10) : clock;
}

function isNumber(value) {
  return value === "" || Number.isFinite(Number(value));
}
