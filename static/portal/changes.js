// What a form sends: only what its user changed, and as `was` the values shown when it was opened. The server then
// refuses what another user has changed meanwhile, instead of undoing it.
/**
 * @param {unknown} one
 * @param {unknown} other
 */
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// `read` is the server's data, `before` and `after` are the form's values, untouched and current; all by
// the names of fields. null when nothing was changed.
/**
 * @param {object} read
 * @param {object} before
 * @param {object} after
 */
export function changes(read, before, after) {
  const old = new Map(Object.entries(before));
  const names = Object.entries(after).flatMap(([name, value]) => (same(old.get(name), value) ? [] : [name]));
  /** @param {object} fields */
  const of = (fields) => {
    const known = new Map(Object.entries(fields));
    return Object.fromEntries(names.map((name) => [name, known.get(name)]));
  };
  return names.length ? { new: of(after), was: of(read) } : null;
}

// Whether an error says that another user was faster: then the page behind the form is reloaded.
/** @param {Ui.Fault} error */
export const isOutrun = (error) => error.code === "changed-meanwhile";
