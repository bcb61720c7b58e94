// Texts in the reader's language, figures and times in its format. Times are UTC everywhere.
/** @typedef {number | string | Date} Moment seconds since 1970, an RFC 3339 text or a date */
import { recall, remember } from "./store.js";

export const LANGUAGES = { en: "English", zh: "简体中文" };
const LOCALES = { en: "en-GB", zh: "zh-CN" };
/** @type {Record<string, string>} */
let words = {};
/** @type {Api.Language} */
let language = "en";

/**
 * @param {string | null} name
 * @returns {name is Api.Language}
 */
const isLanguage = (name) => name !== null && Object.hasOwn(LANGUAGES, name);

/** @returns {Api.Language} */
function wanted() {
  const kept = recall("language");
  if (isLanguage(kept)) return kept;
  const asked = (navigator.languages ?? [navigator.language]).map((name) => name.slice(0, 2));
  return asked.find(isLanguage) ?? "en";
}

/** @param {Api.Language} [name] */
export async function loadLanguage(name = wanted()) {
  const module = await import(`./i18n/${name}.js`);
  words = module.words;
  language = name;
  document.documentElement.lang = LOCALES[name];
  return name;
}

/** @param {Api.Language} name */
export async function chooseLanguage(name) {
  remember("language", name);
  await loadLanguage(name);
}

export const currentLanguage = () => language;
// An empty text means "show the server's text".
/** @param {string} key */
export const hasWords = (key) => Boolean(words[key]);

/**
 * @param {string} key
 * @param {object} [params] values for the placeholders, by name
 */
export function t(key, params = {}) {
  const text = words[key];
  if (text === undefined) throw new Error(`no words for ${key}`);
  const given = /** @type {Record<string, unknown>} */ (params);
  // {n|code|codes}: the first word for one, the second for any other number
  const chosen = text.replace(/\{(\w+)\|([^|}]*)\|([^}]*)\}/g, (_, name, one, more) => (given[name] === 1 ? one : more));
  return chosen.replace(/\{(\w+)\}/g, (_, name) => {
    const value = given[name];
    return typeof value === "number" ? number(value) : String(value ?? "");
  });
}

// Text for a code. The server may have codes that this page does not know yet: then the code itself.
/**
 * @template {string | null} C
 * @param {string} key
 * @param {C} code
 */
export const wordFor = (key, code) => (hasWords(key) ? t(key) : code);

/** @param {number} value */
export const number = (value) => new Intl.NumberFormat(LOCALES[language]).format(value);
/**
 * @param {number} part
 * @param {number} whole
 */
export const percent = (part, whole) =>
  whole ? new Intl.NumberFormat(LOCALES[language], { style: "percent", maximumFractionDigits: 1 }).format(part / whole) : "–";

/** @type {Intl.DateTimeFormatOptions} */
const DATE = { year: "numeric", month: "short", day: "numeric", timeZone: "UTC" };
/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "UTC" };
/** @param {Moment} value */
const asDate = (value) => new Date(typeof value === "number" ? value * 1000 : value);

// A day, from seconds since 1970, an RFC 3339 text or a date.
/** @param {Moment} value */
export const day = (value) => new Intl.DateTimeFormat(LOCALES[language], DATE).format(asDate(value));
/** @param {Moment} value */
export const shortDay = (value) => new Intl.DateTimeFormat(LOCALES[language], { month: "short", day: "numeric", timeZone: "UTC" }).format(asDate(value));
/** @param {Moment} value */
export const time = (value) => `${new Intl.DateTimeFormat(LOCALES[language], { ...DATE, ...CLOCK }).format(asDate(value))} UTC`;

// The end of a license item, for which the server counted the remaining calendar days: the end of a day is 24:00.
/** @param {Moment} end */
const lastSecond = (end) => new Date(asDate(end).getTime() - 1000);
/** @param {Moment} end */
const clockOf = (end) => (asDate(end).getTime() % 86_400_000 ? new Intl.DateTimeFormat(LOCALES[language], CLOCK).format(asDate(end)) : "24:00");
/**
 * @param {Moment} end
 * @param {number | null} [daysLeft]
 */
export function ends(end, daysLeft = null) {
  if (daysLeft === 0 || daysLeft === 1) return t(daysLeft ? "ends.tomorrow" : "ends.today", { clock: `${clockOf(end)} UTC` });
  return clockOf(end) === "24:00" ? day(lastSecond(end)) : time(end);
}
/**
 * @param {Moment} end
 * @param {number | null} daysLeft
 */
export const endsWhen = (end, daysLeft) => (daysLeft !== null && daysLeft > 1 ? t("ends.in-days", { n: daysLeft, end: ends(end) }) : ends(end, daysLeft));

/**
 * @param {Moment} value
 * @param {Moment} now
 */
export function ago(value, now) {
  const seconds = Math.max(0, Math.round((asDate(now).getTime() - asDate(value).getTime()) / 1000));
  return duration(seconds, true);
}

/** @type {[number, Intl.RelativeTimeFormatUnitSingular][]} */
const STEPS = [
  [60, "second"],
  [3600, "minute"],
  [86400, "hour"],
  [Infinity, "day"],
];
/**
 * @param {number} seconds
 * @param {boolean} [past]
 */
export function duration(seconds, past = false) {
  const index = STEPS.findIndex(([end]) => Math.abs(seconds) < end);
  const size = [1, 60, 3600, 86400][index];
  const value = Math.round(seconds / size);
  if (past) return new Intl.RelativeTimeFormat(LOCALES[language], { numeric: "auto" }).format(-value, STEPS[index][1]);
  return new Intl.NumberFormat(LOCALES[language], { style: "unit", unit: STEPS[index][1], unitDisplay: "long" }).format(value);
}
