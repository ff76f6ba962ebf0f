// The whole text of a cell that is cut, where the pointer rests on it.

function giveTitle(event) {
  const node = event.target.closest?.(".cell, .open");
  if (node && !node.title && node.scrollWidth > node.clientWidth) node.title = node.textContent;
}

export function startWholeTexts() {
  document.addEventListener("mouseover", giveTitle);
}
