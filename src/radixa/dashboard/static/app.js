// What every page does in the browser: nothing that a page cannot do without.
"use strict";

// On a narrow screen the menu scrolls; the page one is on is to be seen in it. Not by scrollIntoView: the Tab key would
// then go on from there.
const here = document.querySelector("nav [aria-current]");
if (here) {
  const menu = here.closest("nav");
  menu.scrollLeft = here.offsetLeft - (menu.clientWidth - here.offsetWidth) / 2;
}

// What keeps itself up to date rests while nobody looks, says so when the server is gone, and keeps its figures then.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.matches('[hx-trigger^="every"]')) event.preventDefault();
});
function lost(target) {
  const state = target.querySelector("[data-lost]");
  if (state) {
    state.textContent = state.dataset.lost;
    state.className = "state stopped";
  }
}
document.body.addEventListener("htmx:sendError", (event) => lost(event.detail.target));
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  if (xhr.status < 400 || target.id === "main") return;
  // An error has no such part: it is a page of its own.
  event.detail.shouldSwap = false;
  if (target.id === "report") location.assign(xhr.responseURL);
  else lost(target);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = button.dataset.copied;
  } catch {
    // No clipboard here: the text is marked, for the keyboard to copy.
    getSelection().selectAllChildren(source);
  }
});
