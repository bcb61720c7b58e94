// Adding and editing a handshake code.
/**
 * What is typed; lists as lines, caps as texts, empty for none.
 * @typedef {{
 *   organization: string, custom: string, note: string, isDefault: boolean, manualOrder: boolean, secret: string, password: string,
 *   domains: string, applicationIds: string, processNames: string,
 *   items: { id: number, cap: string, name?: string, archived?: boolean }[]
 * }} CodeState
 * @typedef {{
 *   custom: string, note: string, items: { id: number, cap: number | null }[], manualOrder: boolean, validation: Record<string, string[]>,
 *   password?: string | null, isDefault?: boolean
 * }} CodeBody
 * @typedef {(changes: Partial<CodeState>) => void} Change
 */
import { patch, post } from "../../api.js";
import { changes } from "../../changes.js";
import { t } from "../../i18n.js";
import { html, useState } from "../../lib.js";
import { useLoad } from "../../load.js";
import { Check, Field, Notice, Select, Text } from "../../parts/basics.js";
import { FormDialog } from "../../parts/dialog.js";
import { CodeItems } from "./code-items.js";

/** @type {[keyof Api.Validation, string, string][]} */
const LISTS = [
  ["domains", "codes.domains", "codes.domains-hint"],
  ["applicationIds", "codes.applications", "codes.applications-hint"],
  ["processNames", "codes.processes", "codes.processes-hint"],
];
const NAME_FAULTS = ["code-exists", "empty-name", "long-name", "invisible-character"];
/** @param {string} text */
const linesOf = (text) =>
  text
    .split(/[\n;]+/)
    .map((line) => line.trim())
    .filter(Boolean);

/**
 * @param {Api.Code | null} code
 * @param {string[]} organizations
 * @returns {CodeState}
 */
function start(code, organizations) {
  /** @param {keyof Api.Validation} name */
  const lines = (name) => (code?.validation[name] ?? []).join("\n");
  return {
    organization: code?.organizationId ?? organizations[0] ?? "",
    custom: code?.custom ?? "",
    note: code?.note ?? "",
    isDefault: code?.isDefault ?? false,
    items: (code?.items ?? []).map((item) => ({ id: item.id, cap: item.cap === null ? "" : String(item.cap), name: item.itemId, archived: item.archived })),
    manualOrder: code?.manualOrder ?? false,
    domains: lines("domains"),
    applicationIds: lines("applicationIds"),
    processNames: lines("processNames"),
    secret: code?.hasPassword ? "keep" : "none",
    password: "",
  };
}

// What is sent to the server; throws errors that a page can detect.
/**
 * @param {CodeState} state
 * @param {boolean} isNew
 * @returns {CodeBody}
 */
function bodyOf(state, isNew) {
  const caps = state.items.map(({ id, cap }) => {
    const text = cap.trim();
    if (text && !/^\d{1,12}$/.test(text)) throw { code: "bad-cap", field: "items", sentence: t("codes.bad-cap") };
    return { id, cap: text ? Number(text) : null };
  });
  if (!state.custom.trim()) throw { code: "empty-name", field: "custom", sentence: t("codes.empty-name") };
  if (state.secret === "new" && !state.password) throw { code: "bad-password", field: "password", sentence: t("codes.empty-password") };
  return {
    custom: state.custom,
    note: state.note,
    items: caps,
    manualOrder: state.manualOrder,
    validation: Object.fromEntries(LISTS.map(([name]) => [name, linesOf(state[name])])),
    ...(state.secret === "new" ? { password: state.password } : state.secret === "none" && !isNew ? { password: null } : {}),
    ...(state.isDefault ? { isDefault: true } : {}),
  };
}

// What was changed in a code: each list of bindings separately, a password always.
/**
 * @param {Api.Code} code
 * @param {CodeState} state
 */
function changed(code, state) {
  /** @param {CodeBody} body */
  const flat = (body) => {
    const { validation, password, ...rest } = body;
    return { ...rest, ...validation };
  };
  const body = bodyOf(state, false);
  const read = { ...code, ...code.validation, items: code.items.map(({ id, cap }) => ({ id, cap })) };
  const found = changes(read, flat(bodyOf(start(code, []), false)), flat(body)) ?? { new: {}, was: {} };
  /** @param {Record<string, unknown>} fields */
  const nested = (fields) => {
    const lists = LISTS.map(([name]) => String(name)).filter((name) => name in fields);
    const rest = Object.entries(fields).filter(([name]) => !lists.includes(name));
    return { ...Object.fromEntries(rest), ...(lists.length ? { validation: Object.fromEntries(lists.map((name) => [name, fields[name]])) } : {}) };
  };
  const secret = state.secret === "new" || (state.secret === "none" && code.hasPassword);
  if (!secret && !Object.keys(found.new).length) return null;
  return {
    ...nested(found.new),
    ...(secret ? { password: body.password } : {}),
    was: { ...nested(found.was), ...(secret ? { hasPassword: code.hasPassword } : {}) },
  };
}

