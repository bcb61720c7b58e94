// Sets the colors before the first paint; a classic script, since modules run later. The page tells a new choice by
// the event "lts-theme-choice"; "lts-theme" tells the page that the colors have changed.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  /** @type {string | null} */
  let choice = null;
  try {
    choice = localStorage.getItem("lts-theme");
  } catch {
    // storage may be blocked; the system's choice holds then
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
