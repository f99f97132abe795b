// The sandbox's public API, spoken with the token that was typed. The token is kept in this tab's
// session storage and travels in the Authorization header, never in an address.

const KEY = "sandbox-token";
const SEARCH_KEY = "sandbox-search";

/** An answer that is not what was asked for: `status` 0 is none at all. */
export class Failed extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (text) => sessionStorage.setItem(KEY, text),
  forget: () => sessionStorage.clear(),
};

/** What was searched last in this tab, `{query, repository, start, end}`, for when it is loaded again. */
export const lastSearch = {
  get: () => JSON.parse(sessionStorage.getItem(SEARCH_KEY) ?? "null"),
  set: (search) => sessionStorage.setItem(SEARCH_KEY, JSON.stringify(search)),
};

async function call(method, path, { body, signal, keepalive = false } = {}) {
  const headers = { Authorization: `Bearer ${token.get() ?? ""}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      keepalive,
      cache: "no-store",
      credentials: "omit",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failed(0, "The sandbox does not answer. Is it still running?");
  }
  if (!answer.ok) throw new Failed(answer.status, await answer.text());
  return answer;
}

async function json(method, path, rest) {
  const answer = await call(method, path, rest);
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failed(answer.status, "The answer is not JSON.");
  }
}

const jobsOf = (repository) =>
  `/api/v1/repositories/${encodeURIComponent(repository)}/queryjobs`;

/** Return the object that `GET /_sandbox/overview` answers; 403 without the right ADMIN. */
export function overview() {
  return json("GET", "/_sandbox/overview");
}

/** Return the names that this token may search. */
export async function domainNames() {
  const answer = await json("POST", "/graphql", { body: { query: "{ searchDomains { name } }" } });
  return (answer.data?.searchDomains ?? []).map((domain) => domain.name);
}

/** Return the linter's problems with a query: `[{level, message, help, line, column, start, end, fix}]`. */
export async function check(text) {
  return (await json("POST", "/_sandbox/check", { body: { queryString: text } })).problems;
}

/** A query job on the server. */
export class Job {
  constructor(repository, id) {
    this.path = `${jobsOf(repository)}/${encodeURIComponent(id)}`;
  }

  /** Start one; `request` is the body of the query job API. */
  static async start(repository, request, signal) {
    const started = await json("POST", jobsOf(repository), { body: request, signal });
    return new Job(repository, started.id);
  }

  poll(parameters, signal) {
    return json("GET", `${this.path}?${new URLSearchParams(parameters)}`, { signal });
  }

  /** Return every row that the job holds, as CSV. */
  async csv(fields) {
    const parameters = { mimeType: "text/csv", fieldsToExport: fields.join(",") };
    return (await call("GET", `${this.path}?${new URLSearchParams(parameters)}`)).text();
  }

  /** Stop and forget it. A job that is gone already is no failure, nor is a page that closes. */
  async forget() {
    await call("DELETE", this.path, { keepalive: true }).catch(() => {});
  }
}
