"use strict";
// Reads out what the pointer is nearest to, lifts that line out of the others, sorts tables.
const tip = document.getElementById("tip");

function show(text, event) {
  tip.textContent = text;
  tip.style.display = "block";
  const box = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 12, window.innerWidth - box.width - 6);
  const above = event.clientY - box.height - 10;
  tip.style.left = Math.max(6, left) + "px";
  tip.style.top = (above > 4 ? above : event.clientY + 14) + "px";
}

function lift(svg, name) {
  const lines = svg.querySelectorAll(".line, .member");
  svg.classList.toggle("faded", name !== null && lines.length > 1);
  for (const line of lines) line.classList.toggle("hot", line.dataset.name === name);
}

function leave(svg) {
  tip.style.display = "none";
  lift(svg, null);
}

function nearest(svg, event) {
  const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  let best = null;
  for (const line of svg.querySelectorAll(".line, .member")) {
    line.tips ??= JSON.parse(line.dataset.tips);
    for (const [x, y, at, value] of line.tips) {
      const distance = Math.hypot(x - place.x, y - place.y);
      if (distance < 28 && (!best || distance < best.distance)) best = { distance, line, at, value };
    }
  }
  return best;
}

for (const svg of document.querySelectorAll(".chart > svg")) {
  const point = (event) => {
    const marked = event.target.closest("[data-tip]");
    if (marked) return show(marked.dataset.tip, event);
    const found = nearest(svg, event);
    if (!found) return leave(svg);
    lift(svg, found.line.dataset.name);
    show(`${found.line.dataset.name}: ${svg.dataset.y} ${found.value} at ${svg.dataset.x} ${found.at}`, event);
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", () => leave(svg));
  for (const entry of svg.parentElement.querySelectorAll(".entry")) {
    entry.addEventListener("pointerenter", () => lift(svg, entry.dataset.name));
    entry.addEventListener("pointerleave", () => leave(svg));
  }
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const header = button.closest("th"), body = header.closest("table").tBodies[0];
    const up = header.getAttribute("aria-sort") !== "ascending";
    for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => {
      const { v } = row.cells[header.cellIndex].dataset;
      return v === undefined ? row.cells[header.cellIndex].textContent : Number(v);
    };
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (typeof x === "number" && typeof y === "number") return x - y;
      if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
      return String(x).localeCompare(String(y), undefined, { numeric: true });
    };
    body.append(...[...body.rows].sort((a, b) => (up ? order(a, b) : order(b, a))));
  });
}

window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
