// What the pages do beyond htmx: keep open what was open, and say so when the server does not answer.
"use strict";

// A live piece replaces its elements; <details data-keep="NAME"> stay as the visitor left them, over reloads too.
const kept = (name) => "milink-open:" + name;
const restore = (root) => {
  for (const details of root.querySelectorAll("details[data-keep]")) {
    const state = sessionStorage.getItem(kept(details.dataset.keep));
    if (state !== null) details.open = state === "1";
  }
};
document.addEventListener("toggle", (event) => {
  const name = event.target.dataset && event.target.dataset.keep;
  if (name) sessionStorage.setItem(kept(name), event.target.open ? "1" : "0");
}, true);
restore(document);
document.addEventListener("htmx:afterSettle", (event) => restore(event.target));

// The page that is shown is marked in the tree.
const mark = () => {
  for (const a of document.querySelectorAll(".tree a")) {
    if (a.pathname === location.pathname) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
};
mark();
document.addEventListener("htmx:afterSettle", mark);

// The focus survives when the piece that has it is replaced.
let focused = null;
document.addEventListener("htmx:beforeSwap", (event) => {
  const active = document.activeElement;
  focused = event.target.contains(active) && active !== event.target ? active.getAttribute("href") || active.id || active.getAttribute("aria-label") : null;
});
document.addEventListener("htmx:afterSettle", (event) => {
  if (focused === null) return;
  for (const one of event.target.querySelectorAll("a, button, input, summary")) {
    if (one.getAttribute("href") === focused || one.id === focused || one.getAttribute("aria-label") === focused) {
      one.focus({ preventScroll: true });
      break;
    }
  }
  focused = null;
});

const offline = (is) => {
  for (const note of document.querySelectorAll("[data-offline]")) note.hidden = !is;
};
document.addEventListener("htmx:sseError", () => offline(true));
document.addEventListener("htmx:sseOpen", () => offline(false));
