// Photos: names on their boxes, boxes drawn with the mouse or a finger, and photos dropped on the page.
"use strict";

document.addEventListener("page", () => {
  const figure = $("[data-photo]");
  if (figure) labelBoxes(figure);
  for (const address of ($("[data-preload]")?.dataset.preload ?? "").split(" ").filter(Boolean)) new Image().src = address;
});

// Names on the boxes. The style of the page allows no style attributes, so boxes are an SVG, which would scale text.

function labelBoxes(figure) {
  const [width, height] = [$("svg", figure).viewBox.baseVal.width, $("svg", figure).viewBox.baseVal.height];
  for (const box of $$(".box[data-name]", figure)) {
    if (!box.dataset.name) continue;
    const { x, y, height: tall } = $("rect", box).getBBox();
    const label = Object.assign(document.createElement("span"), { className: "label", textContent: box.dataset.name });
    label.setAttribute("aria-hidden", "true");
    label.style.setProperty("left", `${(100 * Math.max(x, 0)) / width}%`);
    label.style.setProperty("top", `${(100 * (y + tall)) / height}%`);
    figure.append(label);
  }
}

// A box leads to the line of its face, and a line shows its box.

document.addEventListener("click", (event) => {
  const box = event.target.closest?.(".picture a.box");
  if (!box) return;
  event.preventDefault(); // the address of a field would be another entry of the history
  const field = $(`#who-${box.dataset.face}`);
  field?.focus();
  field?.select();
});

for (const [type, on] of [["focusin", true], ["focusout", false], ["mouseover", true], ["mouseout", false]]) {
  document.addEventListener(type, (event) => {
    const face = event.target.closest?.("li[data-face]")?.dataset.face;
    if (face) $(`.box[data-face="${face}"]`)?.classList.toggle("shown", on);
  });
}

// Draw a box.

let start = null;

document.addEventListener("pointerdown", (event) => {
  const figure = event.target.closest?.("[data-photo]");
  if (!figure || event.button !== 0 || event.pointerType === "touch" && !event.isPrimary) return;
  start = { figure, at: pointIn(figure, event), id: event.pointerId };
});

document.addEventListener("pointermove", (event) => {
  if (!start || event.pointerId !== start.id) return;
  const box = boxTo(pointIn(start.figure, event));
  if (!start.drawing && box.width * $("svg", start.figure).getScreenCTM().a < 6) return; // a click
  start.drawing = true;
  showBox(start.figure, box);
});

document.addEventListener("pointerup", (event) => {
  if (!start || event.pointerId !== start.id) return;
  const { figure, drawing } = start;
  const box = boxTo(pointIn(figure, event));
  start = null;
  if (!drawing) return;
  figure.addEventListener("click", (click) => (click.preventDefault(), click.stopPropagation()), { capture: true, once: true });
  setTimeout(() => figure.dispatchEvent(new MouseEvent("click"))); // so that it does not wait for a later click
  const form = $("[data-draw]");
  const sides = [box.x, box.y, box.x + box.width, box.y + box.height];
  ["x1", "y1", "x2", "y2"].forEach((name, at) => (form.elements[name].value = Math.round(sides[at])));
  form.elements.name.focus();
});

document.addEventListener("pointercancel", () => (start = null));
document.addEventListener("dragstart", (event) => event.target.closest?.("[data-photo]") && event.preventDefault());

function pointIn(figure, event) {
  const svg = $("svg", figure);
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  const { width, height } = svg.viewBox.baseVal;
  return { x: Math.min(Math.max(point.x, 0), width), y: Math.min(Math.max(point.y, 0), height) };
}

function boxTo(end) {
  const { at } = start;
  const [x, y] = [Math.min(at.x, end.x), Math.min(at.y, end.y)];
  return { x, y, width: Math.abs(at.x - end.x), height: Math.abs(at.y - end.y) };
}

function showBox(figure, box) {
  const svg = $("svg", figure);
  const rect = $(".drawn", svg) ?? svg.appendChild(document.createElementNS(svg.namespaceURI, "rect"));
  rect.setAttribute("class", "drawn");
  for (const [name, value] of Object.entries(box)) rect.setAttribute(name, value);
}

// Sides that are typed are drawn, too.

document.addEventListener("input", (event) => {
  const form = event.target.closest?.("[data-draw]");
  if (!form || !["x1", "y1", "x2", "y2"].includes(event.target.name)) return;
  const [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map((name) => parseFloat(form.elements[name].value));
  if (x2 > x1 && y2 > y1) showBox($("[data-photo]"), { x: x1, y: y1, width: x2 - x1, height: y2 - y1 });
});

// Photos that are dropped anywhere are searched.

document.addEventListener("dragover", (event) => {
  if (![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});

document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));

document.addEventListener("drop", async (event) => {
  document.body.classList.remove("dropping");
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  search(event.dataTransfer.files);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-drop] [type=file]") && event.target.files.length) event.target.form.requestSubmit();
});

async function search(files) {
  const data = new FormData($("[data-drop]") ?? undefined);
  data.delete("photo");
  for (const file of files) data.append("photo", file);
  document.body.setAttribute("aria-busy", "true");
  say("Looking for faces ...");
  try {
    const response = await fetch("/search", { method: "POST", body: data });
    if (response.ok) {
      history.pushState(null, "", "/search");
      $("#notice").replaceChildren();
    }
    await show(response);
  } catch {
    say("The page has ended. Run faceie browse again.");
  }
  document.body.removeAttribute("aria-busy");
}

document.dispatchEvent(new Event("page"));
