// The type-ahead of a case: a combobox with a listbox, as the ARIA Authoring Practices describe it.

const now = document.getElementById("now");
export const box = () => now?.querySelector("[role=combobox]");
const list = () => now.querySelector("[role=listbox]");
let asking = null;

export async function suggest() {
  const field = box();
  asking?.abort();
  asking = new AbortController();
  try {
    const address = field.dataset.suggest + "&q=" + encodeURIComponent(field.value);
    const response = await fetch(address, { signal: asking.signal, headers: { "HX-Request": "true" } });
    if (!response.ok || field !== box()) return;
    const answer = document.createElement("template");
    answer.innerHTML = await response.text();
    list().replaceChildren(answer.content);
    const open = list().childElementCount > 0 && document.activeElement === field;
    list().hidden = !open;
    field.setAttribute("aria-expanded", String(open));
    field.removeAttribute("aria-activedescendant");
  } catch { /* the next letter asks again */ }
}

export function close() {
  if (!list()) return;
  list().hidden = true;
  box().setAttribute("aria-expanded", "false");
  box().removeAttribute("aria-activedescendant");
}

const marked = () => list().querySelector("[aria-selected=true]");

function mark(index) {
  const options = [...list().children];
  if (!options.length) return;
  const option = options[(index + options.length) % options.length];
  options.forEach((each) => each.setAttribute("aria-selected", String(each === option)));
  box().setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

export function choose(option) {
  const { form } = box();
  form.elements.slug.value = option.dataset.slug;
  box().value = option.textContent;
  close();
  form.requestSubmit();
}

export async function typed(event) {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    if (list().hidden) await suggest();
    const at = [...list().children].indexOf(marked());
    mark(at < 0 && step < 0 ? -1 : at + step);
  } else if (event.key === "Enter" && !list().hidden && marked()) {
    event.preventDefault();
    choose(marked());
  } else if (event.key === "Escape") {
    event.preventDefault();
    if (!list().hidden) close();
    else { box().value = ""; box().closest(".case").focus(); }
  }
}
