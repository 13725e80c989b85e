// While runs go on, the page is loaded again, but not while a person is at work on it. What they have chosen, opened and
// scrolled to stays.
"use strict";
(() => {
  const { data, $ } = motif;
  const KEY = `motif ${location.pathname}`;
  const fields = () => [...document.querySelectorAll("main section:not(#episodes) :is(input, select)[id]")];
  const named = (node) => node.textContent.replace(/\d+/g, "");
  const folds = () => [...document.querySelectorAll("main details > summary")];
  const unfolds = () => [...document.querySelectorAll("button.unfold")];

  function keep() {
    sessionStorage.setItem(KEY, JSON.stringify({
      fields: fields().map((field) => [field.id, field.value, field.checked]),
      folds: folds().map((fold) => [named(fold), fold.parentElement.open]),
      unfolded: unfolds().filter((button) => button.getAttribute("aria-expanded") === "true").map(named),
      scroll: [scrollX, scrollY],
    }));
  }

  function restore(kept) {
    for (const [id, value, checked] of kept.fields) {
      const field = $(id);
      if (!field || (field.value === value && field.checked === checked)) continue;
      if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) continue;
      Object.assign(field, { value, checked });
      for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
    }
    for (const fold of folds()) {
      const known = kept.folds.find(([name]) => name === named(fold));
      if (known) fold.parentElement.open = known[1];
    }
    for (const button of unfolds()) if (kept.unfolded.includes(named(button))) button.click();
    scrollTo(...kept.scroll);
  }

  const kept = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  if (kept && performance.getEntriesByType("navigation")[0].type === "reload") {
    history.scrollRestoration = "manual";
    addEventListener("load", () => restore(JSON.parse(kept)));
  }
  if (!data.reload) return;
  let timer = null;
  const again = () => { clearTimeout(timer); timer = setTimeout(load, 1000 * data.reload); };
  const load = () => {
    if (!$("reload").checked || String(getSelection())) return again();
    location.reload();
  };
  addEventListener("pagehide", keep);
  for (const kind of ["pointerdown", "keydown", "wheel", "touchmove"]) addEventListener(kind, again, { passive: true });
  again();
})();
