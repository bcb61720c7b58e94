// The percentages at which alerts are sent, by charge way.
import { put } from "../../api.js";
import { changes, isOutrun } from "../../changes.js";
import { t } from "../../i18n.js";
import { html, useState } from "../../lib.js";
import { useAction } from "../../load.js";
import { Button, Card, Fault, Text } from "../../parts/basics.js";

/** @param {number[]} levels */
const shown = (levels) => levels.join(", ");

/** @param {Record<string, string>} texts */
function read(texts) {
  /** @type {Api.Levels} */
  const found = {};
  for (const [name, text] of Object.entries(texts)) {
    const words = text.split(/[\s,;%]+/).filter(Boolean);
    if (words.some((word) => !/^\d{1,4}$/.test(word))) throw { code: "bad-levels", field: name, sentence: t("alerts.bad-levels") };
    found[name] = words.map(Number);
  }
  return found;
}

/** @param {{ levels: Api.Levels, mayChange: boolean, onChanged: () => Promise<void> }} props */
export function Levels({ levels, mayChange, onChanged }) {
  const [opened, setOpened] = useState(/** @type {Api.Levels | null} */ (null));
  const [texts, setTexts] = useState(/** @type {Record<string, string> | null} */ (null));
  const action = useAction();
  /** @param {Event} event */
  const save = async (event) => {
    event.preventDefault();
    const { ok, error } = await action.run(async () => {
      const found = opened && texts && changes(opened, opened, read(texts));
      if (found) await put("/alerts/levels", { levels: found.new, was: found.was });
      await onChanged();
    });
    if (ok) setTexts(null);
    else if (isOutrun(error)) await onChanged();
  };
  const edit = () => {
    setOpened(levels);
    setTexts(Object.fromEntries(Object.entries(levels).map(([name, values]) => [name, shown(values)])));
  };
  return html`<${Card} title=${t("alerts.levels")} actions=${mayChange && !texts && html`<${Button} icon="edit" onClick=${edit}>${t("alerts.change")}<//>`}>
    <p class="hint">${t("alerts.levels-hint")}</p>
    ${
      texts
        ? html`<form onSubmit=${save} novalidate><div class="grid level-grid">${Object.keys(levels).map(
            (name) => html`<${Text} key=${name} label=${t(`alerts.level-${name}`)} inputmode="numeric" maxlength="60"
          value=${texts[name]} onInput=${(text) => setTexts((before) => ({ ...before, [name]: text }))} error=${action.error?.field === name ? action.error : null} />`,
          )}</div>
          ${action.error && !Object.hasOwn(levels, action.error.field ?? "") && html`<${Fault} error=${action.error} />`}
          <div class="actions"><${Button} type="submit" kind="primary" busy=${action.busy}>${t("action.save")}<//><${Button} kind="quiet" onClick=${() => {
            setTexts(null);
            action.clear();
          }}>${t("action.cancel")}<//></div></form>`
        : html`<dl class="facts">${Object.entries(levels).map(([name, values]) => html`<div key=${name}><dt>${t(`alerts.level-${name}`)}</dt><dd>${values.length ? `${shown(values)} %` : t("alerts.level-off")}</dd></div>`)}</dl>`
    }<//>`;
}
