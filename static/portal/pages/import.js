// Importing a license file: choose or drop it, see what it would change, say where its items go, import.
/**
 * Where the items of a file go, and the names for it.
 * @typedef {{ where: "new" | "existing" | "items", code: string | null, name: string, isDefault: boolean }} Choice
 * @typedef {{ name: string, data: ArrayBuffer, preview: Api.Preview, codes: Api.Code[], confirmed: boolean, choice: Choice }} Opened
 */
import { get, upload } from "../api.js";
import { number, t } from "../i18n.js";
import { html, useRef, useState } from "../lib.js";
import { useAction } from "../load.js";
import { Button, Card, Check, Fault, Notice, Select, Sent, Text } from "../parts/basics.js";
import { link } from "../route.js";
import { sentenceOf } from "./home.js";

const LARGEST = 1 << 20;
/** @type {["added" | "renewed" | "revoked" | "unchanged", string][]} */
const CHANGES = [
  ["added", "good"],
  ["renewed", "good"],
  ["revoked", "bad"],
  ["unchanged", "plain"],
];

/** @param {{ onFile: (file: File) => void, busy: boolean }} props */
function Chooser({ onFile, busy }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [over, setOver] = useState(false);
  /** @param {DragEvent} event */
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    const [file] = event.dataTransfer?.files ?? [];
    if (file) onFile(file);
  };
  return html`<div class=${`drop${over ? " drop-over" : ""}`} onDragOver=${(e) => {
    e.preventDefault();
    setOver(true);
  }} onDragLeave=${() => setOver(false)} onDrop=${drop}>
    <${Button} icon="upload" kind="primary" busy=${busy} onClick=${() => input.current?.click()}>${t("import.select")}<//>
    <span class="soft">${t("import.drop")}</span>
    <input ref=${input} type="file" accept=".lic,.txt" class="sr" tabindex="-1" aria-label=${t("import.file")} onChange=${(e) => {
      const [file] = e.target.files;
      e.target.value = "";
      if (file) onFile(file);
    }} />
  </div>`;
}

