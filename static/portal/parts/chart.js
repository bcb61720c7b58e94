// The only file that uses Chart.js, loaded when a page first draws a chart. Screen readers cannot read a canvas, so
// every chart has a label and its figures in a table next to it.
/**
 * @typedef {{ type: string, data: object, options: Record<string, unknown> }} Config
 * @typedef {{ destroy: () => void }} Drawing
 * @typedef {{
 *   new (canvas: HTMLCanvasElement, config: Config): Drawing,
 *   defaults: { color: string, borderColor: string, animation: boolean, font: { family: string } }
 * }} ChartLibrary
 */
import { html, useEffect, useRef, useState } from "../lib.js";
import { number } from "../i18n.js";

/** @type {Promise<ChartLibrary | void> | null} */
let loading = null;
let failures = 0;
// A browser keeps a module's failure under its address (HTML, "fetch a single module script"), hence another one.
function library() {
  const again = failures ? `?again=${failures}` : "";
  loading ??= import(`../../vendor/chart.js-4.6.1/chart.js${again}`).then(
    () => /** @type {{ Chart?: ChartLibrary }} */ (globalThis).Chart,
    () => {
      loading = null;
      failures += 1;
    },
  );
  return loading;
}

export const SERIES = 8;
// The color of the n-th type, as a class of the style sheet and as a value for the canvas.
/** @param {number} index */
export const colorClass = (index) => `series-${index % SERIES}`;
/** @param {string} name */
const cssValue = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
/** @param {number} index */
export const color = (index) => cssValue(`--series-${index % SERIES}`);

function useTheme() {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const changed = () => setCount((n) => n + 1);
    window.addEventListener("lts-theme", changed);
    return () => window.removeEventListener("lts-theme", changed);
  }, []);
  return count;
}

/** @param {{ label: string, config: () => Config, height: number, onPick?: (index: number) => void }} props */
function Canvas({ label, config, height, onPick }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const chart = useRef(/** @type {Drawing | null} */ (null));
  const theme = useTheme();
  const pick = useRef(onPick);
  pick.current = onPick;
  useEffect(() => {
    let gone = false;
    library().then((Chart) => {
      if (gone || !Chart || !canvas.current) return; // without the library the table next to the chart has the figures
      Chart.defaults.color = cssValue("--ink-soft");
      Chart.defaults.borderColor = cssValue("--line");
      Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
      Chart.defaults.animation = false;
      const made = config();
      made.options.onClick = (/** @type {Event} */ _, /** @type {{ index: number }[]} */ hits) => hits.length && pick.current?.(hits[0].index);
      chart.current = new Chart(canvas.current, made);
    });
    return () => {
      gone = true;
      chart.current?.destroy();
      chart.current = null;
    };
  }, [config, theme]);
  return html`<div class="chart" style=${{ height: `${height}px` }}><canvas ref=${canvas} role="img" aria-label=${label}></canvas></div>`;
}

const tooltip = {
  callbacks: {
    label: (/** @type {{ dataset: { label?: string }, label: string, raw: number }} */ item) => ` ${item.dataset.label ?? item.label}: ${number(item.raw)}`,
  },
};

// `parts`: [[name, units]] in the order of their colors.
/** @param {{ label: string, parts: [string, number][] }} props */
export function Doughnut({ label, parts }) {
  const key = JSON.stringify(parts);
  const config = useConfig(
    () => ({
      type: "doughnut",
      data: {
        labels: parts.map(([name]) => name),
        datasets: [{ data: parts.map(([, units]) => units), backgroundColor: parts.map((_, i) => color(i)), borderColor: cssValue("--card"), borderWidth: 2 }],
      },
      options: { cutout: "68%", maintainAspectRatio: false, plugins: { legend: { display: false }, tooltip } },
    }),
    key,
  );
  return html`<${Canvas} label=${label} config=${config} height=${150} />`;
}

// Bars over `labels`, one set of bars per series; `line` draws lines instead.
/** @param {{ label: string, labels: string[], series: Ui.Part[], line?: boolean, height?: number, onPick?: (index: number) => void }} props */
export function Trend({ label, labels, series, line = false, height = 260, onPick }) {
  const key = JSON.stringify([labels, series, line]);
  const config = useConfig(
    () => ({
      type: line ? "line" : "bar",
      data: {
        labels,
        datasets: series.map(({ name, values, index }) => ({
          label: name,
          data: values,
          backgroundColor: color(index),
          borderColor: color(index),
          borderWidth: line ? 2 : 0,
          pointRadius: 0,
          pointHitRadius: 12,
          maxBarThickness: 36,
          borderRadius: 2,
        })),
      },
      options: {
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        scales: {
          x: { stacked: !line, grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 16 } },
          y: { stacked: !line, beginAtZero: true, ticks: { precision: 0, callback: (/** @type {number} */ value) => number(value) } },
        },
        plugins: { legend: { display: false }, tooltip },
      },
    }),
    key,
  );
  return html`<${Canvas} label=${label} config=${config} height=${height} onPick=${onPick} />`;
}

// The same function as long as what it draws is the same, so that a chart is not redrawn needlessly.
/**
 * @param {() => Config} make
 * @param {string} key
 */
function useConfig(make, key) {
  const held = useRef({ key, make });
  if (held.current.key !== key) held.current = { key, make };
  return held.current.make;
}
