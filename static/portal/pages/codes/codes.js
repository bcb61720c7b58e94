// Handshake Codes: what applications name, with the key string that goes into them.
/**
 * @typedef {"add" | "edit" | "remove" | "default" | "urls"} What
 * @typedef {(what: What, code?: Api.Code | null) => Promise<void>} Act
 */
import { get, patch, remove } from "../../api.js";
import { t } from "../../i18n.js";
import { html, useState } from "../../lib.js";
import { useList, useLoad } from "../../load.js";
import { Button, Card, Copyable, Empty, loaded, Loading, Notice, Page, Pill, Sent } from "../../parts/basics.js";
import { FormDialog } from "../../parts/dialog.js";
import { Icon } from "../../parts/icon.js";
import { Pager, Search, Table } from "../../parts/table.js";
import { link } from "../../route.js";
import { CodeForm } from "./code-form.js";
import { sentenceOf } from "../home.js";
import { ServerUrls, urlWarning } from "../server-urls.js";

const SHOWN_ITEMS = 3;

/** @param {{ code: Api.Code }} props */
function Name({ code }) {
  return html`<span class="code-name">${code.isDefault && html`<span class="star" title=${t("codes.default-hint")}><${Icon} name="star" filled /><span class="sr">${t("codes.default")}</span></span>`}
    <strong><${Sent}>${code.name}<//></strong></span>
    ${code.note && html`<div class="soft small"><${Sent}>${code.note}<//></div>`}`;
}

/** @param {{ code: Api.Code }} props */
function Linked({ code }) {
  if (!code.items.length) return html`<${Pill} kind="warn">${t("codes.no-items")}<//>`;
  const more = code.items.length - SHOWN_ITEMS;
  return html`<ol class="plain-list">${code.items.slice(0, SHOWN_ITEMS).map((item) => html`<li key=${item.id}><${Sent}>${item.itemId}<//>${item.archived && html` <${Pill}>${t("state.archived")}<//>`}${item.cap !== null && html` <span class="soft small">${t("codes.capped", { cap: item.cap })}</span>`}</li>`)}</ol>
    ${more > 0 && html`<span class="soft small">${t("codes.more-items", { n: more })}</span>`}`;
}

/** @param {Api.Code} code */
const bound = (code) => Object.values(code.validation).some((values) => values.length);

/** @param {{ code: Api.Code }} props */
function Protection({ code }) {
  return html`<span class="pills">${code.hasPassword && html`<${Pill}>${t("codes.password")}<//>`}
    ${bound(code) && html`<${Pill}>${t("codes.validation")}<//>`}
    ${!code.hasPassword && !bound(code) && html`<span class="soft">–</span>`}</span>`;
}

/** @param {{ code: Api.Code }} props */
function Detail({ code }) {
  /** @type {[string, Ui.Drawn | string[]][]} */
  const facts = [
    ["codes.organization", html`<${Sent}>${code.organizationId}<//>`],
    ["codes.order", code.manualOrder ? t("codes.order-manual") : t("codes.order-automatic")],
    ["codes.domains", code.validation.domains],
    ["codes.applications", code.validation.applicationIds],
    ["codes.processes", code.validation.processNames],
  ];
  return html`<ol class="order-list">${code.items.map(
    (
      item,
    ) => html`<li key=${item.id}><${Sent}>${item.itemId}<//> <span class="soft"><${Sent}>${item.licenseId}<//></span>${item.archived && html` <${Pill}>${t("state.archived")}<//>`}
      ${item.cap !== null && html` · ${t("codes.capped", { cap: item.cap })}`}</li>`,
  )}</ol>
    <dl class="facts">${facts.map(([key, value]) => html`<div key=${key}><dt>${t(key)}</dt><dd>${Array.isArray(value) ? (value.length ? html`<${Sent}>${value.join(", ")}<//>` : t("codes.not-bound")) : value}</dd></div>`)}</dl>
    <p><a href=${link("statistics", { code: `#${code.id}` })}>${t("items.see-statistics")}</a></p>`;
}

/** @param {{ code: Api.Code, act: Act }} props */
function Actions({ code, act }) {
  return html`<span class="actions">
    ${!code.isDefault && html`<${Button} kind="quiet" icon="star" label=${t("codes.make-default", { name: code.name })} onClick=${() => act("default", code)} />`}
    <${Button} kind="quiet" icon="edit" label=${t("codes.edit", { name: code.name })} onClick=${() => act("edit", code)} />
    <${Button} kind="quiet" icon="remove" label=${t("codes.remove", { name: code.name })} onClick=${() => act("remove", code)} /></span>`;
}

/**
 * @param {boolean} mayChange
 * @param {Act} act
 * @param {string | null} keyWarning
 * @returns {Ui.Column<Api.Code>[]}
 */
/**
 * @param {boolean} mayChange
 * @param {Act} act
 * @param {string | null} keyWarning
 * @returns {Ui.Column<Api.Code>[]}
 */
const columns = (mayChange, act, keyWarning) => [
  { label: t("codes.code"), sort: "name", kind: "name", render: (code) => html`<${Name} code=${code} />` },
  { label: t("codes.items"), sort: "items", render: (code) => html`<${Linked} code=${code} />` },
  { label: t("codes.protection"), render: (code) => html`<${Protection} code=${code} />` },
  {
    label: t("codes.key"),
    kind: "wide",
    render: (code) =>
      code.licenseKey
        ? html`<${Copyable} value=${code.licenseKey} label=${t("codes.key-of", { name: code.name })} warning=${keyWarning} />`
        : html`<span class="soft">${t("codes.key-hidden")}</span>`,
  },
  ...(mayChange ? [{ label: t("common.actions"), render: (/** @type {Api.Code} */ code) => html`<${Actions} code=${code} act=${act} />` }] : []),
];

