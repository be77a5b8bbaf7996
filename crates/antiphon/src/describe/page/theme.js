// Light and dark theme. This is a classic script, because modules run after the first paint.

(() => {
  const KEY = "antiphon-theme";
  const root = document.documentElement;
  // Storage may be blocked in the browser.
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const set = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  };
  set(stored());

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const now = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => {
      const next = now() === "dark" ? "light" : "dark";
      button.textContent = next === "dark" ? "☾" : "☀";
      button.setAttribute("aria-label", `Use ${next} colours`);
      button.title = `Use ${next} colours`;
    };
    button.addEventListener("click", () => {
      set(now() === "dark" ? "light" : "dark");
      try {
        localStorage.setItem(KEY, root.dataset.theme);
      } catch {
        // Without storage the choice lasts until the page is closed.
      }
      show();
    });
    dark.addEventListener("change", show);
    show();
  });
})();
