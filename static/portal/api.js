// Calls to the administrators' API. A session that has ended does not lose a call: it waits until somebody signed in.
/** @typedef {{ query?: Ui.Asked, body?: object, file?: ArrayBuffer }} Sent */
import { hasWords, t } from "./i18n.js";

const BASE = "../api/v1/admin";
/** @type {Record<number, string>} */
const OF_PROXY = { 413: "proxy-limit", 502: "proxy-alone", 503: "proxy-alone", 504: "proxy-alone" };
let csrf = "sign-in";
let visit = new AbortController();
/** @type {((code: string) => Promise<void>) | null} */
let signInAgain = null;

export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {{ code?: string, detail?: string, field?: string | null, requestId?: string | null }} problem
   */
  constructor(status, problem) {
    super(problem.detail || `HTTP ${status}`);
    this.status = status;
    this.code = String(problem.code ?? "http");
    this.field = problem.field ?? null;
    this.requestId = problem.requestId ?? null;
  }

  // One sentence in the reader's language; the server's own where this page has none, or within it for what it names.
  get sentence() {
    const key = `error.${this.code}`;
    return hasWords(key) ? t(key, { detail: this.message }) : this.message;
  }
}

// `handler` asks the user to sign in and resolves once that is done.
/** @param {(code: string) => Promise<void>} handler */
export function onSignedOut(handler) {
  signInAgain = handler;
}

/**
 * @param {string} path
 * @param {Ui.Asked} [query]
 */
export function address(path, query = {}) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") params.append(name, String(one));
    }
  }
  const text = params.toString();
  return BASE + path + (text ? `?${text}` : "");
}

// Every refusal of the server is JSON; this one was made by something in front of it.
/** @param {number} status */
function notOurs(status) {
  const code = OF_PROXY[status] ?? "not-json";
  return new ApiError(status, { code, detail: t(`error.${code}`) });
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Sent} [sent]
 */
async function send(method, path, { query, body, file } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (method !== "GET") headers["X-LTS-CSRF"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const signal = method === "GET" ? visit.signal : undefined;
  let answer, text;
  try {
    answer = await fetch(address(path, query), {
      method,
      headers,
      body: file ?? (body === undefined ? undefined : JSON.stringify(body)),
      credentials: "same-origin",
      signal,
    });
    text = await answer.text();
  } catch {
    if (signal?.aborted) return new Promise(() => {}); // the caller has signed out, and no longer waits
    throw new ApiError(0, { code: "unreachable", detail: t("error.unreachable") });
  }
  let found = null;
  try {
    found = text ? JSON.parse(text) : null;
  } catch {
    throw notOurs(answer.status);
  }
  if (!answer.ok) throw found ? new ApiError(answer.status, found) : notOurs(answer.status);
  if (found && typeof found.csrf === "string") csrf = found.csrf;
  return found;
}

const OPEN = new Set(["/session", "/setup", "/sign-in-link"]);

/**
 * @param {string} method
 * @param {string} path
 * @param {Sent} [sent]
 */
async function call(method, path, sent) {
  try {
    return await send(method, path, sent);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401 || OPEN.has(path) || !signInAgain) throw error;
    await signInAgain(error.code);
    return send(method, path, sent);
  }
}

/**
 * @template {keyof Api.Got} P
 * @param {P} path
 * @param {Ui.Asked} [query]
 * @returns {Promise<Api.Got[P]>}
 */
export const get = (path, query) => call("GET", path, { query });
/**
 * @template {keyof Api.Posted} P
 * @param {P} path
 * @param {object} body
 * @param {Ui.Asked} [query]
 * @returns {Promise<Api.Posted[P]>}
 */
export const post = (path, body, query) => call("POST", path, { body, query });
/**
 * @param {string} path
 * @param {object} body
 * @returns {Promise<unknown>}
 */
export const put = (path, body) => call("PUT", path, { body });
/**
 * @param {string} path
 * @param {object} body
 * @returns {Promise<unknown>}
 */
export const patch = (path, body) => call("PATCH", path, { body });
/**
 * @param {string} path
 * @returns {Promise<unknown>}
 */
export const remove = (path) => call("DELETE", path);
/**
 * @param {string} path
 * @param {ArrayBuffer} file
 * @param {Ui.Asked} [query]
 * @returns {Promise<Api.Preview>}
 */
export const upload = (path, file, query) => call("POST", path, { file, query });

/** @returns {Promise<Api.Session>} */
export const session = () => send("GET", "/session");
/**
 * @param {string} user
 * @param {string} password
 * @returns {Promise<Api.Account>}
 */
export function signIn(user, password) {
  csrf = "sign-in";
  return send("POST", "/session", { body: { user, password } });
}
/**
 * @param {string} code
 * @returns {Promise<Api.Account>}
 */
export function useLink(code) {
  csrf = "sign-in";
  return send("POST", "/sign-in-link", { body: { code } });
}
/**
 * @param {string} code
 * @param {string} password
 * @returns {Promise<Api.Account>}
 */
export function setUp(code, password) {
  csrf = "sign-in";
  return send("POST", "/setup", { body: { code, password } });
}
// What is still being read would be refused, and ask to sign in again.
export async function signOut() {
  visit.abort();
  try {
    return await send("DELETE", "/session");
  } finally {
    visit = new AbortController();
  }
}