/** @param {{ state: CodeState, change: Change, had?: boolean, error: Ui.Fault | null }} props */
function Password({ state, change, had, error }) {
  const choices = [
    ["none", "codes.password-none"],
    ...(had ? [["keep", "codes.password-keep"]] : []),
    ["new", had ? "codes.password-replace" : "codes.password-set"],
  ];
  return html`<fieldset><legend>${t("codes.session-password")}</legend><p class="hint">${t("codes.session-password-hint")}</p>
    ${choices.map(([value, key]) => html`<${Check} key=${value} kind="radio" name="secret" checked=${state.secret === value} onChange=${() => change({ secret: value })} label=${t(key)} />`)}
    ${
      state.secret === "new" &&
      html`<div class="nested"><${Text} label=${t("codes.session-password")} type="password" autocomplete="new-password" maxlength="256" value=${state.password}
      onInput=${(password) => change({ password })} error=${error?.field === "password" ? error : null} /></div>`
    }</fieldset>`;
}

/** @param {{ state: CodeState, change: Change }} props */
function Validation({ state, change }) {
  const filled = LISTS.some(([name]) => linesOf(state[name]).length);
  return html`<details open=${filled}><summary>${t("codes.validation-title")}</summary><p class="hint">${t("codes.validation-hint")}</p>
    ${LISTS.map(
      ([name, label, hint]) =>
        html`<${Field} key=${name} label=${t(label)} hint=${t(hint)}>${(
          given,
        ) => html`<textarea rows="2" maxlength="20000" spellcheck=${false} value=${state[name]}
      onInput=${(e) => change({ [name]: e.target.value })} ...${given}></textarea>`}<//>`,
    )}</details>`;
}

/** @param {{ code: Api.Code | null, items: Api.Item[], onClose: () => void, onSaved: (saved: unknown) => unknown, onOutrun?: () => unknown }} props */
export function CodeForm({ code, items, onClose, onSaved, onOutrun }) {
  const organizations = [...new Set(items.map((item) => item.organizationId))];
  const [state, setState] = useState(() => start(code, organizations));
  /** @param {Partial<typeof state>} changes */
  const change = (changes) => setState((before) => ({ ...before, ...changes }));
  const save = async () => {
    if (!code) return post("/handshakes", { organizationId: state.organization, ...bodyOf(state, true) });
    const body = changed(code, state);
    return body && patch(`/handshakes/%23${code.id}`, body);
  };
  const use = useLoad(code ? `/handshake-use/%23${code.id}` : null);
  const title = code ? t("codes.edit-title") : t("codes.add-title");
  if (!code && !organizations.length) {
    return html`<${FormDialog} title=${title} saveWord=${t("action.close")} save=${async () => null} onClose=${onClose} onSaved=${onClose}><${Notice} level="hint">${t("codes.none-hint")}<//><//>`;
  }
  const own = items.filter((item) => item.organizationId === state.organization);
  return html`<${FormDialog} title=${title} saveWord=${t("action.save")} save=${save} onClose=${onClose} onSaved=${onSaved} onOutrun=${onOutrun} wide>${(
    error,
  ) => html`
    ${!code && organizations.length > 1 && html`<${Select} label=${t("codes.organization")} value=${state.organization} options=${organizations.map((name) => [name, name])} onChange=${(organization) => change({ organization, items: [] })} />`}
    <${Text} label=${t("codes.name")} value=${state.custom} maxlength="100" onInput=${(custom) => change({ custom })} error=${NAME_FAULTS.includes(error?.code) ? error : null}
      hint=${t("codes.name-hint", { name: `${state.organization}-${state.custom.trim()}` })} />
    ${
      code &&
      state.custom.trim() !== code.custom &&
      html`<${Notice} level="warning">${t("codes.rename-warning")}
      ${use.data && html` ${t("codes.rename-use", use.data)}`}<//>`
    }
    <${Text} label=${t("codes.note")} value=${state.note} maxlength="500" onInput=${(note) => change({ note })} />
    ${code?.isDefault ? html`<p class="hint">${t("codes.is-default")}</p>` : html`<${Check} checked=${state.isDefault} onChange=${(isDefault) => change({ isDefault })} label=${t("codes.default-check", { organization: state.organization })} />`}
    <${CodeItems} state=${state} change=${change} items=${own} />
    <${Validation} state=${state} change=${change} />
    <${Password} state=${state} change=${change} had=${code?.hasPassword} error=${error} />`}<//>`;
}
