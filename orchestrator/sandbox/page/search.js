// The search box: one query job at a time, from its start to its last page.

import { Failed, Job } from "./api.js";
import { drawChart, seriesOf } from "./chart.js";
import { byId, countText, instantText, make, notice, plural } from "./dom.js";
import { setQuery, setUpEditor } from "./editor.js";
import { columnsOf, tableOf } from "./results.js";
import { showWelcome } from "./welcome.js";

const PAGE_ROWS = 200;
const CHART_ROWS = 10_000;
const LONGEST_PAUSE_MS = 2_000;
const DAY_MS = 86_400_000;
// The server forgets a job that nobody polls for 90 seconds.
const HEARTBEAT_MS = 30_000;

let domains = [];
let current = null;
let ask = () => {};
// Spans that were zoomed out of view, the widest first: `[start, end]` as they were typed.
let zoomed = [];

/** What is on the screen: a job, its answer, and which page of it in which order. */
class Run {
  constructor(repository) {
    this.repository = repository;
    this.abort = new AbortController();
    this.job = null;
    this.meta = null;
    this.columns = [];
    this.offset = 0;
    this.sort = { field: "", descending: false };
    this.stopDrawing = () => {};
    this.heartbeat = 0;
  }

  end() {
    this.abort.abort();
    this.stopDrawing();
    clearInterval(this.heartbeat);
    this.job?.forget();
  }
}

/** Wire the form; once. */
export function setUpSearch(onProblem) {
  ask = () => start().catch((error) => fail(error, onProblem));
  setUpEditor();
  byId("query-form").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  byId("query").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    ask();
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, select, textarea") !== null;
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === "Escape" && !byId("stop").disabled) stop();
    else if (event.key === "/" && isPlain && !isTyping && !byId("search").hidden) {
      event.preventDefault();
      byId("query").focus();
    }
  });
  byId("stop").addEventListener("click", stop);
  byId("presets").addEventListener("click", (event) => {
    if (event.target.dataset.start) setSpan(event.target.dataset.start, "now");
    zoomed = [];
  });
  for (const id of ["start", "end"]) {
    byId(id).addEventListener("input", () => {
      zoomed = [];
      markPreset();
    });
  }
  byId("wrap").addEventListener("change", () => byId("table").classList.toggle("wrap", byId("wrap").checked));
  byId("copy").addEventListener("click", () => copy().catch((error) => fail(error, onProblem)));
  const turn = (by) => turnTo(current.offset + by).catch((error) => fail(error, onProblem));
  byId("previous").addEventListener("click", () => turn(-PAGE_ROWS));
  byId("next").addEventListener("click", () => turn(PAGE_ROWS));
  window.addEventListener("pagehide", () => current?.end());
  markPreset();
}

/** Offer these search domains: `[{name, kind, events, oldest_event, newest_event}]`, or names alone. */
export function offerDomains(found) {
  const select = byId("repository");
  const chosen = select.value;
  domains = found;
  if (current === null) showWelcome(found, runNow);
  // An open list must not close under the reader's hand.
  if (document.activeElement === select && select.options.length > 0) return;
  select.replaceChildren(...found.map((domain) =>
    make("option", { value: domain.name }, domain.events === undefined
      ? domain.name : `${domain.name}  (${plural(domain.events, "event")})`)));
  if (found.some((domain) => domain.name === chosen)) select.value = chosen;
}

/** Put a query into the box, not yet run. */
export function showQuery(text, repository) {
  setQuery(text);
  if (domains.some((domain) => domain.name === repository)) byId("repository").value = repository;
  byId("query").focus();
}

function runNow(text) {
  setQuery(text);
  const newest = domains.find((found) => found.name === byId("repository").value)?.newest_event;
  // The span that stands there first would miss them all.
  if (newest && Date.parse(newest) < Date.now() - DAY_MS) setSpan("all", "now");
  ask();
}

/** Forget the job and what it showed. */
export function clearSearch() {
  current?.end();
  current = null;
  blank();
  setRunning(false);
}

async function start() {
  current?.end();
  const run = new Run(byId("repository").value);
  current = run;
  // What is there stays, dimmed, until the new answer takes its place: nothing jumps.
  setRunning(true);
  byId("status").textContent = "Starting";
  const [from, to] = spanAsked(run.repository);
  const request = {
    queryString: byId("query").value, start: from, end: to, isLive: false, timeZone: "UTC",
    showQueryEventDistribution: true,
  };
  run.job = await Job.start(run.repository, request, run.abort.signal);
  const answer = await finished(run);
  if (run !== current) return;
  setRunning(false);
  await show(run, answer);
  run.heartbeat = setInterval(() => run.job.poll({ onlyHeartbeat: "true" }).catch(() => {}), HEARTBEAT_MS);
}

