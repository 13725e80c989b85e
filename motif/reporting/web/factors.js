// A sweep of several settings: main effects, and a heat map of two settings. It follows what is chosen at the top.
"use strict";
(() => {
  const { data, $, element, options, grid, known, MISSING } = motif;
  if (!data.places.some((place) => place.views.some((view) => view.factors.length))) return;
  let view = null;
  const percent = (value) => `${(100 * value).toFixed(1)}%`;
  const show = grid($("main-effects"), [
    { title: "setting", head: true, value: (row) => row.key, cell: (row) => row.key },
    { title: "value", value: (row) => (isNaN(row.value) ? row.value : Number(row.value)), cell: (row) => row.value },
    { title: "accuracy", right: true, value: (row) => row.mean, cell: (row) => percent(row.mean) },
    { title: "95 % interval over seeds", right: true, value: (row) => row.mean, cell: (row) => (row.interval ? row.interval.map(percent).join(" – ") : MISSING) },
    { title: "arms", right: true, value: (row) => row.arms, cell: (row) => String(row.arms) },
    { title: "seeds", right: true, value: (row) => row.seeds, cell: (row) => String(row.seeds) },
  ]);

  // Each cell is the mean of the arms that have both values; the darker, the better.
  function heat() {
    const [across, down] = [$("across").value, $("down").value];
    const values = (key) => view.factors.filter((row) => row.key === key).map((row) => row.value);
    const cells = values(down).map((y) => values(across).map((x) => view.rows.filter((row) => row.settings && row.settings[across] === x && row.settings[down] === y)));
    const means = cells.map((line) => line.map((rows) => (rows.length ? rows.reduce((sum, row) => sum + row.accuracy, 0) / rows.length : null)));
    const all = means.flat().filter(known), low = Math.min(...all), high = Math.max(...all);
    const shade = (value) => (known(value) ? `background: color-mix(in srgb, var(--link) ${Math.round(8 + (42 * (value - low)) / (high - low || 1))}%, var(--paper))` : null);
    $("heat").replaceChildren(
      element("thead", {}, element("tr", {}, element("th", {}, `${down} ↓  ${across} →`), ...values(across).map((x) => element("th", { scope: "col", class: "right" }, x)))),
      element("tbody", {}, ...values(down).map((y, i) => element("tr", {}, element("th", { scope: "row" }, y), ...values(across).map((x, j) =>
        element("td", { class: "right", style: shade(means[i][j]), title: cells[i][j].map((row) => `${row.arm}: ${row.accuracy.toFixed(1)}%`).join("\n") },
          known(means[i][j]) ? `${means[i][j].toFixed(1)}%` : MISSING, element("small", {}, ` ${cells[i][j].map((row) => row.seeds).reduce((a, b) => a + b, 0)} seeds`)))))));
    motif.marks();
  }

  function refresh() {
    view = data.places[$("place").value].views[$("view").value];
    $("settings").hidden = !view.factors.length;
    if (!view.factors.length) return;
    show(view.factors);
    const keys = [...new Set(view.factors.map((row) => row.key))].map((key) => [key, key]);
    options($("across"), keys, $("across").value || keys[1][0]);
    options($("down"), keys, $("down").value || keys[0][0]);
    if ($("across").value === $("down").value) $("across").value = keys[1][0];
    heat();
  }
  $("across").onchange = $("down").onchange = heat;
  for (const id of ["place", "view"]) $(id).addEventListener("change", refresh);
  refresh();
})();
