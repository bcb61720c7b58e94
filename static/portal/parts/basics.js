// The small things that every page is made of.
import { html, useEffect, useId, useRef, useState } from "../lib.js";
import { hasWords, t, wordFor } from "../i18n.js";
import { Icon } from "./icon.js";

/** @param {{ icon?: string, kind?: string, busy?: boolean, label?: string, disabled?: boolean, children?: Ui.Drawn }} props */
export function Button({ icon, kind = "", busy = false, label, disabled, children, ...more }) {
  return html`<button type="button" class=${`button ${kind}`} aria-label=${label} title=${label} aria-busy=${busy || undefined}
    disabled=${busy || disabled} ...${more}>
    ${icon && html`<${Icon} name=${icon} />`}${children && html`<span>${children}</span>`}
  </button>`;
}

/** @param {{ kind?: string, children?: Ui.Drawn }} props */
export function Pill({ kind = "plain", children }) {
  return html`<span class=${`pill pill-${kind}`}>${children}</span>`;
}

/** @param {{ level?: Api.Notice["level"] | "done", children?: Ui.Drawn }} props */
export function Notice({ level = "hint", children }) {
  return html`<div class=${`notice notice-${level}`}><${Icon} name=${level === "done" ? "check" : level} /><div>${children}</div></div>`;
}

/** @param {{ error?: Ui.Fault | null, retry?: () => void }} props */
export function Fault({ error, retry }) {
  if (!error) return null;
  return html`<div class="notice notice-error" role="alert">
    <${Icon} name="error" />
    <div>
      ${error.sentence ?? t("error.page")}
      ${error.sentence && error.sentence !== error.message && error.status ? html`<div class="small" lang="en">${error.message}</div>` : null}
      ${error.requestId && (error.status ?? 0) >= 500 ? html`<div class="small">${t("error.request", { id: error.requestId })}</div>` : null}
    </div>
    ${retry && html`<${Button} icon="refresh" onClick=${retry}>${t("action.retry")}<//>`}
  </div>`;
}

/** @param {{ icon?: string, title: string, children?: Ui.Drawn }} props */
export function Empty({ icon = "items", title, children }) {
  return html`<div class="empty"><${Icon} name=${icon} /><h3>${title}</h3>${children}</div>`;
}

export function Loading() {
  return html`<div class="loading" role="status"><span class="spinner"></span>${t("common.loading")}</div>`;
}

// What was loaded, or why not yet. A function, not a component, so that the type of the data reaches `draw`.
/**
 * @template T
 * @param {Ui.Load<T>} of
 * @param {(data: T) => Ui.Drawn} draw
 */
export function loaded(of, draw) {
  if (of.error && !of.data) return html`<${Fault} error=${of.error} retry=${of.reload} />`;
  if (!of.data) return html`<${Loading} />`;
  return html`${of.error && html`<${Fault} error=${of.error} retry=${of.reload} />`}${draw(of.data)}`;
}

/** @param {{ title: string, lead?: string, actions?: Ui.Drawn, children?: Ui.Drawn }} props */
export function Page({ title, lead, actions, children }) {
  useEffect(() => {
    document.title = `${title} – LTS`;
  }, [title]);
  return html`<div class="page-head"><div><h1 tabindex="-1">${title}</h1>${lead && html`<p class="lead">${lead}</p>`}</div>
    ${actions && html`<div class="actions">${actions}</div>`}</div>${children}`;
}

/** @param {{ title?: string, actions?: Ui.Drawn, kind?: string, children?: Ui.Drawn }} props */
export function Card({ title, actions, children, kind = "" }) {
  return html`<section class=${`card ${kind}`}>
    ${title && html`<div class="card-head"><h2>${title}</h2>${actions && html`<div class="actions">${actions}</div>`}</div>`}
    ${children}</section>`;
}

/**
 * @param {string} text
 * @param {HTMLInputElement} field
 */
async function copyText(text, field) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  field.focus();
  field.select();
  return document.execCommand("copy"); // the only way on a page that was opened over plain http
}

const COPIED_MS = 2500,
  WARNED_MS = 12000;

// A value in a field that can be selected, with a button that copies it; `warning` is shown once it is copied.
/** @param {{ value: string, label: string, warning?: string | null }} props */
export function Copyable({ value, label, warning = null }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [done, setDone] = useState(/** @type {string | null} */ (null));
  const copy = async () => {
    let good = false;
    try {
      if (field.current) good = await copyText(value, field.current);
    } catch {
      field.current?.select(); // the browser does not allow it: selected, so that the keyboard can copy
    }
    setDone(good ? "common.copied" : "common.selected");
    setTimeout(() => setDone(null), warning ? WARNED_MS : COPIED_MS);
  };
  return html`<div class="copyable">
    <input class="mono" readonly ref=${field} value=${value} aria-label=${label} onFocus=${(e) => e.target.select()} />
    <${Button} icon=${done === "common.copied" ? "check" : "copy"} onClick=${copy} label=${t("action.copy-what", { what: label })}>${t("action.copy")}<//>
    <span class=${`copied${warning ? " copied-warned" : ""}`} role="status">${done && t(done)}${done && warning && ` ${warning}`}</span>
  </div>`;
}

// How much of a quota is used, as a bar with its figures next to it.
/** @param {{ used: number, quota: number, text: Ui.Drawn }} props */
export function UsedBar({ used, quota, text }) {
  const share = quota ? used / quota : used ? 1 : 0;
  const level = share >= 1 ? "full" : share >= 0.8 ? "high" : "fine";
  return html`<div class="used"><div class="used-track" aria-hidden="true"><div class=${`used-fill used-${level}`}
    style=${{ width: `${Math.min(100, share * 100)}%` }}></div></div><div class="used-text">${text}</div></div>`;
}

/** @param {{ label: string, hint?: string, error?: Ui.Fault | string | null, wide?: boolean, children: (given: object) => Ui.Drawn }} props */
export function Field({ label, hint, error, children, wide = false }) {
  const id = useId();
  const message = typeof error === "string" ? error : error?.sentence;
  const describedby = [hint && `${id}-hint`, message && `${id}-error`].filter(Boolean).join(" ") || undefined;
  return html`<div class=${`field${wide ? " field-wide" : ""}`}>
    <label for=${id}>${label}</label>
    ${children({ id, "aria-describedby": describedby, "aria-invalid": message ? "true" : undefined })}
    ${hint && html`<div class="hint" id=${`${id}-hint`}>${hint}</div>`}
    ${message && html`<div class="field-error" id=${`${id}-error`} role="alert">${message}</div>`}
  </div>`;
}

/** @param {{ label: string, hint?: string, error?: Ui.Fault | string | null, value: string, onInput: (text: string) => void, wide?: boolean }} props */
export function Text({ label, hint, error, value, onInput, wide, ...more }) {
  return html`<${Field} label=${label} hint=${hint} error=${error} wide=${wide}>${(given) =>
    html`<input type="text" value=${value} onInput=${(e) => onInput(e.target.value)} autocomplete="off" spellcheck=${false} ...${given} ...${more} />`}<//>`;
}

