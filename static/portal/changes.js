// What a form sends: only what its user changed, and as `was` what stood there when the form was opened. The server then
// refuses what another has changed meanwhile, instead of undoing it.
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// `read` is what the server said, `before` and `after` are what the form makes of it, untouched and as it stands; all by
// the names of fields. null when nothing was changed.
export function changes(read, before, after) {
  const names = Object.keys(after).filter((name) => !same(before[name], after[name]));
  const of = (fields) => Object.fromEntries(names.map((name) => [name, fields[name]]));
  return names.length ? { new: of(after), was: of(read) } : null;
}

// Whether an error says that another was faster: then the page behind the form is loaded anew.
export const isOutrun = (error) => error.code === "changed-meanwhile";