/** @param {{ preview: Api.Preview }} props */
function Changes({ preview }) {
  return html`<ul class="changes">${CHANGES.filter(([name]) => preview[name].length).map(
    ([name, kind]) => html`<li key=${name}>
    <span class=${`pill pill-${kind}`}>${t(`import.${name}`)} ${number(preview[name].length)}</span> <${Sent}>${preview[name].join(", ")}<//></li>`,
  )}
    ${preview.stops.map(({ itemId, why, seats }) => html`<li key=${`stop ${itemId}`}><${Notice} level="warning">${t(`import.stop-${why}`, { item: itemId })}${seats > 0 && ` ${t("import.stop-seats", { seats })}`}<//></li>`)}
    ${Object.entries(preview.overQuota).map(([item, seats]) => html`<li key=${item}><${Notice} level="warning">${t("import.over-quota", { item, seats })}<//></li>`)}</ul>`;
}

/** @param {{ choice: Choice, change: (changes: Partial<Choice>) => void, preview: Api.Preview, codes: Api.Code[], error: Ui.Fault | null }} props */
function Place({ choice, change, preview, codes, error }) {
  const own = codes.filter((code) => code.organizationId === preview.organizationId);
  return html`<fieldset><legend>${t("import.where")}</legend>
    <${Check} kind="radio" name="where" checked=${choice.where === "new"} onChange=${() => change({ where: "new" })} label=${t("import.new-code")} />
    ${
      choice.where === "new" &&
      html`<div class="nested"><${Text} label=${t("import.code-name")} hint=${t("import.code-hint", { name: `${preview.organizationId}-${choice.name}` })}
      value=${choice.name} maxlength="100" onInput=${(name) => change({ name })} error=${["code-exists", "empty-name", "long-name", "invisible-character"].includes(error?.code ?? "") ? error : null} /></div>`
    }
    ${own.length > 0 && html`<${Check} kind="radio" name="where" checked=${choice.where === "existing"} onChange=${() => change({ where: "existing", code: choice.code ?? own[0].name })} label=${t("import.existing-code")} />`}
    ${choice.where === "existing" && html`<div class="nested"><${Select} label=${t("import.which-code")} value=${choice.code} onChange=${(code) => change({ code })} options=${own.map((code) => [code.name, code.name])} /></div>`}
    <${Check} kind="radio" name="where" checked=${choice.where === "items"} onChange=${() => change({ where: "items" })} label=${t("import.items-only")} />
    ${choice.where !== "items" && own.length > 0 && html`<${Check} checked=${choice.isDefault} onChange=${(isDefault) => change({ isDefault })} label=${t("import.make-default")} />`}
  </fieldset>`;
}

/** @param {Choice} choice */
const chosen = (choice) =>
  ({
    new: { newCode: choice.name },
    existing: { toCode: choice.code },
    items: { itemsOnly: true },
  })[choice.where];

/** @param {{ onImported: () => void }} props */
export function Import({ onImported }) {
  const [state, setState] = useState(/** @type {Opened | null} */ (null));
  const [done, setDone] = useState(/** @type {Api.Preview | null} */ (null));
  const reading = useAction();
  const importing = useAction();
  /** @param {Partial<Choice>} changes */
  const change = (changes) => setState((before) => before && { ...before, choice: { ...before.choice, ...changes } });
  /** @param {File} file */
  const read = async (file) => {
    setDone(null);
    setState(null);
    importing.clear();
    const { ok, result } = await reading.run(async () => {
      if (file.size > LARGEST) throw { sentence: t("import.too-large"), code: "too-large" };
      const data = await file.arrayBuffer();
      const [preview, { handshakeCodes }] = await Promise.all([upload("/licenses/preview", data), get("/handshakes")]);
      return { name: file.name, data, preview, codes: handshakeCodes };
    });
    if (!ok) return;
    const { preview } = result;
    const made = preview.codeExists ? null : preview.handshakeCode;
    const name = made?.slice(preview.organizationId.length + 1) ?? [...preview.licenseId].slice(0, 100).join("");
    /** @type {Pick<Choice, "where" | "code">} */
    const place = preview.codeExists ? { where: "existing", code: preview.handshakeCode } : { where: "new", code: null };
    setState({ ...result, confirmed: preview.trusted, choice: { ...place, name, isDefault: false } });
  };
  const run = async () => {
    if (!state) return;
    const query = {
      ...(state.preview.added.length ? chosen(state.choice) : {}),
      default: state.choice.isDefault || null,
      fingerprint: state.preview.trusted ? null : state.preview.fingerprint,
    };
    const { ok, result } = await importing.run(() => upload("/licenses", state.data, query));
    if (!ok) return;
    setState(null);
    setDone(result);
    onImported();
  };
  return html`<${Card} title=${t("import.title")}>
    <${Chooser} onFile=${read} busy=${reading.busy} />
    <${Fault} error=${reading.error} />
    ${
      done &&
      html`<${Notice} level="done"><span role="status">${done.status === "already-imported" ? t("import.nothing") : t(done.takesBack ? "import.taken-back" : "import.done", { license: done.licenseId })}</span>
      ${done.notices.map((notice) => html`<div key=${notice.code}>${sentenceOf(notice)}</div>`)}
      ${done.handshakeCode && html`<div>${t("import.done-code")} <a href=${link("handshake-codes", { code: done.handshakeCode })}><${Sent}>${done.handshakeCode}<//></a></div>`}<//>`
    }
    ${
      state &&
      html`<div class="preview" role="region" aria-label=${t("import.preview")}>
      <h3>${t("import.preview")}: <${Sent}>${state.name}<//></h3>
      <dl class="facts">
        <div><dt>${t("items.license")}</dt><dd><${Sent}>${state.preview.alias}<//></dd></div>
        <div><dt>${t("items.organization")}</dt><dd><${Sent}>${state.preview.organizationId}<//></dd></div>
        <div><dt>${t("import.vendor")}</dt><dd><${Sent}>${state.preview.vendor}<//></dd></div>
        <div><dt>${t("import.revision")}</dt><dd>${state.preview.revision}</dd></div>
      </dl>
      ${
        state.preview.status === "already-imported"
          ? html`<${Notice} level="hint">${t("import.nothing")}<//>`
          : html`${state.preview.takesBack && html`<${Notice} level="hint">${t("import.takes-back")}<//>`}<${Changes} preview=${state.preview} />
          ${
            !state.preview.trusted &&
            html`<${Notice} level="warning"><strong>${t("import.unknown-vendor")}</strong>
            <p class="mono break">${state.preview.fingerprint}</p>
            <${Check} checked=${state.confirmed} onChange=${(confirmed) => setState({ ...state, confirmed })} label=${t("import.confirm-vendor")} /><//>`
          }
          ${state.preview.notices.map((notice) => html`<${Notice} key=${notice.code} level=${notice.level}>${sentenceOf(notice)}<//>`)}
          ${state.preview.added.length > 0 && html`<${Place} choice=${state.choice} change=${change} preview=${state.preview} codes=${state.codes} error=${importing.error} />`}
          <${Fault} error=${importing.error} />`
      }
      <div class="actions">
        ${state.preview.status !== "already-imported" && html`<${Button} kind="primary" busy=${importing.busy} disabled=${!state.confirmed} onClick=${run}>${t("import.do")}<//>`}
        <${Button} onClick=${() => setState(null)}>${t("action.cancel")}<//>
      </div></div>`
    }<//>`;
}
