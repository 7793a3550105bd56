// What the console does beside its forms: keys, the next case at once, telling screen readers, letting go of
// cases. Every word it shows comes from the server; without it every form works by itself.

import { close, box, suggest, typed, choose } from "./typeahead.js";

const queue = document.getElementById("queue");
const now = document.getElementById("now");
const said = document.getElementById("said");
const live = document.getElementById("live");
const keys = document.getElementById("keys");
const HELD = "whosthat-held"; // cases that this tab has claimed
const KEYS_OFF = "whosthat-keys-off";

// ---- what a case is on the page

let ahead = []; // cases that are here and not shown yet, the next one first
let sending = Promise.resolve();
const deciding = new Set(); // cards whose decision is under way

const current = () => now.querySelector(".case");
const idOf = (card) => card.dataset.case;
const copyOf = (id) => document.getElementById(id).content.cloneNode(true);

function announce(text) {
  // The same sentence twice is only said again when the region was empty in between.
  live.textContent = "";
  requestAnimationFrame(() => { live.textContent = text; });
}

function preload(card) {
  const picture = card.querySelector("img.large");
  if (picture) new Image().src = picture.getAttribute("src");
}

function cardsOf(fragment) {
  return [...fragment.querySelectorAll(".case")].map((card) => document.adoptNode(card));
}

function show(card) {
  now.replaceChildren(card);
  (now.querySelector(".case, .done") ?? now).focus?.({ preventScroll: true });
  scrollTo({ top: 0 });
  keep();
}

function showNext() {
  if (ahead.length) show(ahead.shift());
  else show(copyOf(deciding.size ? "waiting" : "done"));
}

function tell(line) {
  said.replaceChildren(line);
  const title = current()?.querySelector("h2");
  announce(line.textContent + (title ? " " + title.textContent : ""));
}

function tellOffline() {
  const line = document.createElement("p");
  line.className = "refused";
  line.textContent = document.body.dataset.offline;
  tell(line);
}

// ---- deciding: the next case is there at once, and what has become of the last one is said when it is known

async function post(form, fields) {
  const response = await fetch(form.getAttribute("action"), {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { "HX-Request": "true" },
  });
  if (response.status === 401) location.reload();
  const answer = document.createElement("template");
  answer.innerHTML = await response.text();
  return { response, fragment: answer.content };
}

function decide(form, button) {
  const card = form.closest(".case");
  const fields = [...new FormData(form)];
  if (button?.name) fields.push([button.name, button.value]);
  if (!button?.name && !form.elements.slug.value) {
    answerTo(card, form, fields); // a name that was typed may not be anybody's: the case stays until that is known
    return;
  }
  deciding.add(card);
  history.replaceState(null, "", "/review" + queue.dataset.query); // not back to this very case
  showNext();
  sending = sending.then(() => answerTo(card, form, fields));
}

async function answerTo(card, form, fields) {
  const others = () => [current(), ...ahead].filter((each) => each && each !== card).map(idOf);
  const under = [...deciding].map(idOf).join(",");
  let answer = null;
  try {
    answer = await post(form, [...fields, ["showing", others().join(",")], ["deciding", under]]);
  } catch { /* nobody is there */ }
  deciding.delete(card);
  const which = answer?.fragment.querySelector("[data-which]");
  if (which) {
    card.querySelector(".which")?.remove();
    form.after(which);
    announce(which.querySelector("p").textContent);
    which.querySelector("button")?.focus();
  } else if (!answer || !(answer.response.ok || answer.response.status === 409)) {
    if (!card.isConnected) back(card);
    if (answer) tell(answer.fragment.firstElementChild);
    else tellOffline();
  } else {
    took(answer.fragment);
    ahead.push(...cardsOf(answer.fragment).filter((each) => !others().includes(idOf(each))));
    ahead.forEach(preload);
    if (card.isConnected || !current()) showNext();
    keep();
    tell(answer.fragment.querySelector("[data-said]"));
  }
}

function took(fragment) {
  const progress = fragment.querySelector("#progress");
  if (progress) document.getElementById("progress").replaceWith(progress);
  const done = fragment.querySelector(".done");
  if (done) document.getElementById("done").content.replaceChildren(done);
}

function back(card) {
  const shown = current();
  if (shown) ahead.unshift(shown);
  show(card);
}

async function undo(form) {
  await sending;
  try {
    const { response, fragment } = await post(form, []);
    const [card] = cardsOf(fragment);
    if (response.ok && card) {
      ahead = ahead.filter((each) => idOf(each) !== idOf(card));
      if (current() && idOf(current()) === idOf(card)) show(card);
      else back(card);
    }
    took(fragment);
    tell(fragment.querySelector("[data-said], p"));
  } catch {
    tellOffline();
  }
}

