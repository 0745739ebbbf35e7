// Source lists of the mapping editor. The server sends the options; here they are only opened, walked and chosen.
(() => {
  "use strict";
  const $ = (selector, within = document) => within.querySelector(selector);
  const listOf = (input) => document.getElementById(input.getAttribute("aria-controls"));
  const inputOf = (list) => $(`[aria-controls="${list.id}"]`);
  const isCombo = (element) => element.matches?.("[data-combo] [role=combobox]");

  function close(input) {
    const list = listOf(input);
    if (list) list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function open(input) {
    listOf(input).hidden = false;
    input.setAttribute("aria-expanded", "true");
  }

  function mark(input, step) {
    const options = [...listOf(input).querySelectorAll("[role=option][data-value]")];
    if (!options.length) return;
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    const next = options[at < 0 ? (step > 0 ? 0 : options.length - 1) : (at + step + options.length) % options.length];
    options.forEach((option) => option.setAttribute("aria-selected", String(option === next)));
    input.setAttribute("aria-activedescendant", next.id);
    next.scrollIntoView({ block: "nearest" });
  }

  // In a row a choice is saved at once; in the inspector it only fills the field, and the preview follows.
  function settle(input) {
    input.dataset.settled = input.value;
    close(input);
    if (input.closest("[data-combo]").dataset.combo === "fill") {
      input.dispatchEvent(new Event("input", { bubbles: true }));
    } else if (input.value !== input.defaultValue) {
      input.defaultValue = input.value;
      input.form.requestSubmit();
    }
  }

  document.addEventListener("htmx:afterSwap", (event) => {
    const target = event.detail.target;
    if (target.matches("[data-combo] [role=listbox]")) {
      const input = inputOf(target);
      if (document.activeElement === input && input.dataset.settled !== input.value) open(input);
    }
    if (target.id === "inspector") point();
  });

  // The row that the inspector shows is marked, and changes elsewhere ask for it again.
  function point() {
    const { row, field } = $("#inspector [data-row]")?.dataset ?? {};
    $("#inspected").value = field ?? "";
    document.querySelectorAll("#rows tr.on").forEach((other) => other.classList.remove("on", "cursor"));
    if (row) document.getElementById(row)?.classList.add("on", "cursor");
  }

  document.addEventListener("focusin", (event) => {
    if (isCombo(event.target)) delete event.target.dataset.settled;
  });
  document.addEventListener("focusout", (event) => {
    if (isCombo(event.target)) close(event.target);
  });
  document.addEventListener("input", (event) => {
    if (isCombo(event.target) && event.target.dataset.settled !== event.target.value) delete event.target.dataset.settled;
  });
  document.addEventListener("change", (event) => {
    if (isCombo(event.target)) settle(event.target);
  });

  // The press must not take the focus away: the input would take its half-typed text for the choice.
  document.addEventListener("mousedown", (event) => {
    const option = event.target.closest("[data-combo] [role=option]");
    if (!option) return;
    event.preventDefault();
    if (option.dataset.value === undefined) return;
    const input = inputOf(option.parentElement);
    input.value = option.dataset.value;
    settle(input);
  });

  document.addEventListener("keydown", (event) => {
    const input = event.target;
    if (event.key === "Escape" && !isCombo(input) && input.closest?.(".map-drawer")) {
      $(".map-drawer [data-empties]").click();
      return;
    }
    if (!isCombo(input)) return;
    const list = listOf(input);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden && list.childElementCount) open(input);
      mark(input, event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      const chosen = list.hidden ? null : $('[aria-selected="true"]', list);
      if (chosen) input.value = chosen.dataset.value;
      settle(input);
    } else if (event.key === "Escape") {
      input.value = input.defaultValue;
      input.dataset.settled = input.value;
      close(input);
    } else return;
    event.preventDefault();
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    const link = event.detail.elt;
    if (link.matches("[data-empties]")) {
      document.getElementById(link.dataset.empties).replaceChildren();
      point();
    }
  });
})();
