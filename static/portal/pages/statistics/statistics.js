// Statistics of a handshake code or a license item: how much of what, when, by whom. All days and hours are UTC.
import { t } from "../../i18n.js";
import { html, useState } from "../../lib.js";
import { useLoad } from "../../load.js";
import { Card, Choice, Empty, loaded, Page } from "../../parts/basics.js";
import { itemName, namer } from "../../parts/names.js";
import { isDay, link, replaceQuery } from "../../route.js";
import { Shares } from "./shares.js";
import { Trends } from "./trend.js";
import { Day } from "./day.js";
import { Groups } from "./table.js";

const PRESETS = ["7", "30", "90", "all", "range"];

// What the address of the page says, without invalid days.
/**
 * @param {Ui.Query} query
 * @returns {Ui.Query}
 */
export const read = (query) => Object.fromEntries(Object.entries(query).filter(([name, value]) => !["day", "from", "to"].includes(name) || isDay(value ?? "")));

// The query of the API, from what was read.
/**
 * @param {Ui.Query} query
 * @returns {Ui.Subject & { from?: string, to?: string, days?: string }}
 */
export function asked(query) {
  const subject = { code: query.code, item: query.item };
  if (query.from || query.to) return { ...subject, from: query.from, to: query.to };
  if (query.days === "all") return subject;
  return { ...subject, days: PRESETS.find((name) => name === query.days) ?? "30" };
}

/** @param {Ui.Query} query */
const presetOf = (query) => (query.from || query.to ? "range" : (PRESETS.find((name) => name === query.days) ?? "30"));

/** @param {{ query: Ui.Query, subjects: Api.Subjects, onChange: (changes: Ui.Asked) => void }} props */
function Subject({ query, subjects, onChange }) {
  const present = subjects.handshakeCodes.filter((code) => !code.removed);
  const removed = subjects.handshakeCodes.filter((code) => code.removed);
  const codes = [...present, ...[...removed].reverse()];
  const codeNames = namer(codes, (code) => code.name);
  /** @param {Api.SubjectCode} code */
  const keyOf = (code) => `code:${codeNames(code) === code.name ? code.name : `#${code.id}`}`;
  // As the server understands a name: the code that has it, else the newest one that had it.
  const chosen = query.code && codes.find((code) => query.code === `#${code.id}` || query.code === code.name);
  const value = chosen ? keyOf(chosen) : query.item ? `item:${query.item}` : "";
  const itemNames = namer(subjects.items, itemName);
  /** @type {[string, Api.SubjectItem[]][]} */
  const groups = [
    ["nav.license-items", subjects.items.filter((item) => !item.archived)],
    ["stats.archived-items", subjects.items.filter((item) => item.archived)],
  ];
  /**
   * @param {string} key
   * @param {string} text
   */
  const option = (key, text) => html`<option key=${key} value=${key} selected=${key === value}>${text}</option>`;
  /** @param {string} text */
  const choose = (text) => onChange({ code: null, item: null, ...(text ? { [text.slice(0, 4)]: text.slice(5) } : {}) });
  return html`<div class="field"><label for="subject">${t("stats.subject")}</label>
    <select id="subject" value=${value} onChange=${(e) => choose(e.target.value)}>
      ${option("", t("stats.everything"))}
      ${present.length > 0 && html`<optgroup label=${t("nav.handshake-codes")}>${present.map((code) => option(keyOf(code), codeNames(code)))}</optgroup>`}
      ${groups.map(([key, items]) => items.length > 0 && html`<optgroup label=${t(key)}>${items.map((item) => option(`item:#${item.id}`, itemNames(item)))}</optgroup>`)}
      ${removed.length > 0 && html`<optgroup label=${t("stats.removed-codes")}>${removed.map((code) => option(keyOf(code), codeNames(code)))}</optgroup>`}
    </select></div>`;
}

/** @param {{ query: Ui.Query, shown: Api.Overview | null, onChange: (changes: Ui.Asked) => void }} props */
function Period({ query, shown, onChange }) {
  const preset = presetOf(query);
  /** @param {string} name */
  const choose = (name) => onChange(name === "range" ? { days: null, from: shown?.from, to: shown?.to } : { days: name, from: null, to: null });
  /** @param {"from" | "to"} name */
  const date = (
    name,
  ) => html`<div class="field"><label for=${`range-${name}`}>${t(`stats.${name}`)}</label><input id=${`range-${name}`} type="date" value=${query[name] ?? ""}
    onChange=${(e) => isDay(e.target.value) && onChange({ [name]: e.target.value })} /></div>`;
  return html`<${Choice} label=${t("stats.period")} value=${preset} onChange=${choose} options=${PRESETS.map((name) => [name, t(`stats.preset-${name}`)])} />
    ${preset === "range" && html`<div class="range">${date("from")}${date("to")}</div>`}`;
}

/** @param {Ui.Page} props */
export function Statistics({ query: given }) {
  const query = read(given);
  const subjects = useLoad("/statistics/subjects");
  const wanted = asked(query);
  const found = useLoad("/statistics", wanted);
  const [day, setDay] = useState(/** @type {string | null} */ (null));
  /** @param {Ui.Asked} changes */
  const change = (changes) => replaceQuery({ ...query, ...changes });
  const shownDay = query.day ?? day ?? found.data?.today;
  /** @param {string} name */
  const pick = (name) => {
    if (!isDay(name)) return; // before 1970, or a year of five digits
    setDay(name);
    change({ day: name });
  };
  const subject = { code: wanted.code, item: wanted.item };
  return html`<${Page} title=${t("nav.statistics")} lead=${t("stats.lead")}>
    <${Card} kind="filters">
      ${subjects.data && html`<${Subject} query=${query} subjects=${subjects.data} onChange=${change} />`}
      <${Period} query=${query} shown=${found.data} onChange=${change} />
      <p class="zone">${t("stats.zone")}</p>
    <//>
    ${loaded(found, (data) => {
      if (data.firstDay === null && !data.days.length) {
        return html`<${Card}><${Empty} icon="statistics" title=${t("stats.none")}><p>${t("stats.none-hint")}</p><p><a class="button" href=${link("handshake-codes")}>${t("nav.handshake-codes")}</a></p><//><//>`;
      }
      const order = data.types;
      return html`<div class=${found.loading ? "busy" : ""}>
        <${Shares} data=${data} day=${shownDay} subject=${subject} order=${order} />
        <${Trends} data=${data} subject=${subject} query=${query} change=${change} order=${order} onDay=${pick} />
        <${Day} day=${shownDay} subject=${subject} order=${order} onDay=${pick} />
        <${Groups} wanted=${wanted} query=${query} change=${change} onDay=${pick} /></div>`;
    })}<//>`;
}
