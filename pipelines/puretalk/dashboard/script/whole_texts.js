// The whole text of a cell that is cut, where the pointer rests on it.

function giveTitle(event) {
  const node = event.target.closest?.(".cell, .open, .row-opener, .name, #detail-name");
  if (!node) return;
  const isCut = node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight + 1;
  if (isCut) node.title = node.textContent;
  else if (node.id) node.title = "";
}

export function startWholeTexts() {
  document.addEventListener("mouseover", giveTitle);
}
