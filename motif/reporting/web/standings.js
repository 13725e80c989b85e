// The top: effects with their intervals, and a row an arm, against the reference that a person chooses.
"use strict";
(() => {
  const { data, $, element, svg, count, known, points, pValue, options, grid, colour, MISSING } = motif;
  if (!data.places.length) return;
  const place = () => data.places[$("place").value];
  const view = () => place().views[$("view").value];
  const reference = () => Number($("reference").value);
  const OUTCOME = 6, TEST = 7; // places in a comparison: effect, low, high, p, Holm's p, its family, outcome, test, seeds
  const meeting = (row, other = reference()) => view().against[`${row},${other}`];
  const rounds = (row) => `${row.rounds} round${row.rounds > 1 ? "s" : ""}`;
  const several = (rows) => new Set(rows.map((row) => row.rounds)).size > 1;
  const called = (row) => (several(view().rows) ? `${row.arm}, ${rounds(row)}` : row.arm);

  // What a line of the table is folded over: the whole comparison in words.
  function inWords(at) {
    const rows = view().rows, row = rows[at], other = rows[reference()], found = meeting(at);
    if (!found) return "This is the reference, or the records of both do not hold the same questions.";
    const place = [row.arm, other.arm, row.dataset, row.rounds, other.rounds, row.samples].join("\n");
    const sentence = (data.sentences.find((one) => one.slice(0, -1).join("\n") === place) || []).at(-1);
    const over = Math.max(found[8], found[9]) > 1 ? "seeds" : "questions";
    const corrected = known(found[4]) && found[5] > 1 ? `, p = ${pValue(found[4])} as one of the ${found[5]} that meet this reference here (Holm)` : "";
    const own = `${called(row)} against ${called(other)}: ${points(found[0])} points (95 % interval over ${over} ${points(found[1])} to ${points(found[2])}), ` +
      `${found[TEST]}, p = ${pValue(found[3])}${corrected}, n = ${count(row.n)} questions${row.samples > 1 ? ` × ${row.samples} samples` : ""}, ` +
      `training seeds ${found[8] || "untrained"} against ${found[9] || "untrained"}: ${found[OUTCOME]}.`;
    return element("div", {}, element("p", {}, own), sentence ? element("p", { class: "note" }, sentence) : null);
  }

  const interval = (found) => (found ? `${points(found[0])} (${points(found[1])} to ${points(found[2])})` : MISSING);
  const p = (found) => (found ? (known(found[4]) ? found[4] : found[3]) : null);
  const pWords = (found) => `p ${p(found) < 0.0001 ? "" : "= "}${pValue(p(found))}`;
  const show = grid($("standings"), [
    { title: "arm", head: true, value: (row) => row.arm, cell: (row) => element("button", { type: "button", class: "unfold" },
      element("span", { class: "dot", style: `background:${colour(row.number)}` }), row.arm) },
    { title: "decoded in", value: (row) => row.rounds, cell: (row) => rounds(row) },
    { title: "accuracy", right: true, says: "mean over seeds, 95 % interval", value: (row) => row.accuracy,
      cell: (row) => element("span", {}, `${row.accuracy.toFixed(1)}% `, element("small", {}, `(${row.interval[0].toFixed(1)} – ${row.interval[1].toFixed(1)})`)) },
    { title: "difference", right: true, says: "points against the reference, 95 % interval", value: (row) => (row.found ? row.found[0] : row.at === reference() ? 0 : null),
      cell: (row) => element("span", { class: row.found ? row.found[OUTCOME].replace(" ", "-") : null }, ...(row.at === reference() ? ["reference"] : row.found ? [`${points(row.found[0])} `, element("small", {}, `(${points(row.found[1])} to ${points(row.found[2])})`)] : [MISSING])) },
    { title: "p", right: true, says: "with Holm's correction over the arms that meet this reference; in brackets where so few seeds cannot decide",
      value: (row) => p(row.found), cell: (row) => (row.found && row.found[OUTCOME] === "no verdict" ? `(${pValue(p(row.found))})` : pValue(p(row.found))) },
    { title: "tokens a question", right: true, value: (row) => row.tokens, cell: (row) => count(row.tokens) },
    { title: "training tokens", right: true, value: (row) => row.training, cell: (row) => count(row.training) },
    { title: "seeds", right: true, value: (row) => row.seeds, cell: (row) => (row.seeds ? String(row.seeds) : MISSING) },
    { title: "n", right: true, says: "questions × samples", value: (row) => row.n * row.samples, cell: (row) => count(row.n) + (row.samples > 1 ? ` × ${row.samples}` : "") },
  ], (row) => inWords(row.at));

  // The effects as a picture: a dot and its 95 % interval for each arm, the reference at 0.
  function picture() {
    const rows = view().rows.map((row, at) => ({ ...row, at, found: meeting(at) })).filter((row) => row.found);
    const box = $("effects");
    if (!rows.length) return box.replaceChildren();
    const width = Math.max(300, box.clientWidth), narrow = width < 640, line = narrow ? 60 : 30, top = 8, bottom = 40;
    const longest = Math.max(...rows.map((row) => called(row).length));
    const left = narrow ? 8 : Math.min(width * 0.45, Math.max(120, 20 + 7.8 * longest)), right = narrow ? 8 : 250, height = top + rows.length * line + bottom;
    let low = Math.min(0, ...rows.map((row) => row.found[1])), high = Math.max(0, ...rows.map((row) => row.found[2]));
    const room = Math.max(1, (high - low) * 0.04);
    [low, high] = [low - room, high + room];
    const x = (value) => left + ((value - low) / (high - low)) * (width - left - right);
    const step = [0.5, 1, 2, 5, 10, 20, 50].find((size) => (high - low) / size <= (narrow ? 5 : 9)) || 100;
    const ticks = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) ticks.push(Math.round(tick * 10) / 10);
    const bottomLine = top + rows.length * line;
    const other = called(view().rows[reference()]);
    const fit = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
    box.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": "effects-title" },
      svg("title", { id: "effects-title" }, `Difference in accuracy from ${other}, in points, with 95 % intervals`),
      ...ticks.map((tick) => svg("g", { class: tick ? "tick" : "zero" },
        svg("line", { x1: x(tick), x2: x(tick), y1: top, y2: bottomLine }),
        svg("text", { x: x(tick), y: bottomLine + 15, "text-anchor": "middle" }, tick ? points(tick).replace(/\.0$/, "") : "0"))),
      svg("text", { x: (x(low) + x(high)) / 2, y: bottomLine + 33, "text-anchor": "middle", class: "axis" }, `points above ${fit(other, narrow ? Math.floor(width / 6.3) - 13 : 90)}`),
      ...rows.map((row, place) => {
        const y = top + (place + 0.5) * line + (narrow ? 20 : 0), [effect, from, to] = row.found;
        const name = called(row), kind = row.found[OUTCOME].replace(" ", "-");
        const p = pWords(row.found), words = `${interval(row.found)}${row.found[OUTCOME] === "no verdict" ? ` (${p})` : `, ${p}`}`;
        return svg("g", { class: `effect ${kind}` },
          svg("title", {}, `${name}: ${interval(row.found)} points, ${row.found[OUTCOME]}`),
          svg("line", { x1: x(from), x2: x(to), y1: y, y2: y }),
          ...[from, to].map((end) => svg("line", { x1: x(end), x2: x(end), y1: y - 5, y2: y + 5 })),
          svg("circle", { cx: x(effect), cy: y, r: 5 }),
          narrow ? svg("text", { x: left, y: y - 29 }, fit(name, Math.floor(width / 7.5)))
            : svg("text", { x: left - 10, y: y + 4, "text-anchor": "end" }, fit(name, Math.floor((left - 10) / 7.8))),
          svg("text", { x: narrow ? left : width - right + 10, y: narrow ? y - 12 : y + 4, class: "number" }, words));
      })));
  }

  // Each pair of rows, made when it is asked for.
  function matrix() {
    if (!$("pairs").open) return;
    const rows = view().rows;
    $("pair-table").replaceChildren(
      element("thead", {}, element("tr", {}, element("th", {}, "row less column, points"), ...rows.map((row) => element("th", { scope: "col" }, called(row))))),
      element("tbody", {}, ...rows.map((row, i) => element("tr", {}, element("th", { scope: "row" }, called(row)), ...rows.map((other, j) => {
        const found = meeting(i, j);
        return element("td", { class: `right ${found ? found[OUTCOME].replace(" ", "-") : ""}`, title: found ? `${found[OUTCOME]}, ${pWords(found)}` : null },
          i === j ? "" : interval(found));
      })))));
    motif.marks();
  }

  function refresh() {
    const rows = view().rows;
    show(rows.map((row, at) => ({ ...row, at, found: meeting(at), marked: at === reference() })));
    picture();
    matrix();
    const lines = [...place().others, ...data.places.filter((other) => other !== place()).map((other) => `other questions or settings: ${other.title} (choose it above)`)];
    $("others").hidden = !lines.length;
    $("others-count").textContent = `Not beside these: ${lines.length}`;
    $("others-list").replaceChildren(...lines.map((line) => element("li", {}, line)));
  }
  $("place").onchange = () => {
    options($("view"), place().views.map((one, at) => [at, one.name]));
    $("view").onchange();
  };
  $("view").onchange = () => {
    options($("reference"), view().rows.map((row, at) => [at, called(row)]), view().reference);
    refresh();
  };
  $("reference").onchange = refresh;
  $("pairs").ontoggle = matrix;
  options($("place"), data.places.map((one, at) => [at, one.title]));
  $("place").onchange();
  new ResizeObserver(picture).observe($("effects").parentElement);
})();
