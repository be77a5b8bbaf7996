// Dialogs: token and confirmation.

import { announce, h, setChildren } from "./dom.js";
import { hasToken, onToken, setToken } from "./rpc.js";

/** The dialog for the token: `{ open() }`. */
export function tokenDialog() {
  const field = h("input", { type: "password", autocomplete: "off", spellcheck: "false", id: "token" });
  const apply = h("button.primary", { type: "submit" }, "Use it");
  const forget = h("button", { type: "button" }, "Forget it");
  const form = h(
    "form",
    h("h2", { id: "access-title" }, "Access"),
    h(
      "p",
      "Some methods are for callers with a token. Whoever runs the server gives it to you. The one for admins is in a file that the server has written.",
    ),
    h("label.field", { for: "token" }, "Token"),
    field,
    h("p.hint", "It stays in this tab's memory, and goes when the tab does."),
    h("div.actions", apply, forget, h("button", { type: "button", onclick: () => dialog.close() }, "Close")),
  );
  const dialog = h("dialog", { "aria-labelledby": "access-title" }, form);
  document.body.append(dialog);
  const button = document.getElementById("access");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    setToken(field.value);
    field.value = "";
    dialog.close();
    announce(hasToken() ? "The token is used from now on" : "No token is used");
  });
  forget.addEventListener("click", () => {
    field.value = "";
    setToken("");
    dialog.close();
    announce("The token is forgotten");
  });
  onToken(() => button.classList.toggle("on", hasToken()));
  return {
    open() {
      forget.hidden = !hasToken();
      dialog.showModal();
      field.focus();
    },
  };
}

/** Asks for confirmation. The promise resolves to true if the user confirms. */
export function confirmDialog(question, detail, yes) {
  return new Promise((resolve) => {
    const confirm = h("button.danger", { type: "button" }, yes);
    const cancel = h(
      "button",
      { type: "button", autofocus: true, onclick: () => dialog.close() },
      "Leave it",
    );
    const dialog = h("dialog", { "aria-labelledby": "question" });
    setChildren(
      dialog,
      h("h2", { id: "question" }, question),
      h("p", detail),
      h("div.actions", confirm, cancel),
    );
    let isConfirmed = false;
    confirm.addEventListener("click", () => {
      isConfirmed = true;
      dialog.close();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(isConfirmed);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
