// Curves of training, drawn by uPlot: any metric against steps, tokens, FLOPs or hours; mean of seeds or each run.
"use strict";
(() => {
  const { data, $, element, colour, dash, ink, known, short, options } = motif;
  const WHOLE = Array.from({ length: 25 }, (_, digits) => [1, 2, 5].map((one) => one * 10 ** digits)).flat();
  const AXES = { steps: "training step", tokens: "tokens generated in training", flops: "FLOPs of training (estimated)", hours: "hours of training" };
  const FIRST = 6; // panels that are open at once
  const runs = data.runs.filter((run) => run.curves.length);
  const has = (run, metric) => run.curves.find((curve) => metric in curve.y);
  const metrics = Object.keys(data.metrics).filter((metric) => runs.some((run) => has(run, metric)));
  if (!metrics.length) return;
  const hidden = new Set();
  let all = false, plots = [];

  // x and y of a run, smoothed: y_t = w y_{t-1} + (1 - w) y, divided by the weights so far, so that it begins at the first value.
  function points(run, metric, axis, logs) {
    const curve = has(run, metric);
    if (!curve || !curve.x[axis]) return null;
    const weight = Number($("smooth").value);
    let sum = 0, weights = 0;
    const pairs = curve.x[axis].map((x, at) => [x, curve.y[metric][at]]).filter(([x, y]) => known(x) && known(y)).map(([x, y]) => {
      sum = weight * sum + (1 - weight) * y;
      weights = weight * weights + (1 - weight);
      return [x, sum / weights];
    }).filter(([x, y]) => (!logs.x || x > 0) && (!logs.y || y > 0));
    return pairs.length ? pairs : null;
  }

  function at(pairs, x) {
    const next = pairs.findIndex((pair) => pair[0] >= x);
    if (next < 0) return pairs[pairs.length - 1][1];
    if (next === 0 || pairs[next][0] === x) return pairs[next][1];
    const [[x0, y0], [x1, y1]] = [pairs[next - 1], pairs[next]];
    return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
  }

  // The mean of seeds with the lowest and the highest, as far as all of them have come.
  function mean(seeds) {
    const start = Math.max(...seeds.map((pairs) => pairs[0][0])), end = Math.min(...seeds.map((pairs) => pairs[pairs.length - 1][0]));
    const longest = seeds.reduce((one, other) => (other.length > one.length ? other : one));
    const xs = [...new Set([start, ...longest.map((pair) => pair[0]).filter((x) => x > start && x < end), Math.max(start, end)])];
    const values = xs.map((x) => seeds.map((pairs) => at(pairs, x)));
    return [xs, values.map((own) => own.reduce((a, b) => a + b) / own.length), values.map((own) => Math.min(...own)), values.map((own) => Math.max(...own))];
  }

  // The lines of a panel: {title, number, table: [xs, ys, …]}; a table of four has a band.
  function linesOf(metric, axis, logs) {
    const lines = [];
    data.arms.forEach((arm, number) => {
      if (hidden.has(number)) return;
      const own = runs.filter((run) => run.number === number && run.state !== "repeats a seed").map((run) => [run, points(run, metric, axis, logs)]).filter((pair) => pair[1]);
      if (!own.length) return;
      if ($("each").value === "runs") for (const [run, pairs] of own) lines.push({ title: `${arm}, seed ${run.seed}`, number, table: [pairs.map((pair) => pair[0]), pairs.map((pair) => pair[1])] });
      else if (own.length === 1) lines.push({ title: `${arm} (1 seed)`, number, table: [own[0][1].map((pair) => pair[0]), own[0][1].map((pair) => pair[1])] });
      else lines.push({ title: `${arm} (mean of ${own.length} seeds)`, number, table: mean(own.map((pair) => pair[1])) });
    });
    return lines;
  }

  function panel(metric) {
    const box = element("figure", { class: "panel", "data-metric": metric });
    const logs = { x: $("log-x").checked, y: $("log-y").checked }, axis = $("axis").value;
    const lines = linesOf(metric, axis, logs);
    const title = data.metrics[metric];
    box.append(element("figcaption", {}, element("strong", {}, title)));
    const place = element("div", { class: "plot", role: "img", tabindex: 0, "aria-label": `${title} against ${AXES[axis]}: ${lines.map((line) => line.title).join(", ") || "nothing to draw"}` });
    const tip = element("div", { class: "tip", hidden: "" });
    place.append(tip);
    box.append(place);
    $("panels").append(box);
    if (!lines.length) { place.append(element("p", { class: "note" }, "Nothing to draw: no arm that is shown has it here.")); return; }
    const series = [{}], bands = [];
    lines.forEach((line) => {
      const stroke = colour(line.number);
      series.push({ label: line.title, stroke, width: 1.75, dash: dash(line.number), spanGaps: true, points: { size: 5, show: line.table[0].length < 40 } });
      if (line.table.length > 2) {
        for (const edge of ["lowest", "highest"]) series.push({ label: edge, band: true, stroke: "transparent", width: 0, spanGaps: true, points: { show: false } });
        bands.push({ series: [series.length - 1, series.length - 2], fill: stroke + "2e" });
      }
    });
    const axes = { stroke: () => ink("--soft"), grid: { stroke: () => ink("--line"), width: 0.6 }, ticks: { stroke: () => ink("--line"), width: 0.6 }, values: (self, values) => values.map((value) => (known(value) ? short(value) : "")) };
    const whole = axis === "hours" || logs.x ? {} : { incrs: WHOLE };  // no step 1.25
    const joined = uPlot.join(lines.map((line) => line.table));
    const plot = new uPlot({
      width: Math.max(240, place.clientWidth), height: 240, series, bands, legend: { show: false },
      scales: { x: { time: false, distr: logs.x ? 3 : 1 }, y: { distr: logs.y ? 3 : 1 } },
      axes: [{ ...axes, ...whole, label: AXES[axis], labelSize: 22, size: 34, space: 60 }, { ...axes, size: 54 }],
      cursor: { sync: { key: "curves" }, drag: { x: true, y: true, uni: 30 }, focus: { prox: 24 } },
      focus: { alpha: 0.35 },
      hooks: { setCursor: [(self) => hover(self, tip, axis)] },
    }, joined, place);
    keys(plot, place);
    plots.push([plot, place]);
  }

  // The values at the cursor; of many lines those nearest to it.
  function hover(plot, tip, axis) {
    const { left, top, idx } = plot.cursor;
    if (!known(left) || left < 0 || !known(idx)) { tip.hidden = true; return; }
    const x = plot.posToVal(left, "x");
    const found = plot.series.flatMap((one, number) => {
      if (!number || one.band) return [];
      let near = -1;
      plot.data[number].forEach((y, place) => {
        if (known(y) && (near < 0 || Math.abs(plot.data[0][place] - x) < Math.abs(plot.data[0][near] - x))) near = place;
      });
      return near < 0 ? [] : [{ one, x: plot.data[0][near], y: plot.data[number][near] }];
    }).sort((a, b) => Math.abs(plot.valToPos(a.y, "y") - top) - Math.abs(plot.valToPos(b.y, "y") - top)).slice(0, 10).sort((a, b) => b.y - a.y);
    tip.replaceChildren(element("div", { class: "soft" }, `${AXES[axis]} ${short(plot.data[0][idx])}`), ...found.map((each) =>
      element("div", {}, element("span", { class: "dot", style: `background:${each.one._stroke || each.one.stroke()}` }), `${each.one.label}: `, element("strong", {}, short(each.y)))));
    tip.hidden = false;
    const right = left > plot.over.clientWidth / 2;
    tip.style.left = right ? "auto" : `${plot.over.offsetLeft + left + 14}px`;
    tip.style.right = right ? `${plot.root.clientWidth - plot.over.offsetLeft - left + 14}px` : "auto";
  }

  // With the keyboard: left and right move the cursor, + and - zoom, 0 shows all.
  function keys(plot, place) {
    place.onkeydown = (event) => {
      const xs = plot.data[0], { min, max } = plot.scales.x;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], zoom = { "+": 0.5, "-": 2 }[event.key];
      if (step) {
        const idx = Math.min(xs.length - 1, Math.max(0, (known(plot.cursor.idx) ? plot.cursor.idx : -1) + step));
        plot.setCursor({ left: plot.valToPos(xs[idx], "x"), top: plot.over.clientHeight / 2 });
      } else if (zoom) {
        const middle = known(plot.cursor.left) && plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : (min + max) / 2;
        plot.setScale("x", { min: Math.max(xs[0], middle - (middle - min) * zoom), max: Math.min(xs[xs.length - 1], middle + (max - middle) * zoom) });
      } else if (event.key === "0") plot.setData(plot.data);
      else return;
      event.preventDefault();
    };
  }

  function draw() {
    plots.forEach(([plot]) => plot.destroy());
    plots = [];
    $("panels").replaceChildren();
    metrics.slice(0, all ? metrics.length : FIRST).forEach(panel);
    $("more-panels").hidden = all || metrics.length <= FIRST;
    $("smooth-value").textContent = Number($("smooth").value).toFixed(2);
  }

  data.arms.forEach((arm, number) => {
    if (!runs.some((run) => run.number === number)) return;
    const box = element("input", { type: "checkbox", checked: "" });
    box.onchange = () => { hidden[box.checked ? "delete" : "add"](number); draw(); };
    $("shown-arms").append(element("label", {}, box, " ", element("span", { class: "dot", style: `background:${colour(number)}` }), arm));
  });
  const turn = (shown) => {
    $("shown-arms").querySelectorAll("input").forEach((box) => { if (box.checked !== shown) box.click(); });
  };
  $("all-arms").onclick = () => turn(true);
  $("no-arms").onclick = () => turn(false);
  options($("axis"), Object.entries(AXES).filter(([name]) => runs.some((run) => run.curves.some((curve) => name in curve.x))));
  for (const id of ["axis", "each", "log-x", "log-y"]) $(id).onchange = draw;
  $("smooth").oninput = draw;
  $("more-panels").textContent = `show all ${metrics.length} metrics`;
  $("more-panels").onclick = () => { all = true; draw(); };
  $("curves").hidden = false;
  draw();
  let width = innerWidth;
  addEventListener("resize", () => {
    if (width === innerWidth) return;
    width = innerWidth;
    plots.forEach(([plot, place]) => plot.setSize({ width: place.clientWidth, height: 240 }));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach(([plot]) => plot.redraw()));
})();
