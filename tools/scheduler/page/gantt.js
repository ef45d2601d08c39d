"use strict";
const chart = document.querySelector(".bars");

// Today, as whoever looks at the page has it.
const now = new Date();
const first = chart.dataset.first.split("-").map(Number);
const begin = new Date(first[0], first[1] - 1, first[2]);
const days = (now - begin) / 86400000;
if (days >= 0 && days < Number(chart.dataset.days)) {
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  const x = days * Number(chart.dataset.day);
  for (const [name, value] of Object.entries({ class: "today", x1: x, x2: x, y1: 0, y2: chart.getAttribute("height") }))
    line.setAttribute(name, value);
  chart.append(line);
}

// What a task waits for, and what waits for it.
const marked = document.querySelectorAll("[data-task]");
const arrows = document.querySelectorAll(".arrow");
function light(number) {
  const near = new Set([number]);
  for (const arrow of arrows) {
    const { from, to } = arrow.dataset, lit = from === number || to === number;
    arrow.classList.toggle("lit", lit);
    if (lit) near.add(from).add(to);
  }
  for (const mark of marked) mark.classList.toggle("lit", number !== null && near.has(mark.dataset.task));
}
for (const mark of marked) {
  mark.addEventListener("pointerenter", () => light(mark.dataset.task));
  mark.addEventListener("pointerleave", () => light(null));
}
