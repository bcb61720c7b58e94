// Why?: the last refused requests, with the verdict on each license item.
import { t, time, wordFor } from "../i18n.js";
import { html } from "../lib.js";
import { useList } from "../load.js";
import { Card, Empty, loaded, Page, Pill, Select, Sent } from "../parts/basics.js";
import { Pager, Search, Table } from "../parts/table.js";
import { link } from "../route.js";

// 100, 130, 140, 144 and 150 are not kept (docs/design/authorizing.md, Kept for Why?).
const CODES = [101, 102, 103, 104, 106, 107, 108, 109, 111, 112, 113, 114, 115, 120, 121, 122, 123, 124, 141, 151];
// What to do about a refusal: if a quota is used up, that depends on what the item counts.
/** @type {Record<string, string>} */
const COUNTED = { scan: "units", page: "units", concurrentDevice: "concurrent", concurrentInstance: "concurrent" };
/**
 * @param {number} code
 * @param {Api.Verdict[]} items
 */
const advice = (code, items) => {
  const decided = code === 120 ? items.find((item) => item.code === code) : undefined;
  if (decided?.cap) return t("advice.120-cap");
  const way = decided?.chargeWay ?? "";
  return Object.hasOwn(COUNTED, way) ? t(`advice.120-${COUNTED[way]}`) : wordFor(`advice.${code}`, "");
};
/** @param {number} code */
const reason = (code) => wordFor(`code.${code}`, String(code));
/**
 * @param {number} code
 * @param {Api.Verdict[]} items
 */
const verdict = (code, items) => {
  const cap = items.find((item) => item.code === code)?.cap;
  return cap ? t("why.cap", cap) : reason(code);
};
// 106 of a single item only means that it is for another product; 106 of all of them has the words of the code.
const OTHER_PRODUCT = 106;
/** @param {Api.Verdict} item */
const ofItem = (item) => (item.code === OTHER_PRODUCT ? t("why.other-product") : verdict(item.code, [item]));
/** @param {unknown} value */
const shown = (value) => (Array.isArray(value) ? value.join(", ") : typeof value === "object" ? JSON.stringify(value) : String(value));

/** @param {{ one: Api.RefusedRequest }} props */
function Detail({ one }) {
  const asked = Object.entries(one.asked).filter(([, value]) => value !== null && value !== "" && !(Array.isArray(value) && !value.length));
  return html`<p><${Sent}>${one.detail}<//></p>
    ${
      one.items.length > 0 &&
      html`<h3>${t("why.items")}</h3><ol class="order-list">${one.items.map(
        (item, i) => html`<li key=${i}><strong><${Sent}>${item.itemId}<//></strong> <${Pill} kind="bad">${item.code}<//> ${ofItem(item)}
      ${item.code !== one.code && item.code !== OTHER_PRODUCT && html`<div class="soft small">${advice(item.code, [item])}</div>`}</li>`,
      )}</ol>${one.moreItems > 0 && html`<p class="hint">${t("why.more-items", { n: one.moreItems })}</p>`}`
    }
    ${asked.length > 0 && html`<h3>${t("why.asked")}</h3><dl class="facts">${asked.map(([name, value]) => html`<div key=${name}><dt class="mono">${name}</dt><dd><${Sent}>${shown(value)}<//></dd></div>`)}</dl>`}
    <p class="hint">${t("why.request-id")} <span class="mono">${one.requestId}</span></p>`;
}

/** @returns {Ui.Column<Api.RefusedRequest>[]} */
const columns = () => [
  { label: t("why.time"), sort: "time", kind: "date", render: (one) => time(one.time) },
  {
    label: t("why.reason"),
    kind: "wide",
    render: (one) => html`<${Pill} kind="bad">${one.code}<//> ${verdict(one.code, one.items)}<div class="soft small">${advice(one.code, one.items)}</div>`,
  },
  {
    label: t("codes.code"),
    render: (one) =>
      one.handshakeCode
        ? html`<a href=${link("handshake-codes", { code: one.handshakeCode })}><${Sent}>${one.handshakeCode}<//></a>`
        : html`<span class="soft">–</span>`,
  },
  {
    label: t("why.product"),
    render: (one) => (one.asked.product ? html`<${Sent}>${one.asked.product} ${one.asked.version ?? ""}<//>` : html`<span class="soft">–</span>`),
  },
];

/** @param {Ui.Page} props */
export function Why({ query }) {
  const refused = useList("/why", { sort: "time", order: "desc", q: query.q ?? "" });
  return html`<${Page} title=${t("nav.why")} lead=${t("why.lead")}><${Card}>
    <div class="tools"><${Search} list=${refused} label=${t("why.search")} />
      <${Select} hidden label=${t("why.filter")} value=${refused.filters.code ?? ""} options=${[["", t("why.all")], ...CODES.map((code) => [String(code), `${code} ${reason(code)}`])]} onChange=${(code) => refused.filter({ code })} /></div>
    ${loaded(
      refused,
      ({ refused: rows, found }) => html`${
        rows.length
          ? html`<${Table} label=${t("nav.why")} columns=${columns()} rows=${rows} list=${refused} keyOf=${(one) => `${one.requestId} ${one.time} ${one.asked.device}`} nameOf=${(one) => `${time(one.time)} ${verdict(one.code, one.items)}`} expand=${(one) => html`<${Detail} one=${one} />`} busy=${refused.loading} />`
          : refused.asked.q || refused.filters.code
            ? html`<${Empty} icon="search" title=${t("common.nothing-found")}><p>${t("common.nothing-found-hint")}</p><//>`
            : html`<${Empty} icon="check" title=${t("why.none")}><p>${t("why.none-hint")}</p><//>`
      }
      <${Pager} list=${refused} found=${found} />`,
    )}<//><//>`;
}
