// Sets the colors before the first paint; a classic script, since modules run later. The page announces a new choice
// with the event "lts-theme-choice"; the event "lts-theme" says that the colors have changed.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  /** @type {string | null} */
  let choice = null;
  try {
    choice = localStorage.getItem("lts-theme");
  } catch {
    // storage may be blocked; then the system's choice applies
  }
  const apply = () => {
    const dark = choice === "dark" || (choice !== "light" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    window.dispatchEvent(new Event("lts-theme"));
  };
  system.addEventListener("change", apply);
  window.addEventListener("lts-theme-choice", (event) => {
    choice = /** @type {CustomEvent<string>} */ (event).detail;
    apply();
  });
  apply();
})();