/** @param {{ asked: { what: What, code: Api.Code }, onClose: () => void, onDone: (saved: unknown) => unknown }} props */
function Confirm({ asked, onClose, onDone }) {
  const { what, code } = asked;
  const path = `/handshakes/%23${code.id}`;
  const use = useLoad(what === "remove" ? `/handshake-use/%23${code.id}` : null);
  const save = () => (what === "remove" ? remove(path) : patch(path, { isDefault: true }));
  return html`<${FormDialog} title=${t(`codes.${what}-title`)} saveWord=${t(`codes.${what}-do`)} danger=${what === "remove"} save=${save} onClose=${onClose} onSaved=${onDone}>
    <p>${t(`codes.${what}-text`)}</p>${use.data && html`<p>${t("codes.remove-use", use.data)}</p>`}
    <p><strong><${Sent}>${code.name}<//></strong></p><//>`;
}

// What to do next depends on whether there are licenses: an import may have made no code.
/** @param {{ add: false | (() => void) }} props */
function NoCodes({ add }) {
  const status = useLoad("/status");
  if (!status.data && !status.error) return html`<${Loading} />`;
  const licensed = (status.data?.items ?? 0) > 0;
  return html`<${Empty} icon="codes" title=${t("codes.none")}><p>${t(licensed ? "codes.none-hint-items" : "codes.none-hint")}</p>
    <p>${licensed ? add && html`<${Button} icon="plus" onClick=${add}>${t("codes.add")}<//>` : html`<a class="button" href=${link("license-items")}>${t("nav.license-items")}</a>`}</p><//>`;
}

/** @param {Ui.Page} props */
export function Codes({ query, mayChange }) {
  const codes = useList("/handshakes", { sort: "name", fixed: { keys: true }, q: query.code ?? "" });
  const urls = useLoad("/server-urls");
  const [asked, setAsked] = useState(/** @type {{ what: What, code: Api.Code | null, items: Api.Item[] } | null} */ (null));
  const [notices, setNotices] = useState(/** @type {Api.Notice[]} */ ([]));
  const close = () => setAsked(null);
  /** @param {{ notices?: Api.Notice[] } | null} [saved] */
  const done = async (saved) => {
    await codes.reload();
    setNotices(saved?.notices ?? []);
    close();
  };
  /** @type {Act} */
  const act = async (what, code = null) => {
    const { items } = what === "edit" || what === "add" ? await get("/licenses/items") : { items: [] };
    setAsked({ what, code, items });
  };
  const warning = urls.data && urlWarning(urls.data);
  const keyWarning = urls.data?.notices.includes("url-local") ? t("urls.copied-url-local") : null;
  const actions =
    mayChange &&
    html`<${Button} icon="link" onClick=${() => act("urls")}>${t("urls.set")}<//>
    <${Button} kind="primary" icon="plus" onClick=${() => act("add")}>${t("codes.add")}<//>`;
  return html`<${Page} title=${t("nav.handshake-codes")} lead=${t("codes.lead")} actions=${actions}>
    ${warning && html`<${Notice} level="warning">${warning} ${mayChange && html`<button type="button" class="link" onClick=${() => act("urls")}>${t("urls.set")}</button>`}<//>`}
    <div role="status">${notices.map((notice) => html`<${Notice} key=${notice.code} level=${notice.level}>${sentenceOf(notice)}<//>`)}</div>
    <${Card}>
      ${loaded(
        codes,
        ({ handshakeCodes, found }) => html`
        <div class="tools"><${Search} list=${codes} label=${t("codes.search")} /><span class="soft last">${t("codes.count", { n: found })}</span></div>
        ${
          handshakeCodes.length
            ? html`<${Table} label=${t("nav.handshake-codes")} columns=${columns(mayChange, act, keyWarning)} rows=${handshakeCodes} list=${codes} keyOf=${(code) => code.id}
              expand=${(code) => html`<${Detail} code=${code} />`} busy=${codes.loading} />`
            : codes.asked.q
              ? html`<${Empty} icon="search" title=${t("common.nothing-found")}><p>${t("common.nothing-found-hint")}</p><//>`
              : html`<${NoCodes} add=${mayChange && (() => act("add"))} />`
        }
        <${Pager} list=${codes} found=${found} />`,
      )}
      ${urls.data && html`<p class="hint">${t("urls.in-keys")} ${urls.data.urls.map((url, i) => html`${i ? ", " : ""}<${Sent} mono>${url}<//>`)}</p>`}
    <//>
    ${
      asked?.what === "urls" &&
      html`<${ServerUrls} urls=${urls.data} onClose=${close} onOutrun=${urls.reload} onSaved=${async () => {
        await urls.reload();
        await done();
      }} />`
    }
    ${(asked?.what === "add" || asked?.what === "edit") && html`<${CodeForm} code=${asked.code} items=${asked.items} onClose=${close} onSaved=${done} onOutrun=${codes.reload} />`}
    ${(asked?.what === "remove" || asked?.what === "default") && html`<${Confirm} asked=${asked} onClose=${close} onDone=${done} />`}<//>`;
}
