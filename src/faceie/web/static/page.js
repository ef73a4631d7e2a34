// The page works without this script. It adds keys, ranges, completion, and changes without a jump to the top.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const typing = (element) => element.matches?.("input:not([type=checkbox],[type=radio]), textarea, select");

// Changes: send the form, and show the answer in place of this page's content.

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post" || form.hasAttribute("data-plain")) return;
  event.preventDefault();
  if (document.body.hasAttribute("aria-busy")) return;
  const data = new FormData(form, event.submitter);
  const address = event.submitter?.hasAttribute("formaction") ? event.submitter.formAction : form.action;
  const body = form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
  const goal = goalAfter(form) ?? pending;
  closeList();
  document.body.setAttribute("aria-busy", "true");
  const response = await fetch(address, { method: "POST", body }).catch(() => null);
  if (response) await show(response, goal);
  else say("The page has ended. Run faceie browse again; everything that you have said is saved.");
  document.body.removeAttribute("aria-busy");
});

let pending = null; // the element to go to, while a question is shown

async function show(response, goal) {
  const answer = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!response.ok) {
    say($("[role=alert]", answer)?.textContent ?? answer.body.textContent);
    return;
  }
  const focus = $("[autofocus]", answer);
  focus?.removeAttribute("autofocus");
  const [place, top] = [location.pathname, scrollY];
  const address = new URL(response.url);
  document.title = answer.title;
  before = null;
  for (const part of ["#main", "#notice", ".bar"]) $(part).replaceWith(document.adoptNode($(part, answer)));
  if (response.redirected) history[address.pathname === place ? "replaceState" : "pushState"](null, "", address);
  ready();
  scrollTo(0, address.pathname === place ? top : 0);
  const found = goal?.();
  pending = found || response.redirected ? null : goal;
  const next = focus ?? found ?? $("#main");
  next.focus({ preventScroll: next.id === "main" });
}

// What to go to after a change: the name of the next card, since this card may go elsewhere; or the face that comes
// to the place of the first selected one.
function goalAfter(form) {
  const card = form.closest("li");
  if (card && form.dataset.then === "next") {
    const next = [card.nextElementSibling, card.previousElementSibling].find((one) => one?.className === card.className);
    const other = next && $("form[data-then] input[name=name]", next);
    return other && (() => $(`form[action="${other.form.getAttribute("action")}"] input[name=name]`));
  }
  const cards = $$("[data-grid] > li", form);
  const first = cards.findIndex((one) => $(":checked", one));
  return first < 0 ? null : () => $$("#main form:not(.similar) [data-grid] > li [type=checkbox]").slice(0, first + 1).pop();
}

function say(text) {
  const line = document.createElement("p");
  line.className = "notice";
  line.textContent = text;
  $("#notice").replaceChildren(line);
}

addEventListener("popstate", () => location.pathname + location.search !== shown && location.reload());

// Keys: a letter for each action. Those of the card with the focus come first.

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape") return escape(event);
  if (typing(event.target) || $("dialog[open]")) return;
  if (event.key === "?") return showKeys();
  if (event.key.startsWith("Arrow")) return move(event);
  const goal = withKey(event.key);
  if (!goal || !lettersWork()) return;
  event.preventDefault();
  if (typing(goal)) goal.focus();
  else goal.click();
});

function withKey(key) {
  const card = document.activeElement.closest?.("li");
  const places = [card, $("#main"), document].filter(Boolean);
  const found = places.flatMap((place) => $$(`[data-key="${CSS.escape(key)}"]`, place));
  return found.find((element) => !element.disabled && element.getClientRects().length);
}

function escape(event) {
  if (closeList()) return;
  if (typing(event.target)) event.target.closest("li")?.querySelector("a, [type=checkbox]").focus() ?? event.target.blur();
  else if ($("#main :checked")) $$("#main :checked").forEach((box) => (box.checked = false)), count();
  else $("#notice").replaceChildren();
}

