// Dialogs on the browser's own <dialog>: it keeps the keyboard inside and gives Escape.
import { html, useEffect, useId, useRef } from "../lib.js";
import { isOutrun } from "../changes.js";
import { useAction } from "../load.js";
import { t } from "../i18n.js";
import { Button, Fault } from "./basics.js";

/** @param {{ title: string, onClose: () => void, wide?: boolean, closable?: boolean, children?: Ui.Drawn }} props */
export function Dialog({ title, onClose, wide = false, closable = true, children }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    box.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  /** @param {Event} event */
  const cancel = (event) => {
    event.preventDefault();
    if (closable) onClose();
  };
  return html`<dialog ref=${box} class=${wide ? "wide" : ""} aria-labelledby=${id} onCancel=${cancel}>
    <div class="dialog-head"><h2 id=${id}>${title}</h2>
      ${closable && html`<${Button} icon="close" kind="quiet" label=${t("action.close")} onClick=${onClose} />`}</div>
    ${children}
  </dialog>`;
}

// A form in a dialog: `save` does the work and throws errors; `onSaved` reloads the page, then closes:
// a user who reopens the form at once must not find, and save, the old values. `onOutrun` reloads it if another user
// changed the same field meanwhile; the form stays, with what was typed.
/**
 * @template T
 * @param {{
 *   title: string, saveWord: string, save: () => Promise<T>, onClose: () => void, onSaved: (saved: T) => unknown, onOutrun?: () => unknown, wide?: boolean,
 *   danger?: boolean, children?: Ui.Drawn | ((error: Ui.Fault | null) => Ui.Drawn)
 * }} props
 */
export function FormDialog({ title, saveWord, save, onClose, onSaved, onOutrun, wide, danger = false, children }) {
  const action = useAction();
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    const { ok, error } = await action.run(async () => onSaved(await save()));
    if (!ok && isOutrun(error)) await onOutrun?.();
  };
  return html`<${Dialog} title=${title} onClose=${onClose} wide=${wide}>
    <form onSubmit=${submit} novalidate>
      <div class="dialog-body">${typeof children === "function" ? children(action.error) : children}
        <${Fault} error=${action.error} /></div>
      <div class="dialog-foot">
        <${Button} onClick=${onClose}>${t("action.cancel")}<//>
        <${Button} type="submit" kind=${danger ? "danger" : "primary"} busy=${action.busy}>${saveWord}<//>
      </div>
    </form><//>`;
}
