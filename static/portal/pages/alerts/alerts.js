// Usage Alerts: who gets which alerts, how, and what was sent.
import { html } from "../../lib.js";
import { t } from "../../i18n.js";
import { useLoad } from "../../load.js";
import { Card, loaded, Page } from "../../parts/basics.js";
import { Attention } from "../home.js";
import { Calendar } from "./calendar.js";
import { History } from "./history.js";
import { Levels } from "./levels.js";
import { Mail } from "./mail.js";
import { Webhooks } from "./webhooks.js";

/** @param {Ui.Page} props */
export function Alerts({ mayChange }) {
  const home = useLoad("/home", {}, { every: 60 });
  const alerts = useLoad("/alerts");
  return html`<${Page} title=${t("nav.usage-alerts")} lead=${t("alerts.lead")}>
    <${Card} title=${t("alerts.now")}>${loaded(home, (found) => html`<${Attention} notices=${found.attention} />`)}<//>
    ${loaded(
      alerts,
      (found) => html`
      <${Mail} mail=${found.mail} mayChange=${mayChange} onChanged=${alerts.reload} />
      <${Levels} levels=${found.levels} mayChange=${mayChange} onChanged=${alerts.reload} />
      <${Webhooks} webhooks=${found.webhooks} mayChange=${mayChange} onChanged=${alerts.reload} />`,
    )}
    <${History} />
    ${mayChange && html`<${Calendar} />`}<//>`;
}
