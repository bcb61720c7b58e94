// Three doughnuts: units by type of all history, of the period, of one day.
import { day as dayText, number, percent, t } from "../../i18n.js";
import { html } from "../../lib.js";
import { useLoad } from "../../load.js";
import { Card, Fault, Loading, Sent } from "../../parts/basics.js";
import { colorClass, Doughnut } from "../../parts/chart.js";
import { parts, sum } from "./types.js";

/** @param {{ title: string, hint: string, units: Api.Units, order: string[] }} props */
function Share({ title, hint, units, order }) {
  const cut = parts(units, order);
  const total = sum(units);
  return html`<${Card} title=${title} kind="share"><p class="hint">${hint}</p>
    <div class="share-body">
      <div class="doughnut">${total > 0 ? html`<${Doughnut} label=${t("stats.pie", { what: title, total })} parts=${cut} />` : html`<div class="doughnut-empty"></div>`}
        <div class="doughnut-total"><strong>${number(total)}</strong><span class="small soft">${t("stats.units")}</span></div></div>
      <table class="legend" aria-label=${title}><tbody>${cut
        .filter(([, n]) => n > 0)
        .map(
          ([name, n]) => html`<tr key=${name}>
        <th scope="row"><span class=${`swatch ${colorClass(cut.findIndex(([other]) => other === name))}`}></span><${Sent}>${name}<//></th><td class="num">${number(n)}</td><td class="num soft">${percent(n, total)}</td></tr>`,
        )}</tbody></table>
    </div><//>`;
}

/** @param {{ data: Api.Overview, day: string, subject: Ui.Subject, order: string[] }} props */
export function Shares({ data, day, subject, order }) {
  const hours = useLoad("/statistics/hours", { ...subject, day });
  return html`<div class="grid shares">
    <${Share} title=${t("stats.all-history")} hint=${data.firstDay ? t("stats.since", { day: dayText(data.firstDay) }) : ""} units=${data.all} order=${order} />
    <${Share} title=${t("stats.chosen-period")} hint=${`${dayText(data.from)} – ${dayText(data.to)}`} units=${data.period} order=${order} />
    ${
      hours.data
        ? html`<${Share} title=${t("stats.one-day")} hint=${dayText(hours.data.day)} units=${hours.data.units} order=${order} />`
        : html`<${Card} title=${t("stats.one-day")}>${hours.error ? html`<${Fault} error=${hours.error} retry=${hours.reload} />` : html`<${Loading} />`}<//>`
    }
  </div>`;
}
