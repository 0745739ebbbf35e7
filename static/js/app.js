// Everything the pages do in the browser besides htmx. One listener for each kind of event, no state, no inline code.
(() => {
  "use strict";
  const root = document.documentElement;
  const $ = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // --- theme: the server renders the attribute; here it only changes without a reload ---------------------------------
  const isDark = () =>
    root.dataset.theme === "dark" || (root.dataset.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  const aimThemeButton = () => all("[data-theme-button]").forEach((button) => (button.value = isDark() ? "light" : "dark"));
  document.addEventListener("hub:theme", (event) => {
    root.dataset.theme = event.detail.theme;
    root.dataset.bsTheme = event.detail.theme;
    aimThemeButton();
  });

  // --- dialogs, menus, toasts ---------------------------------------------------------------------------------------
  function open(id) {
    const dialog = document.getElementById(id);
    if (!dialog || dialog.open) return false;
    dialog.showModal();
    if (id === "palette") openPalette(dialog);
    return true;
  }

  function toast(text, state) {
    const region = $("#toasts");
    const note = document.createElement("div");
    note.className = "toast-note";
    note.dataset.status = state;
    const words = document.createElement("p");
    words.textContent = text;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "icon-btn";
    button.dataset.dismiss = "";
    button.setAttribute("aria-label", "Dismiss");
    button.textContent = "×";
    note.append(words, button);
    region?.append(note);
    return note;
  }

  // Good news leaves by itself, unless somebody is reading it; everything else waits to be dismissed.
  function fadeToasts() {
    all("[data-toast=success]").forEach((note) => {
      if (note.dataset.timed) return;
      note.dataset.timed = "1";
      setTimeout(function leave() {
        note.matches(":hover, :focus-within") ? setTimeout(leave, 3000) : note.remove();
      }, 8000);
    });
  }

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    let found;
    if ((found = hit("[data-open]"))) {
      if (open(found.dataset.open)) event.preventDefault();
    } else if ((found = hit("[data-close]"))) {
      found.closest("dialog")?.close();
    } else if ((found = hit("[data-dismiss]"))) {
      found.closest(".toast-note, .notice")?.remove();
    } else if ((found = hit("[data-copy]"))) {
      copy(found);
    } else if (event.target.matches("dialog.box")) {
      const box = event.target.getBoundingClientRect();
      const outside = event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
      if (outside && event.detail) event.target.close();
    }
    all("details.menu[open]").forEach((menu) => menu.contains(event.target) || (menu.open = false));
  });

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      const note = toast("Copied.", "ok");
      setTimeout(() => note.remove(), 4000);
    } catch {
      toast("The browser did not allow copying. Select the text and copy it by hand.", "warn");
    }
  }

  // --- palette: arrow keys choose, Enter opens, Shift+Enter opens in a new tab ----------------------------------------
  function openPalette(dialog) {
    const input = $("input", dialog);
    input.select();
    window.htmx?.trigger(input, "palette");
  }

  function choose(list, input, step) {
    const hits = all("a.hit", list);
    if (!hits.length) return;
    const at = hits.findIndex((hit) => hit.getAttribute("aria-selected") === "true");
    const next = hits[(at + step + hits.length) % hits.length] || hits[0];
    hits.forEach((hit) => hit.setAttribute("aria-selected", String(hit === next)));
    input.setAttribute("aria-activedescendant", next.id);
    next.scrollIntoView({ block: "nearest" });
  }

  function paletteKey(event, dialog) {
    const list = $("#palette-hits", dialog);
    const input = $("input", dialog);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      choose(list, input, event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      const hit = $('[aria-selected="true"]', list) || $("a.hit", list);
      if (!hit?.href) return;
      event.shiftKey ? window.open(hit.href, "_blank", "noopener") : location.assign(hit.href);
    } else return;
    event.preventDefault();
  }

  // --- keys on lists: j k move, x select, Enter opens, / filters -------------------------------------------------------
  function rowKey(event) {
    const rows = all("table[data-keys] tbody tr");
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.classList.contains("cursor"));
    if (event.key === "j" || event.key === "k") {
      const next = rows[Math.min(Math.max(at + (event.key === "j" ? 1 : -1), 0), rows.length - 1)];
      rows[at]?.classList.remove("cursor");
      next.classList.add("cursor");
      next.scrollIntoView({ block: "nearest" });
    } else if (event.key === "x" && at >= 0) {
      $("input[type=checkbox]", rows[at])?.click();
    } else if (event.key === "Enter" && at >= 0) {
      $("a", rows[at])?.click();
    }
  }

  // --- keys on a page of steps: n p move, v marks as viewed ------------------------------------------------------------
  function stepKey(event) {
    const steps = all("[data-step]");
    if (!steps.length) return;
    const at = steps.indexOf(document.activeElement);
    if (event.key === "n" || event.key === "p") {
      steps[Math.min(Math.max(at + (event.key === "n" ? 1 : -1), 0), steps.length - 1)].focus();
    } else if (event.key === "v" && at >= 0) {
      $("[data-viewed]", steps[at])?.click();
    }
  }

  // --- grids ------------------------------------------------------------------------------------------------------
  // One stop of the Tab key for a whole grid; arrows move within it. Without script every cell is a stop.
  function gridKey(event, grid) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const cell = event.target.closest("td, th");
    let [row, column] = [cell.parentElement.sectionRowIndex, cell.cellIndex];
    for (;;) {
      [row, column] = [row + step[0], column + step[1]];
      const next = grid.tBodies[0].rows[row]?.cells[column];
      if (!next) return;
      const link = $("a", next);
      if (link) return gridFocus(grid, link);
    }
  }

  function gridFocus(grid, link) {
    all("td a", grid).forEach((each) => (each.tabIndex = each === link ? 0 : -1));
    link.focus();
  }

  all("[data-grid]").forEach((grid) => {
    const links = all("td a", grid);
    links.forEach((link, index) => (link.tabIndex = index === links.length - 1 ? 0 : -1));
    const scroller = grid.closest(".tw");
    if (scroller) scroller.scrollLeft = scroller.scrollWidth;
  });

  document.addEventListener("keydown", (event) => {
    const palette = $("#palette[open]");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      palette ? palette.close() : open("palette");
      return;
    }
    if (palette) return paletteKey(event, palette);
    if (event.key === "Escape") all("details.menu[open]").forEach((menu) => { menu.open = false; $("summary", menu).focus(); });
    const grid = event.target.closest("[data-grid]");
    if (grid) gridKey(event, grid);
    if (event.target.closest("input, select, textarea, button, a, summary, dialog, [contenteditable]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || document.body.dataset.shortcuts === "off") return;
    const field = $(`[data-key="${CSS.escape(event.key)}"]`);
    if (field) {
      event.preventDefault();
      field.matches("[type=radio]") ? field.click() : field.focus();
    } else {
      rowKey(event);
      stepKey(event);
    }
  });

  // --- forms --------------------------------------------------------------------------------------------------------
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (field.matches("form[data-autosubmit] select")) field.form.requestSubmit();
    if (field.matches("[data-select-all]")) {
      all("tbody .chk input", field.closest("table")).forEach((box) => (box.checked = field.checked));
    }
    if (field.matches(".chk input")) countSelected(field.closest("table"));
    if (field.form?.matches("[data-guard]")) field.form.dataset.changed = "1";
  });

  function countSelected(table) {
    const boxes = all("tbody .chk input", table);
    const chosen = boxes.filter((box) => box.checked);
    boxes.forEach((box) => box.closest("tr").setAttribute("aria-selected", String(box.checked)));
    all(`[data-bulk="${table.id}"]`).forEach((bar) => {
      bar.hidden = !chosen.length;
      const count = $("[data-count]", bar);
      if (count) count.textContent = chosen.length;
    });
  }

  document.addEventListener("input", (event) => {
    const wanted = event.target.dataset?.mustEqual;
    if (wanted !== undefined) event.target.setCustomValidity(event.target.value === wanted ? "" : `Type ${wanted} exactly.`);
  });

  // An empty drop-down or search field would only lengthen the address.
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-autosubmit]")) {
      all("input, select", event.target).forEach((field) => (field.disabled = !field.value));
    }
    delete event.target.dataset.changed;
  });
  addEventListener("pageshow", () => all("form[data-autosubmit] :disabled").forEach((field) => (field.disabled = false)));
  addEventListener("beforeunload", (event) => {
    if ($("form[data-guard][data-changed]")) event.preventDefault();
  });

  // --- htmx -----------------------------------------------------------------------------------------------------------
  // A hidden tab does not poll.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.elt.matches("[data-poll]")) event.preventDefault();
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    $("[data-focus]", event.detail.target)?.focus();
    fadeToasts();
  });
  document.addEventListener("htmx:responseError", (event) => {
    const { status, responseURL } = event.detail.xhr;
    const words = { 403: "Your roles do not include this.", 404: "This is no longer here. Reload the page.", 429: "Too many requests. Wait a little." };
    toast(`${words[status] || "The hub could not do this; the error is in its log."} (${status}, ${new URL(responseURL).pathname})`, "fail");
  });
  document.addEventListener("htmx:sendError", () => toast("The hub does not answer. Check the network and try again.", "fail"));

  aimThemeButton();
  fadeToasts();
  root.classList.add("js");
})();
