"use strict";
// Show what an individual is, and mark it in every picture and table, while the pointer is on it.
const tip = document.getElementById("tip");

function mark(target, on) {
  for (const one of document.querySelectorAll(`[data-number="${target.dataset.number}"]`)) {
    one.classList.toggle("on", on);
  }
}

function show(target, x, y) {
  if (!target.dataset.tip) return;
  tip.textContent = target.dataset.tip;
  tip.style.display = "block";
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18}px`;
}

for (const target of document.querySelectorAll("[data-number]")) {
  target.addEventListener("pointerenter", (event) => {
    mark(target, true);
    show(target, event.clientX, event.clientY);
  });
  target.addEventListener("pointermove", (event) => show(target, event.clientX, event.clientY));
  target.addEventListener("focus", () => {
    const box = target.getBoundingClientRect();
    mark(target, true);
    show(target, box.right, box.bottom);
  });
  for (const end of ["pointerleave", "blur"]) {
    target.addEventListener(end, () => {
      mark(target, false);
      tip.style.display = "none";
    });
  }
}