async function finished(run) {
  for (;;) {
    const answer = await run.job.poll({ paginationLimit: PAGE_ROWS }, run.abort.signal);
    if (answer.done || answer.cancelled) return answer;
    const { workDone, totalWork, timeMillis, pollAfter } = answer.metaData;
    byId("progress").value = totalWork > 0 ? workDone / totalWork : 0;
    byId("status").textContent = `Running, ${(timeMillis / 1000).toFixed(1)} s`;
    await pause(Math.min(pollAfter ?? 500, LONGEST_PAUSE_MS), run.abort.signal);
  }
}

async function show(run, answer) {
  const meta = answer.metaData;
  run.meta = meta;
  run.columns = columnsOf(answer.events, meta.fieldOrder);
  const span = `${instantText(meta.queryStart)} to ${instantText(meta.queryEnd)}`;
  byId("status").textContent =
    `${plural(meta.processedEvents, "event")} searched in ${countText(meta.timeMillis)} ms, ${span}`;
  byId("welcome").hidden = true;
  byId("notices").replaceChildren(...shortfalls(answer));
  showRows(run, answer.events);
  await showChart(run, answer);
}

function shortfalls(answer) {
  const found = [];
  const meta = answer.metaData;
  const warnings = answer.warnings?.map((warning) => warning.message) ?? meta.warnings;
  if (answer.cancelled) found.push(notice("error", "The job was cancelled: this is no result.", ...listed(warnings)));
  else if (warnings.length > 0) found.push(notice("warning", "The result may be incomplete.", ...listed(warnings)));
  if (!answer.cancelled && answer.done && meta.workDone < meta.totalWork) {
    const part = `${meta.workDone} of ${meta.totalWork} parts of the work are done.`;
    found.push(notice("warning", "Only a part was searched.", make("p", {}, part)));
  }
  if (meta.extraData.hasMoreEvents === "true") {
    const kept = `Only the newest ${countText(meta.eventCount)} events are here; more of them matched.`;
    found.push(notice("note", kept, make("p", {}, "Ask for more with tail(), or for a shorter time span.")));
  }
  return found;
}

function listed(texts) {
  return texts.length === 0 ? [] : [make("ul", {}, ...texts.map((text) => make("li", {}, text)))];
}

function showRows(run, rows) {
  const total = run.meta.resultBufferSize;
  const noun = run.meta.isAggregate ? "row" : "event";
  byId("results").hidden = false;
  byId("count").textContent = plural(total, noun);
  byId("copy").disabled = total === 0;
  const last = Math.min(total, run.offset + rows.length);
  byId("page-label").textContent = total > PAGE_ROWS ? `${run.offset + 1}–${last}` : "";
  byId("previous").hidden = byId("next").hidden = total <= PAGE_ROWS;
  byId("previous").disabled = run.offset === 0;
  byId("next").disabled = last >= total;
  byId("table").scrollTop = 0;
  byId("table").replaceChildren(rows.length > 0
    ? tableOf(rows, run.columns, { sort: run.sort, onSort: (field) => sortBy(run, field) })
    : make("p", { class: "empty muted" }, emptyText(run)));
}

function emptyText(run) {
  const domain = domains.find((found) => found.name === run.repository);
  if (domain?.events === 0) return `Nothing matched: ${run.repository} holds no events yet.`;
  const newest = domain?.newest_event;
  const hint = newest ? ` The newest event of ${run.repository} is of ${instantText(newest)}.` : "";
  return `Nothing matched in this time span.${hint}`;
}

