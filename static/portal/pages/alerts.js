// Usage Alerts: what an administrator should look at now.
import { t } from "../i18n.js";
import { html } from "../lib.js";
import { useLoad } from "../load.js";
import { Card, Loaded, Notice, Page } from "../parts/basics.js";
import { Attention } from "./home.js";

export function Alerts() {
  const home = useLoad("/home", {}, { every: 60 });
  return html`<${Page} title=${t("nav.usage-alerts")} lead=${t("alerts.lead")}>
    <${Notice} level="hint">${t("alerts.no-mail")}<//>
    <${Card} title=${t("alerts.now")}><${Loaded} of=${home}>${(found) => html`<${Attention} notices=${found.attention} />`}<//><//><//>`;
}