function move(event) {
  const cards = $$("[data-grid] > li");
  const here = cards.indexOf(document.activeElement.closest?.("[data-grid] > li"));
  if (!cards.length || (here < 0 && event.target !== document.body && event.target.id !== "main")) return;
  const row = cards.filter((card) => card.offsetTop === cards[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row }[event.key];
  const goal = here < 0 ? cards[0] : cards[here + step];
  if (!goal) return;
  event.preventDefault();
  $("a.open, [type=checkbox]", goal).focus();
}

const lettersWork = () => localStorage.getItem("letters") !== "off";

function showKeys() {
  const keys = new Map();
  for (const element of $$("[data-key]")) {
    if (!keys.has(element.dataset.key)) keys.set(element.dataset.key, element.dataset.does ?? labelOf(element));
  }
  if ($("[data-grid]")) keys.set("arrows", "Go from face to face");
  keys.set("Esc", "Leave a field, or select nothing");
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "keys");
  dialog.innerHTML = `<h2 id="keys">Keys</h2><dl></dl><form method="dialog">
    <label><input type="checkbox"> Letters work as keys</label><button autofocus>Close</button></form>`;
  for (const [key, text] of keys) {
    const [term, about] = [document.createElement("dt"), document.createElement("dd")];
    term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    about.textContent = text;
    $("dl", dialog).append(term, about);
  }
  const box = $("input", dialog);
  box.checked = lettersWork();
  box.addEventListener("change", () => localStorage.setItem("letters", box.checked ? "on" : "off"));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

const labelOf = (element) =>
  (element.type === "checkbox" ? "Select" : element.textContent.trim() || element.placeholder || element.ariaLabel);

// Selection: shift selects a range, and the number of selected faces is shown.

let last = null;

document.addEventListener("click", (event) => {
  const box = event.target.closest("label")?.control ?? event.target;
  if (event.target.closest("[data-keys]")) return showKeys();
  if (box.type !== "checkbox" || !box.closest("[data-grid]")) return;
  if (event.target !== box && !event.shiftKey) return; // the browser sends another click to the box
  const boxes = $$("[data-grid] [type=checkbox]");
  if (event.shiftKey && boxes.includes(last)) {
    if (event.target !== box) {
      event.preventDefault();
      box.checked = !box.checked;
    }
    const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
    for (const one of boxes.slice(from, to + 1)) one.checked = box.checked;
    getSelection().removeAllRanges();
  }
  last = box;
  count();
});

function count() {
  for (const output of $$("[data-count]")) {
    const form = output.closest("form");
    const selected = [...form.elements].filter((one) => one.type === "checkbox" && one.checked).length;
    output.textContent = selected ? `${selected} selected` : "";
  }
}

// Names: those that begin like the text, while it is typed.

let asked = 0;

document.addEventListener("input", async (event) => {
  const field = event.target;
  if (!field.matches("[data-names]")) return;
  const number = ++asked;
  if (!field.value.trim()) return closeList();
  const response = await fetch(`/names?like=${encodeURIComponent(field.value.trim())}`).catch(() => null);
  if (!response?.ok || number !== asked || document.activeElement !== field) return;
  const people = await response.json();
  if (number === asked) openList(field, people);
});

function openList(field, people) {
  closeList();
  const text = field.value.trim();
  const list = Object.assign(document.createElement("ul"), { id: "names", className: "names" });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Names");
  list.dataset.text = text;
  const same = people.findIndex((person) => person.name.toLowerCase() === text.toLowerCase());
  if (same < 0) {
    list.append(optionOf(field, text, `New: ${text}`));
  }
  for (const person of people) {
    const option = optionOf(field, person.name, person.name);
    option.prepend(Object.assign(document.createElement("img"), { alt: "", src: person.picture }));
    option.append(Object.assign(document.createElement("small"), { textContent: person.faces }));
    list.append(option);
  }
  const place = field.getBoundingClientRect();
  list.style.setProperty("left", `${Math.max(8, Math.min(place.left + scrollX, innerWidth - 272))}px`);
  list.style.setProperty("top", `${place.bottom + scrollY + 4}px`);
  for (const [name, value] of [["role", "combobox"], ["aria-controls", "names"], ["aria-expanded", "true"]])
    field.setAttribute(name, value);
  $("#main").append(list); // within a landmark
  if (place.bottom + list.offsetHeight + 8 > innerHeight && place.top > list.offsetHeight)
    list.style.setProperty("top", `${place.top + scrollY - list.offsetHeight - 4}px`);
  [...list.children].forEach((option, index) => (option.id = `name-${index}`));
  choose(field, Math.max(same, 0)); // Enter saves what was typed
}

function optionOf(field, name, text) {
  const option = document.createElement("li");
  option.setAttribute("role", "option");
  option.dataset.name = name;
  option.append(Object.assign(document.createElement("span"), { textContent: text }));
  option.addEventListener("mousedown", (event) => {
    event.preventDefault(); // the field keeps the focus
    take(field, option);
    field.form.requestSubmit();
  });
  return option;
}

function choose(field, index) {
  const options = $$("#names [role=option]");
  options.forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
  field.setAttribute("aria-activedescendant", options[index].id);
}

function closeList() {
  asked++;
  const list = $("#names");
  list?.remove();
  const field = $("[aria-expanded=true][data-names]");
  for (const name of ["role", "aria-controls", "aria-expanded", "aria-activedescendant"]) field?.removeAttribute(name);
  return list !== null;
}

function take(field, option) {
  field.value = option.dataset.name;
  closeList();
}

document.addEventListener("keydown", (event) => {
  const field = event.target;
  if (!$("#names") || !field.matches?.("[data-names]")) return;
  const options = $$("#names [role=option]");
  const chosen = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(field, (chosen + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length);
  } else if (event.key === "Enter" && $("#names").dataset.text === field.value.trim()) { // not those of a shorter text
    take(field, options[chosen]); // and the form is sent
  }
});

document.addEventListener("focusout", (event) => event.target.matches("[data-names]") && closeList());

// A run of faceie index, and the faces that it has found since this page was made.

let before = null;

async function watch() {
  if (document.hidden) return;
  const status = await fetch("/status").then((response) => response.json()).catch(() => null);
  const place = $("#status");
  if (!status) return;
  before ??= status;
  const found = status.faces - before.faces;
  const isNews = found > 0 || (status.grouped && !before.grouped);
  const texts = [];
  if (status.run) texts.push(`Indexing: ${status.run.map((one) => one.toLocaleString("en")).join(" of ")} photos`);
  if (!status.grouped) texts.push("Grouping faces");
  place.replaceChildren(texts.join(". "));
  if (isNews) {
    const link = Object.assign(document.createElement("a"), { href: location.href });
    link.textContent = found > 0 ? `Show ${found.toLocaleString("en")} new ${found === 1 ? "face" : "faces"}` : "Show";
    place.append(" ", link);
  }
  place.hidden = !place.textContent;
}

setInterval(watch, 5000);

// After each change of the content.

let shown = ""; // the address of the content: a link within the page does not change it

function ready() {
  $("[data-keys]").hidden = false;
  $(".bar [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  watch();
  last = null;
  count();
  const address = new URL(location);
  if (address.searchParams.has("done") || address.searchParams.has("undone")) {
    for (const name of ["done", "undone"]) address.searchParams.delete(name);
    history.replaceState(null, "", address);
  }
  shown = location.pathname + location.search;
  document.dispatchEvent(new Event("page"));
}

ready();
