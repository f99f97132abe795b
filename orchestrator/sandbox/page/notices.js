// What a search box says besides its rows: why a result is none, or less than it looks.

import { Failed } from "./api.js";
import { countText, make, notice } from "./dom.js";

/** Return a notice for each way in which the answer falls short. */
export function shortfalls(answer) {
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

/** Return the notice of a search that failed. */
export function failure(error) {
  const isQuery = error instanceof Failed && error.status === 400;
  return isQuery ? refusal(error.message) : notice("error", headline(error), body(error));
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