async function showChart(run, answer) {
  const isTimed = run.meta.isAggregate && run.columns.includes("_bucket");
  let data = null;
  if (isTimed) {
    const rows = run.meta.resultBufferSize <= answer.events.length ? answer.events
      : (await run.job.poll({ paginationLimit: CHART_ROWS }, run.abort.signal)).events;
    data = seriesOf(rows, run.columns, boundsOf(run.meta.extraData));
  } else if (!run.meta.isAggregate) {
    const { events: counts = [], extraData = {} } = answer.queryEventDistribution ?? {};
    const isEmpty = counts.every((row) => row._count === "0");
    data = isEmpty ? null : seriesOf(counts, ["_bucket", "_count"], boundsOf(extraData));
  }
  if (run !== current) return;
  byId("chart").hidden = data === null;
  if (data === null) return;
  const look = isTimed ? { title: "Values over time", height: 240 } : { title: "Events over time", height: 110 };
  const back = zoomed.length > 0 ? zoomOut : null;
  run.stopDrawing = drawChart(byId("chart"), data, { ...look, onZoom: zoomTo, onBack: back });
}

/** Return the buckets of the whole window, `{first, last, span}` in ms, or null where they are not told. */
function boundsOf(extra) {
  const [first, last, span] = ["first_bucket", "last_bucket", "span_millis"].map((name) => Number(extra[`bucket_${name}`]));
  return span > 0 ? { first, last, span } : null;
}

function zoomTo(from, to) {
  zoomed.push([byId("start").value, byId("end").value]);
  setSpan(...[from, to].map((ms) => instantText(ms, { withMillis: ms % 1000 !== 0 })));
  ask();
}

function zoomOut() {
  setSpan(...zoomed.pop());
  ask();
}

async function turnTo(offset, run = current) {
  const parameters = { paginationOffset: Math.max(0, offset), paginationLimit: PAGE_ROWS };
  if (run.sort.field) {
    parameters.sortBy = run.sort.field;
    parameters.sortOrder = run.sort.descending ? "desc" : "asc";
  }
  const answer = await run.job.poll(parameters, run.abort.signal);
  if (run !== current) return;
  run.offset = parameters.paginationOffset;
  // A later page may hold fields that no earlier one had.
  run.columns = columnsOf(answer.events, run.meta.fieldOrder ?? run.columns);
  showRows(run, answer.events);
}

function sortBy(run, field) {
  const descending = run.sort.field === field ? !run.sort.descending : false;
  run.sort = { field, descending };
  turnTo(0, run).catch((error) => fail(error, () => false));
}

async function copy() {
  const text = await current.job.csv(current.columns);
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else copyOldWay(text);
  byId("status").textContent = `${plural(current.meta.resultBufferSize, "row")} copied as CSV`;
}

/** Copy where the page is served without TLS from another machine: no clipboard object there. */
function copyOldWay(text) {
  const area = make("textarea", { class: "visually-hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function stop() {
  current?.end();
  current = null;
  setRunning(false);
  blank();
  byId("status").textContent = "Stopped";
}

function fail(error, onProblem) {
  if (error.name === "AbortError") return;
  setRunning(false);
  blank();
  if (onProblem(error)) return;
  const isQuery = error instanceof Failed && error.status === 400;
  byId("notices").replaceChildren(isQuery ? refusal(error.message) : notice("error", headline(error), body(error)));
}

/** Show a refused query as the server words it: a sentence, then a fence with a caret under its line. */
function refusal(text) {
  const [message, excerpt = ""] = text.split("\n```\n");
  const marked = excerpt.replace(/\n?```$/, "");
  const rest = marked.trim() ? [make("pre", { tabindex: 0 }, marked)] : [];
  return notice("error", message, ...rest);
}

function headline(error) {
  if (!(error instanceof Failed)) return "The page failed";
  if (error.status === 404) return "The server does not have this";
  return error.status === 0 ? "No answer" : `The server answered with status ${error.status}`;
}

function body(error) {
  return make("p", {}, error.message.slice(0, 2_000));
}

function blank() {
  byId("status").textContent = "";
  byId("welcome").hidden = current !== null;
  byId("notices").replaceChildren();
  byId("chart").hidden = true;
  byId("results").hidden = true;
  byId("progress").value = 0;
}

function setRunning(isRunning) {
  byId("stop").disabled = !isRunning;
  byId("progress").hidden = !isRunning;
  byId("output").setAttribute("aria-busy", String(isRunning));
  // The job of what is still shown is gone: nothing of it can be turned or sorted.
  byId("output").inert = isRunning;
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    });
  });
}

function setSpan(from, to) {
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
function spanAsked(repository) {
  const from = byId("start").value.trim();
  if (from !== "all") return [timeAsked(from), timeAsked(byId("end").value.trim() || "now")];
  // All there is: the end is exclusive, so one ms behind the newest event.
  const domain = domains.find((found) => found.name === repository);
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