/** @param {{ label: string, hint?: string, value?: string, onChange: (key: string) => void, options: [string, string][], hidden?: boolean }} props */
export function Select({ label, hint, value, onChange, options, hidden = false, ...more }) {
  const id = useId();
  return html`<div class=${hidden ? "inline" : "field"}>
    <label for=${id} class=${hidden ? "sr" : ""}>${label}</label>
    <select id=${id} value=${value} onChange=${(e) => onChange(e.target.value)} ...${more}>
      ${options.map(([key, text]) => html`<option key=${key} value=${key} selected=${String(key) === String(value)}>${text}</option>`)}
    </select>${hint && html`<div class="hint">${hint}</div>`}
  </div>`;
}

/** @param {{ label: string, checked: boolean, onChange: (checked: boolean) => void, kind?: "checkbox" | "radio" }} props */
export function Check({ label, checked, onChange, kind = "checkbox", ...more }) {
  return html`<label class="check"><input type=${kind} checked=${checked} onChange=${(e) => onChange(e.target.checked)} ...${more} /><span>${label}</span></label>`;
}

// One of a few choices, side by side.
/** @param {{ label: string, value: string, onChange: (key: string) => void, options: [string, Ui.Drawn][] }} props */
export function Choice({ label, value, onChange, options }) {
  return html`<div class="choice" role="group" aria-label=${label}>${options.map(
    ([key, text]) => html`<button type="button" key=${key} aria-pressed=${key === value ? "true" : "false"} onClick=${() => onChange(key)}>${text}</button>`,
  )}</div>`;
}

/** @param {{ way: string }} props */
export function ChargeWay({ way }) {
  return html`<span title=${hasWords(`way-hint.${way}`) ? t(`way-hint.${way}`) : undefined}>${wordFor(`way.${way}`, way)}</span>`;
}

// A text that a client or a vendor sent: shown as it is, and unable to change the direction of the text around it.
/** @param {{ mono?: boolean, children?: Ui.Drawn }} props */
export const Sent = ({ children, mono = false }) => html`<bdi class=${mono ? "mono" : ""}>${children}</bdi>`;
