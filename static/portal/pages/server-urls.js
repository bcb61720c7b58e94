// Set Server URL: the addresses of the main and the standby server in every license key.
import { put } from "../api.js";
import { changes } from "../changes.js";
import { hasWords, t } from "../i18n.js";
import { html, useState } from "../lib.js";
import { Notice, Text } from "../parts/basics.js";
import { FormDialog } from "../parts/dialog.js";

export const LOCAL = /^https?:\/\/(localhost|[^/]*\.localhost|127\.[\d.]+|0\.0\.0\.0|\[::1?\])(:\d+)?(\/|$)/i;

// What is wrong with the addresses in license keys, as text; null if nothing is.
/** @param {Api.ServerUrls} urls */
export const urlWarning = ({ notices }) => {
  const key = notices.length ? `urls.now-${notices[0]}` : "";
  return hasWords(key) ? t(key) : null;
};

/** @param {string[]} urls */
function typedWarning(urls) {
  const given = urls.map((url) => url.trim()).filter(Boolean);
  if (given.some((url) => LOCAL.test(url))) return t("urls.url-local");
  return given.some((url) => /^http:/i.test(url)) ? t("urls.url-http") : null;
}

/** @param {{ urls: Api.ServerUrls, onClose: () => void, onSaved: (saved: unknown) => unknown, onOutrun?: () => unknown }} props */
export function ServerUrls({ urls, onClose, onSaved, onOutrun }) {
  const [opened] = useState({ urls: urls.urls });
  const [typed, setTyped] = useState([urls.urls[0] ?? "", urls.urls[1] ?? ""]);
  /**
   * @param {number} index
   * @param {string} url
   */
  const change = (index, url) => setTyped((before) => before.map((old, i) => (i === index ? url : old)));
  const save = async () => {
    const [main, standby] = typed.map((url) => url.trim());
    if (!main && standby) throw { code: "bad-url", field: "urls", sentence: t("urls.main-first") };
    const given = { urls: [main, standby].filter(Boolean) };
    return urls.set && !changes(opened, opened, given) ? null : put("/server-urls", { ...given, was: opened });
  };
  const warning = typedWarning(typed);
  return html`<${FormDialog} title=${t("urls.title")} saveWord=${t("action.save")} save=${save} onClose=${onClose} onSaved=${onSaved} onOutrun=${onOutrun}>
    <p>${t("urls.lead")}</p>
    <${Text} label=${t("urls.main")} type="url" inputmode="url" maxlength="500" value=${typed[0]} onInput=${(url) => change(0, url)} hint=${t("urls.main-hint")} placeholder="https://lts.example.com/lts/" />
    <${Text} label=${t("urls.standby")} type="url" inputmode="url" maxlength="500" value=${typed[1]} onInput=${(url) => change(1, url)} hint=${t("urls.standby-hint")} />
    ${warning && html`<div role="status"><${Notice} level="warning">${warning}<//></div>`}<//>`;
}
