// Addresses of pages: everything after the # of the URL, such as #/statistics.html?code=216998-1.
import { useEffect, useState } from "./lib.js";

/** @returns {{ name: string, query: Ui.Query }} */
export function readRoute() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const name = path.replace(/\.html$/, "") || "index";
  return { name, query: Object.fromEntries(new URLSearchParams(query)) };
}

/**
 * @param {string} name
 * @param {Ui.Asked} [query]
 */
export function link(name, query = {}) {
  const given = Object.entries(query).flatMap(([key, value]) => (value === null || value === undefined || value === "" ? [] : [[key, String(value)]]));
  const text = new URLSearchParams(given).toString();
  return `#/${name}.html${text ? `?${text}` : ""}`;
}

/**
 * @param {string} name
 * @param {Ui.Asked} [query]
 */
export function go(name, query) {
  location.hash = link(name, query);
}

// Change what the page shows without a new entry in the browser's history.
/** @param {Ui.Asked} query */
export function replaceQuery(query) {
  history.replaceState(null, "", link(readRoute().name, query));
  window.dispatchEvent(new Event("hashchange"));
}

export function useRoute() {
  const [route, setRoute] = useState(readRoute);
  useEffect(() => {
    const changed = () => setRoute(readRoute());
    window.addEventListener("hashchange", changed);
    changed(); // the address may have changed since the first drawing
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  return route;
}

// A one-time code in the address that the server printed: `setup` or `sign-in`; taken out of it, so that no history or
// screenshot keeps it.
/** @param {"setup" | "sign-in"} kind */
export function takeCode(kind) {
  const { name, query } = readRoute();
  if (!(kind in query)) return "";
  const { [kind]: code, ...rest } = query;
  history.replaceState(null, "", link(name, rest));
  return code ?? "";
}

// Whether a text is a day such as 2026-11-25, of 1970 or later.
/** @param {string} text */
export function isDay(text) {
  const at = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : -1;
  return at >= 0 && new Date(at).toISOString().startsWith(text);
}
