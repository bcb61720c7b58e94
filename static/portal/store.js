// Small values that outlive a page: kept in the browser where it allows that, else for this visit only.
const held = new Map();

export function remember(name, value) {
  held.set(name, value);
  try {
    localStorage.setItem(`lts-${name}`, value);
  } catch {
    // blocked or full: the value holds until the page is closed
  }
}

export function recall(name) {
  if (held.has(name)) return held.get(name);
  try {
    return localStorage.getItem(`lts-${name}`);
  } catch {
    return null;
  }
}
