// The search box: one query job at a time, from its start to its last page.

import { Job, lastSearch } from "./api.js";
import { drawChart, seriesOf } from "./chart.js";
import { byId, countText, instantText, make, plural } from "./dom.js";
import { setQuery, setUpEditor } from "./editor.js";
import { failure, shortfalls } from "./notices.js";
import { columnsOf, tableOf } from "./results.js";
import { isZoomed, setSpan, setUpSpan, spanAsked, zoomOut, zoomTo } from "./spans.js";
import { showWelcome } from "./welcome.js";

const PAGE_ROWS = 200;
const CHART_ROWS = 10_000;
const LONGEST_PAUSE_MS = 2_000;
const LIVE_PAUSE_MS = 1_000;
const DAY_MS = 86_400_000;
// The server forgets a job that nobody polls for 90 seconds.
const HEARTBEAT_MS = 30_000;

let domains = [];
let current = null;
let ask = () => {};
// The repository to choose when the list is first filled.
let wanted = "";

/** What is on the screen: a job, its answer, and which page of it in which order. */
class Run {
  constructor(repository, { isLive }) {
    this.repository = repository;
    this.isLive = isLive;
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
  setUpSpan();
  const last = lastSearch.get();
  if (last !== null) {
    setSpan(last.start, last.end);
    setQuery(last.query);
    wanted = last.repository;
  }
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
  byId("wrap").addEventListener("change", () => byId("table").classList.toggle("wrap", byId("wrap").checked));
  byId("copy").addEventListener("click", () => copy().catch((error) => fail(error, onProblem)));
  const turn = (by) => turnTo(current.offset + by).catch((error) => fail(error, onProblem));
  byId("previous").addEventListener("click", () => turn(-PAGE_ROWS));
  byId("next").addEventListener("click", () => turn(PAGE_ROWS));
  window.addEventListener("pagehide", () => current?.end());
}

/** Offer these search domains: `[{name, kind, events, oldest_event, newest_event}]`, or names alone. */
export function offerDomains(found) {
  const select = byId("repository");
  const chosen = select.value || wanted;
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

function domainOf(name) {
  return domains.find((found) => found.name === name);
}

function runNow(text) {
  setQuery(text);
  const newest = domainOf(byId("repository").value)?.newest_event;
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
  const run = new Run(byId("repository").value, { isLive: byId("live").checked });
  current = run;
  // What is there stays, dimmed, until the new answer takes its place: nothing jumps.
  setRunning(true);
  byId("status").textContent = "Starting";
  const asked = { query: byId("query").value, repository: run.repository };
  lastSearch.set({ ...asked, start: byId("start").value, end: byId("end").value });
  const [from, to] = spanAsked(domainOf(run.repository));
  const request = {
    queryString: byId("query").value, start: from, end: to, isLive: run.isLive, timeZone: "UTC",
    showQueryEventDistribution: true,
  };
  run.job = await Job.start(run.repository, request, run.abort.signal);
  const answer = await finished(run);
  if (run !== current) return;
  setRunning(false);
  await show(run, answer);
  if (run.isLive) await follow(run, answer);
  if (run === current) keepAlive(run);
}

function keepAlive(run) {
  run.heartbeat = setInterval(() => run.job.poll({ onlyHeartbeat: "true" }).catch(() => {}), HEARTBEAT_MS);
}

/** Show what a live job finds as events come in, until it is stopped. */
async function follow(run, answer) {
  byId("stop").disabled = false;
  while (run.isLive && !answer.cancelled) {
    await pause(Math.max(answer.metaData.pollAfter ?? 0, LIVE_PAUSE_MS), run.abort.signal);
    answer = await run.job.poll({ paginationLimit: PAGE_ROWS }, run.abort.signal);
    // What is being read, or is chosen in the chart, stays; the next answer is a whole one again.
    if (run === current && run.isLive && !isBeingRead(run)) await show(run, answer);
  }
}

function isBeingRead(run) {
  return run.offset > 0 || run.sort.field !== "" || byId("table").scrollTop > 0
    || byId("table").querySelector(".detail") !== null
    || byId("output").contains(document.activeElement) || byId("chart").matches(":active");
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
  run.columns = columnsOf(answer.events, meta.fieldOrder, run.columns);
  const span = `${instantText(meta.queryStart)} to ${instantText(meta.queryEnd)}`;
  byId("status").textContent =
    run.isLive ? `Live, ${plural(meta.processedEvents, "event")} searched, ${span}`
      : `${plural(meta.processedEvents, "event")} searched in ${countText(meta.timeMillis)} ms, ${span}`;
  byId("welcome").hidden = true;
  byId("notices").replaceChildren(...shortfalls(answer));
  showRows(run, answer.events);
  await showChart(run, answer);
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
  const domain = domainOf(run.repository);
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
  const then = (change) => (...rest) => {
    change(...rest);
    // A part of the past has nothing to wait for.
    byId("live").checked = false;
    ask();
  };
  run.stopDrawing();
  run.stopDrawing = drawChart(byId("chart"), data, {
    ...look, onZoom: then(zoomTo), onBack: isZoomed() ? then(zoomOut) : null,
  });
}

/** Return the buckets of the whole window, `{first, last, span}` in ms, or null where they are not told. */
function boundsOf(extra) {
  const [first, last, span] = ["first_bucket", "last_bucket", "span_millis"].map((name) => Number(extra[`bucket_${name}`]));
  return span > 0 ? { first, last, span } : null;
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
  run.columns = columnsOf(answer.events, run.meta.fieldOrder, run.columns);
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
  if (current?.isLive && current.meta !== null) {
    // What it found last stays, and can still be sorted and turned.
    current.isLive = false;
    byId("stop").disabled = true;
    byId("status").textContent = "Stopped; this is what was found last";
    return;
  }
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
  byId("notices").replaceChildren(failure(error));
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

