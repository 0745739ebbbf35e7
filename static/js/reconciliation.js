// Keys of the matching screen: space ticks the row under the cursor, m matches, Shift+m opens the note first, u undoes.
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.body.dataset.shortcuts === "off") return;
    if (event.target.closest("input, select, textarea, button, a, summary, dialog, [contenteditable]")) return;
    if (event.key === "m") $("[data-match]")?.click();
    else if (event.key === "M") note();
    else if (event.key === "u") $("tr.cursor [data-undo], [data-undo]")?.focus();
    else if (event.key === " " && $("tr.cursor .chk input")) $("tr.cursor .chk input").click();
    else return;
    event.preventDefault();
  });

  function note() {
    const more = $("[data-note]");
    if (!more) return;
    more.open = true;
    $("textarea", more).focus();
  }
})();
