// What the page does beside htmx: dropping, pasting and showing a picture, the keys of the type-ahead,
// moving the focus and telling screen readers. Every word it shows comes from the page itself.
"use strict";

const form = document.getElementById("ask");
const chooser = document.getElementById("picture");
const preview = document.getElementById("preview");
const result = document.getElementById("result");
const live = document.getElementById("live");
const about = document.getElementById("about");
const words = document.body.dataset;

// ---- asking

function announce(text) {
  // The same sentence twice is only said again when the region was empty in between.
  live.textContent = "";
  requestAnimationFrame(() => { live.textContent = text; });
}

function refuse(text) {
  const sentence = document.createElement("p");
  sentence.className = "refused";
  sentence.textContent = text;
  result.replaceChildren(sentence);
  announce(text);
}

function show(file) {
  const picture = preview.firstElementChild;
  if (picture.src) URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(file);
  preview.hidden = false;
  document.body.classList.add("asked");
}

function ask() {
  const file = chooser.files[0];
  if (!file) return;
  htmx.trigger(form, "htmx:abort");
  if (file.size > Number(form.dataset.maxBytes)) {
    preview.hidden = true;
    refuse(words.tooLarge);
    return;
  }
  show(file);
  form.requestSubmit();
}

function take(files) {
  if (files.length !== 1) {
    refuse(words.one);
    return;
  }
  chooser.files = files;
  ask();
}

// What cannot be shown (a text that was dropped) leaves no broken picture behind.
preview.firstElementChild.addEventListener("error", () => { preview.hidden = true; });
// Without this, choosing the same file again would be no change.
chooser.addEventListener("click", () => { chooser.value = ""; });
chooser.addEventListener("change", ask);

document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) {
    event.preventDefault();
    take(event.clipboardData.files);
  }
});

let depth = 0;
const carriesFiles = (event) => event.dataTransfer.types.includes("Files");
document.addEventListener("dragenter", (event) => {
  if (!carriesFiles(event)) return;
  depth += 1;
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!carriesFiles(event)) return;
  depth -= 1;
  if (depth <= 0) stopDragging();
});
document.addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  stopDragging();
  take(event.dataTransfer.files);
});

function stopDragging() {
  depth = 0;
  document.body.classList.remove("dragging");
}

// ---- what comes back

let keepsFocus = true;

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target !== form) return;
  about.setAttribute("aria-busy", "true");
  announce(words.looking);
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.target === form) about.removeAttribute("aria-busy");
});

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target === result) keepsFocus = !result.contains(document.activeElement);
});

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.id === "options") {
    opened(event.detail.target);
  } else if (event.detail.target === result) {
    const said = result.querySelector("[data-announce]");
    if (said) announce(said.textContent);
    // What had the focus is gone: the next thing to press gets it, so that the keyboard does not start over.
    if (!keepsFocus) result.querySelector("[data-focus]")?.focus();
    else if (result.getBoundingClientRect().bottom > innerHeight) about.scrollIntoView();
  }
});

document.addEventListener("htmx:sendError", (event) => {
  if (event.target.role !== "combobox") refuse(words.offline);
});

result.addEventListener("click", (event) => {
  const wrong = event.target.closest("#wrong");
  if (!wrong) return;
  const panel = document.getElementById("who-is-it");
  panel.hidden = !panel.hidden;
  wrong.setAttribute("aria-expanded", String(!panel.hidden));
});

// ---- the type-ahead: a combobox with a listbox, as the ARIA Authoring Practices describe it

const box = () => document.getElementById("q");
const list = () => document.getElementById("options");
const isOpen = () => !list().hidden;

function opened(options) {
  const any = options.childElementCount > 0 && document.activeElement === box();
  options.hidden = !any;
  box().setAttribute("aria-expanded", String(any));
  box().removeAttribute("aria-activedescendant");
  if (any && options.dataset.then) mark(options.dataset.then === "last" ? options.childElementCount - 1 : 0);
  delete options.dataset.then;
}

function close() {
  list().hidden = true;
  box().setAttribute("aria-expanded", "false");
  box().removeAttribute("aria-activedescendant");
}

function marked() {
  return list().querySelector("[aria-selected=true]");
}

function mark(index) {
  const options = [...list().children];
  const option = options[(index + options.length) % options.length];
  options.forEach((each) => each.setAttribute("aria-selected", String(each === option)));
  box().setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function move(step) {
  if (!isOpen()) {
    list().dataset.then = step > 0 ? "first" : "last";
    htmx.trigger(box(), "open");
    return;
  }
  const now = [...list().children].indexOf(marked());
  mark(now < 0 && step < 0 ? -1 : now + step);
}

function choose(option) {
  box().value = option.textContent;
  box().form.elements.slug.value = option.dataset.slug;
  close();
  box().form.requestSubmit();
}

result.addEventListener("keydown", (event) => {
  if (event.target.role !== "combobox" || event.isComposing) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter" && isOpen() && marked()) {
    event.preventDefault();
    choose(marked());
  } else if (event.key === "Escape") {
    event.preventDefault();
    if (isOpen()) close();
    else box().value = "";
  }
});

result.addEventListener("input", (event) => {
  // Whoever types on means something other than what was picked.
  if (event.target.role === "combobox") event.target.form.elements.slug.value = "";
});

result.addEventListener("mousedown", (event) => {
  if (event.target.closest("[role=option]")) event.preventDefault(); // the field keeps the focus
});

result.addEventListener("click", (event) => {
  const option = event.target.closest("[role=option]");
  if (option) choose(option);
});

result.addEventListener("focusout", (event) => {
  if (event.target.role === "combobox" && list()) close();
});
