// The view library in one place: everything else imports from here.
import { h, render, Fragment } from "../vendor/preact-10.29.8/preact.js";
import htm from "../vendor/htm-3.1.1/htm.js";

import { useState } from "../vendor/preact-10.29.8/hooks.js";

export { useCallback, useEffect, useLayoutEffect, useMemo, useRef } from "../vendor/preact-10.29.8/hooks.js";
export { useState };
export { render, Fragment };
export const html = htm.bind(h);

let ids = 0;
// An id that ties a label to its field.
export function useId() {
  const [id] = useState(() => `f${++ids}`);
  return id;
}
