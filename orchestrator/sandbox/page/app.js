// The page: connect with a token, then two views, search and contents.

import { Failed, domainNames, overview, token } from "./api.js";
import { showContents, showForbidden } from "./contents.js";
import { byId, notice } from "./dom.js";
import { clearSearch, offerDomains, setUpSearch, showQuery } from "./search.js";

const REFRESH_MS = 5_000;
let shown = "";
let isConnected = false;

function setConnected(is, problem = "") {
  isConnected = is;
  byId("sign-in").hidden = is;
  byId("views").hidden = !is;
  byId("forget").hidden = !is;
  byId("sign-in-problem").hidden = !problem;
  byId("sign-in-problem").textContent = problem;
  if (is) showView();
  else {
    byId("search").hidden = byId("contents").hidden = true;
    byId("version").textContent = "";
    byId("token").focus();
  }
}

function showView() {
  const view = location.hash === "#/contents" ? "contents" : "search";
  for (const name of ["search", "contents"]) byId(name).hidden = name !== view;
  for (const link of byId("views").children) {
    const isHere = link.hash === `#/${view}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function disconnect(problem = "") {
  token.forget();
  shown = "";
  clearSearch();
  byId("contents").replaceChildren();
  setConnected(false, problem);
}

/** Return whether the failure was one of the token's: then the page asks for another. */
function isTokenProblem(error) {
  if (!(error instanceof Failed) || error.status !== 401) return false;
  disconnect(`${error.message}.`);
  return true;
}

function openQuery(text, domain) {
  location.hash = "#/search";
  showView();
  showQuery(text, domain);
}

async function refresh() {
  let found;
  try {
    found = await overview();
  } catch (error) {
    if (!(error instanceof Failed) || error.status !== 403) throw error;
    offerDomains((await domainNames()).map((name) => ({ name })));
    showForbidden(byId("contents"));
    return;
  }
  byId("version").textContent = `speaks LogScale ${found.version.split("-")[0]}`;
  // The clock alone is no change: an open selection must survive the refresh.
  const text = JSON.stringify({ ...found, now: null });
  if (text === shown) return;
  shown = text;
  offerDomains(found.domains);
  showContents(byId("contents"), found, openQuery);
}

async function connect() {
  try {
    await refresh();
    if (!isConnected) setConnected(true);
  } catch (error) {
    if (isTokenProblem(error)) return;
    if (isConnected) byId("contents").replaceChildren(notice("error", error.message));
    else setConnected(false, error.message);
    shown = "";
  }
}

byId("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token.set(byId("token").value.trim());
  byId("token").value = "";
  connect();
});
byId("forget").addEventListener("click", () => disconnect());
window.addEventListener("hashchange", () => {
  if (!isConnected) return;
  showView();
  connect();
});
setInterval(() => {
  if (isConnected && !document.hidden) connect();
}, REFRESH_MS);

setUpSearch(isTokenProblem);
if (token.get()) connect();
else setConnected(false);
