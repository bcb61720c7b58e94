// Sets the colours before the first paint; a classic script, since modules run later.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("lts-theme");
  } catch {
    // storage may be blocked; the system's choice holds then
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
