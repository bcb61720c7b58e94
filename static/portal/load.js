// Reading from the server with a state that a page can draw: the last data stays while the next is loading.
import { get } from "./api.js";
import { useCallback, useEffect, useRef, useState } from "./lib.js";

// What was thrown: an ApiError, what a page found wrong, or a fault of the page itself.
/** @param {unknown} error */
const asFault = (error) => /** @type {Ui.Fault} */ (error);

/**
 * @template {keyof Api.Got} P
 * @param {P | null} path
 * @param {Ui.Asked} [query]
 * @param {{ every?: number }} [options] `every`: seconds between two readings
 * @returns {Ui.Load<Api.Got[P]>}
 */
export function useLoad(path, query = {}, { every = 0 } = {}) {
  const [state, setState] = useState(/** @type {Omit<Ui.Load<Api.Got[P]>, "reload">} */ ({ data: null, error: null, loading: true }));
  const key = path === null ? null : JSON.stringify([path, query]);
  const newest = useRef(0);
  const load = useCallback(async () => {
    if (path === null) return;
    const mine = ++newest.current;
    setState((before) => ({ ...before, loading: true }));
    try {
      const data = await get(path, query);
      if (mine === newest.current) setState({ data, error: null, loading: false });
    } catch (error) {
      if (mine === newest.current) setState((before) => ({ ...before, error: asFault(error), loading: false }));
    }
  }, [key]);
  useEffect(() => {
    load();
    if (!every) return undefined;
    const timer = setInterval(() => document.hidden || load(), every * 1000);
    return () => clearInterval(timer);
  }, [load, every]);
  return { ...state, reload: load };
}

// A list that is searched, sorted and paged on the server.
/**
 * @template {keyof Api.Got} P
 * @param {P} path
 * @param {{ size?: number, sort?: string, order?: "asc" | "desc", fixed?: Ui.Asked, q?: string, filters?: Ui.Asked, every?: number }} [options]
 * @returns {Ui.List<Api.Got[P]>}
 */
export function useList(path, { size = 25, sort = "", order = "asc", fixed = {}, q = "", filters: first = {}, every = 0 } = {}) {
  const [asked, setAsked] = useState(/** @type {Ui.Sorting} */ ({ q, sort, order, page: 1 }));
  const [filters, setFilters] = useState(first);
  const query = { ...fixed, ...filters, ...asked, order: asked.sort && asked.order, size };
  const found = useLoad(path, query, { every });
  return {
    ...found,
    asked,
    filters,
    size,
    query,
    search: (q) => setAsked((before) => ({ ...before, q, page: 1 })),
    filter: (changes) => {
      setFilters((before) => ({ ...before, ...changes }));
      setAsked((b) => ({ ...b, page: 1 }));
    },
    sortBy: (column) =>
      setAsked((before) => ({
        ...before,
        page: 1,
        sort: column,
        order: before.sort === column && before.order === "asc" ? "desc" : "asc",
      })),
    turn: (page) => setAsked((before) => ({ ...before, page })),
  };
}

// An action of the user: `run` shows that it is in progress, and keeps the error.
/** @returns {Ui.Action} */
export function useAction() {
  const [state, setState] = useState(/** @type {{ busy: boolean, error: Ui.Fault | null }} */ ({ busy: false, error: null }));
  /** @type {Ui.Action["run"]} */
  const perform = async (work) => {
    setState({ busy: true, error: null });
    try {
      const result = await work();
      setState({ busy: false, error: null });
      return { ok: true, result };
    } catch (thrown) {
      const error = asFault(thrown);
      if (error.code === undefined) console.error(error);
      setState({ busy: false, error });
      return { ok: false, error };
    }
  };
  const run = useCallback(perform, []);
  return { ...state, run, clear: () => setState({ busy: false, error: null }) };
}
