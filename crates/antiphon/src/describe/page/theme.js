// Light or dark, before anything is painted. It is no module: those run later.

(() => {
  const KEY = "antiphon-theme";
  const root = document.documentElement;
  // A browser may refuse the page any storage.
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
        // It lasts as long as the page, then.
      }
      show();
    });
    dark.addEventListener("change", show);
    show();
  });
})();
