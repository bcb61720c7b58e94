// A calendar of ends and forecasts to subscribe to.
import { post } from "../../api.js";
import { t } from "../../i18n.js";
import { html, useState } from "../../lib.js";
import { useAction } from "../../load.js";
import { Button, Card, Copyable, Fault } from "../../parts/basics.js";

export function Calendar() {
  const [path, setPath] = useState(/** @type {string | null} */ (null));
  const action = useAction();
  /** @param {boolean} renew */
  const show = async (renew) => {
    const { ok, result } = await action.run(() => post("/alerts/calendar", { renew }));
    if (ok) setPath(result.path);
  };
  const address = path && new URL(`../${path}`, location.href.split("#")[0]).href;
  return html`<${Card} title=${t("alerts.calendar")} actions=${path ? html`<${Button} busy=${action.busy} onClick=${() => show(true)}>${t("alerts.calendar-renew")}<//>` : null}>
    <p class="hint">${t("alerts.calendar-hint")}</p><${Fault} error=${action.error} />
    ${address ? html`<${Copyable} value=${address} label=${t("alerts.calendar-address")} />` : html`<${Button} busy=${action.busy} onClick=${() => show(false)}>${t("alerts.calendar-show")}<//>`}<//>`;
}
