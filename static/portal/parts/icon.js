// Our own line icons, 24 × 24; always next to a text or a label, hence hidden from screen readers.
import { html } from "../lib.js";

/** @type {Record<string, string>} */
const PATHS = {
  home: "M4 11l8-7 8 7M6 9.5V20h12V9.5M10 20v-6h4v6",
  items: "M5 3h10l4 4v14H5zM15 3v4h4M9 12h6M9 16h6",
  codes: "M8 12a4 4 0 108 0 4 4 0 10-8 0M12 2v3M12 19v3M2 12h3M19 12h3",
  key: "M4 15a4 4 0 108 0 4 4 0 10-8 0M11 12.5L20 4M17 7l2.5 2.5M14 9.5l2 2",
  statistics: "M4 20h16M6 20v-7M11 20V6M16 20v-10",
  devices: "M3 5h12v9H3zM7 18h4M9 14v4M17 9h4v10h-4z",
  alerts: "M6 17V11a6 6 0 0112 0v6l2 2H4zM10 21h4",
  standby: "M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01M12 7h5M12 17h5",
  security: "M12 3l8 3v6c0 4.5-3.2 7.8-8 9-4.8-1.2-8-4.5-8-9V6zM9 12l2 2 4-4",
  audit: "M6 3h12v18H6zM9 8h6M9 12h6M9 16h3",
  why: "M12 21a9 9 0 110-18 9 9 0 010 18zM9.5 9.5a2.5 2.5 0 114 2c-1 .8-1.5 1.2-1.5 2.5M12 17h.01",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  check: "M5 12l5 5 9-11",
  close: "M6 6l12 12M18 6L6 18",
  menu: "M4 6h16M4 12h16M4 18h16",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  grip: "M9 6h.01M9 12h.01M9 18h.01M15 6h.01M15 12h.01M15 18h.01",
  star: "M12 3l2.7 5.8 6.3.8-4.6 4.3 1.2 6.2L12 17l-5.6 3.1 1.2-6.2L3 9.6l6.3-.8z",
  download: "M12 4v11M7 11l5 5 5-5M4 20h16",
  upload: "M12 16V5M7 9l5-5 5 5M4 20h16",
  search: "M10.5 17a6.5 6.5 0 110-13 6.5 6.5 0 010 13zM15.5 15.5L21 21",
  plus: "M12 5v14M5 12h14",
  edit: "M4 20l1-5L16 4l4 4L9 19zM14 6l4 4",
  remove: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  chevron: "M9 6l6 6-6 6",
  sort: "M8 9l4-4 4 4M8 15l4 4 4-4",
  user: "M12 12a4 4 0 100-8 4 4 0 000 8zM4 21c.8-4 4-6 8-6s7.2 2 8 6",
  out: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  sun: "M12 17a5 5 0 100-10 5 5 0 000 10zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5L19 19M5 19l1.5-1.5M17.5 6.5L19 5",
  moon: "M20 14.5A8 8 0 019.500 4 8 8 0 1020 14.500z",
  auto: "M12 21a9 9 0 110-18 9 9 0 010 18zM12 3v18M12 7h6M12 12h9M12 17h6",
  globe: "M12 21a9 9 0 110-18 9 9 0 010 18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
  error: "M12 21a9 9 0 110-18 9 9 0 010 18zM12 7v6M12 16.500h.01",
  warning: "M12 4l9 16H3zM12 10v5M12 17.500h.01",
  hint: "M12 21a9 9 0 110-18 9 9 0 010 18zM12 11v6M12 7.500h.01",
  refresh: "M20 6v5h-5M4 18v-5h5M6 9a7 7 0 0112-2l2 4M18 15a7 7 0 01-12 2l-2-4",
  archive: "M4 4h16v5H4zM5.500 9v11h13V9M10 13h4",
  link: "M10 14a4 4 0 005.700 0l3-3a4 4 0 00-5.700-5.700l-1 1M14 10a4 4 0 00-5.700 0l-3 3a4 4 0 005.700 5.700l1-1",
};

/** @param {{ name: string, filled?: boolean }} props */
export function Icon({ name, filled = false }) {
  return html`<svg class=${`icon${filled ? " icon-filled" : ""}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${PATHS[name]} /></svg>`;
}

// The product's mark, the same as the browser's tab shows; its name is always next to it.
const MARK = new URL("../icon.svg", import.meta.url).href;
export const Brand = () => html`<img class="brand-mark" src=${MARK} alt="" />`;
