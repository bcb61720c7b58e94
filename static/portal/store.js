// Small values that outlive a page: stored in the browser if it allows that, else kept for this visit only.
/** @type {Map<string, string>} */
const held = new Map();

/**
 * @param {string} name
 * @param {string} value
 */
export function remember(name, value) {
  held.set(name, value);
  try {
    localStorage.setItem(`lts-${name}`, value);
  } catch {
    // blocked or full: the value is kept until the page is closed
  }
}

/** @param {string} name */
export function recall(name) {
  const here = held.get(name);
  if (here !== undefined) return here;
  try {
    return localStorage.getItem(`lts-${name}`);
  } catch {
    return null;
  }
}
