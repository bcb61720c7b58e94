// Types of usage in the order and colors that all pictures of the page share: the most used first, the rest as one.
import { SERIES } from "../../parts/chart.js";
import { t } from "../../i18n.js";

const SHOWN = SERIES - 1;

/** @param {Api.Units} units */
export const sum = (units) => Object.values(units).reduce((total, n) => total + n, 0);

// Units of a type; a type may be called "constructor", which every object seems to have.
/**
 * @param {Api.Units} units
 * @param {string} name
 */
export const unitsOf = (units, name) => (Object.hasOwn(units, name) ? units[name] : 0);

// [[name, units]], as many as there are colors; names not in `order` come at its end.
/**
 * @param {Api.Units} units
 * @param {string[]} order
 * @returns {[string, number][]}
 */
export function parts(units, order) {
  /** @type {(name: string) => [string, number]} */
  const part = (name) => [name, unitsOf(units, name)];
  const names = [...order, ...Object.keys(units).filter((name) => !order.includes(name))];
  if (names.length <= SERIES) return names.map(part);
  const rest = names.slice(SHOWN).reduce((total, name) => total + unitsOf(units, name), 0);
  return [...names.slice(0, SHOWN).map(part), [t("stats.others", { n: names.length - SHOWN }), rest]];
}

// One series per type, over the lines of days or hours.
/**
 * @param {{ units: Api.Units }[]} lines
 * @param {string[]} order
 * @returns {Ui.Part[]}
 */
export function series(lines, order) {
  const cut = lines.map((line) => parts(line.units, order));
  return (cut[0] ?? []).map(([name], index) => ({ name, index, values: cut.map((one) => one[index][1]) }));
}