// ---- letting go: whoever leaves holds nothing back from the other moderators

function held() {
  return queue ? [current(), ...ahead].filter(Boolean).map(idOf) : [];
}

function keep() {
  sessionStorage.setItem(HELD, held().join(","));
}

function release(ids) {
  if (ids.length) navigator.sendBeacon("/review/release", new URLSearchParams(ids.map((id) => ["case", id])));
}

let staying = false; // going on to another page of the console, which knows what this tab holds
document.addEventListener("click", (event) => { staying = Boolean(event.target.closest?.("a[href^='/review']")); });
document.addEventListener("submit", () => { staying = true; });
addEventListener("pagehide", () => {
  if (!queue || staying) return;
  release(held());
  sessionStorage.removeItem(HELD);
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // what is remembered may be decided by now
});

// ---- keys

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (event.target.role === "combobox") { typed(event); return; }
  if (event.target.closest("input, select, textarea, dialog")) return;
  if (event.key === "Enter" && event.target.closest("button, a, summary")) return; // it does what it says
  if (localStorage.getItem(KEYS_OFF)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const guess = current()?.querySelector(".guess");
  if (key === "?") keys.showModal();
  else if (key === "/") box()?.focus();
  else if (key === "b" && guess) guess.open = !guess.open;
  else {
    const button = queue.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (!button) return;
    button.form.requestSubmit(button);
  }
  event.preventDefault();
}

// ---- the queue's page

if (queue) {
  ahead = cardsOf(document.getElementById("ahead").content);
  ahead.forEach(preload);
  current()?.focus({ preventScroll: true });
  document.addEventListener("keydown", pressed);
  queue.addEventListener("submit", (event) => {
    if (event.target.matches(".decide")) {
      event.preventDefault();
      staying = false;
      decide(event.target, event.submitter);
    } else if (event.target.id === "undo") {
      event.preventDefault();
      staying = false;
      undo(event.target);
    }
  }, true);
  queue.addEventListener("input", (event) => {
    if (event.target.role !== "combobox") return;
    event.target.form.elements.slug.value = ""; // whoever types on means something else
    suggest();
  });
  queue.addEventListener("mousedown", (event) => {
    if (event.target.closest("[role=option]")) event.preventDefault(); // the field keeps the focus
  });
  queue.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    const copy = event.target.closest("[data-copy]");
    if (option) choose(option);
    if (copy) {
      event.preventDefault();
      now.querySelector("img.large").src = copy.getAttribute("href");
      for (const each of now.querySelectorAll("[data-copy]")) each.toggleAttribute("aria-current", false);
      copy.setAttribute("aria-current", "true");
    }
  });
  queue.addEventListener("focusout", (event) => { if (event.target.role === "combobox") close(); });
  document.getElementById("filter").addEventListener("change", (event) => event.currentTarget.requestSubmit());
  document.getElementById("show-keys").addEventListener("click", () => keys.showModal());
  const on = document.getElementById("keys-on");
  on.checked = !localStorage.getItem(KEYS_OFF);
  on.addEventListener("change", () => {
    if (on.checked) localStorage.removeItem(KEYS_OFF);
    else localStorage.setItem(KEYS_OFF, "yes");
  });
}

// ---- on any page

document.querySelector("nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
const before = (sessionStorage.getItem(HELD) ?? "").split(",").filter(Boolean);
if (document.querySelector("nav")) release(before.filter((id) => !held().includes(id)));
keep();

// Something is being made: look again until it is there.
const making = document.querySelector("[data-again]");
if (making) setTimeout(() => location.reload(), Number(making.dataset.again));

// A retraining goes on: its bar moves, and when something else is to be said, the whole part is another.
async function follow() {
  const shown = document.getElementById("training");
  if (!shown?.dataset.look) return;
  try {
    const answer = document.createElement("template");
    const response = await fetch(location.pathname, { headers: { "HX-Request": "true" } });
    if (response.status === 401) { location.reload(); return; }
    answer.innerHTML = await response.text();
    const fresh = answer.content.getElementById("training");
    if (fresh?.dataset.phase === shown.dataset.phase) {
      shown.querySelector("h2").textContent = fresh.querySelector("h2").textContent;
      shown.querySelector("progress").value = fresh.querySelector("progress").value;
    } else if (fresh) {
      const held = shown.contains(document.activeElement);
      shown.replaceWith(fresh);
      if (held) fresh.focus(); // on no button: nobody who was about to cancel shall say yes
      announce(fresh.querySelector("h2").textContent);
    }
  } catch { /* nobody is there; it is tried again */ }
  later();
}

function later() {
  const every = document.getElementById("training")?.dataset.look;
  if (every) setTimeout(follow, Number(every));
}

later();
