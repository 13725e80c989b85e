// The table of runs: sorted, filtered, unfolded to a run's command and configuration; and two runs side by side.
"use strict";
(() => {
  const { data, $, element, count, known, short, options, grid, colour, MISSING } = motif;
  if (!data.runs.length) return;
  const compared = []; // at most two runs, in the order of choice
  const settings = (run) => ({ ...data.common, ...run.settings });
  const headline = (run) => run.results.find((result) => !result.base);
  const link = (run, result, question) => `#${[run.name, result.id, question].filter(known).map(encodeURIComponent).join("/")}`;

  // A run's fold: command, evaluations, the whole configuration.
  function detail(run) {
    const words = Object.entries(settings(run)).map(([key, value]) => `${key}: ${value}`).join("\n");
    return element("div", {},
      run.command ? element("p", {}, "command ", element("code", {}, run.command)) : null,
      run.warned ? element("p", {}, `warned of ${run.warned}`) : null,
      run.results.length ? element("p", {}, "episodes: ", ...run.results.flatMap((result) => [element("a", { href: link(run, result) }, `${result.title} (${result.accuracy.toFixed(1)}%)`), " · "]), element("a", { href: link(run, { id: "training" }) }, "training")) : null,
      words ? element("details", { open: "" }, element("summary", {}, "the whole configuration"), element("pre", { class: "text" }, words)) : element("p", { class: "note" }, "Its configuration is not known."));
  }

  const accuracy = (run) => (headline(run) ? headline(run).accuracy : null);
  const show = grid($("run-table"), [
    { title: "run", head: true, value: (run) => run.name, cell: (run) => element("button", { type: "button", class: "unfold" }, element("span", { class: "dot", style: `background:${colour(run.number)}` }), run.name) },
    { title: "compare", value: (run) => (compared.includes(run) ? 0 : 1), cell: (run) => {
      const box = element("input", { type: "checkbox", "aria-label": `compare ${run.name}`, checked: compared.includes(run) ? "" : null });
      box.onchange = () => choose(run, box.checked);
      return box;
    } },
    { title: "arm", value: (run) => run.arm, cell: (run) => run.arm },
    { title: "seed", right: true, value: (run) => run.seed, cell: (run) => String(run.seed) },
    { title: "state", value: (run) => run.state, cell: (run) => element("span", { class: `state ${run.state.replaceAll(" ", "-")}` }, run.state) },
    { title: "steps", right: true, value: (run) => run.steps, cell: (run) => (run.of ? `${run.steps} of ${run.of}` : String(run.steps)) },
    { title: "accuracy", right: true, says: "of its first evaluation after training", value: accuracy, cell: (run) => (known(accuracy(run)) ? `${accuracy(run).toFixed(1)}%` : MISSING) },
    { title: "n", right: true, value: (run) => (headline(run) ? headline(run).right.length : null), cell: (run) => (headline(run) ? count(headline(run).right.length) : MISSING) },
    ...data.varied.map((key) => ({ title: key, value: (run) => (isNaN(settings(run)[key]) ? settings(run)[key] : Number(settings(run)[key])), cell: (run) => settings(run)[key] ?? MISSING })),
    { title: "tokens", right: true, says: "generated in training", value: (run) => run.tokens, cell: (run) => count(run.tokens) },
    { title: "minutes", right: true, says: "of training steps", value: (run) => run.seconds, cell: (run) => (known(run.seconds) ? (run.seconds / 60).toFixed(1) : MISSING) },
    { title: "FLOPs", right: true, value: (run) => run.flops, cell: (run) => (known(run.flops) ? run.flops.toExponential(1) : MISSING) },
    { title: "warned of", value: (run) => run.warned || null, cell: (run) => run.warned || MISSING },
  ], detail);

  // Words of the filter are parts of a name, an arm or a state; key=value is a setting.
  function meets(run, word) {
    const [key, value] = word.split("=");
    const own = value === undefined ? [] : Object.entries(settings(run)).filter(([name]) => name === key || name.endsWith("." + key));
    if (own.length) return own.some(([, is]) => is.toLowerCase() === value);
    return [run.name, run.arm, run.state].some((text) => String(text).toLowerCase().includes(word));
  }
  function refresh() {
    const words = $("run-words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = data.runs.filter((run) => (!$("run-state").value || run.state === $("run-state").value) && (!$("run-arm").value || run.arm === $("run-arm").value) && words.every((word) => meets(run, word)));
    $("run-count").textContent = `${found.length} of ${data.runs.length} runs`;
    show(found);
  }
  const distinct = (values) => [["", "all"], ...[...new Set(values)].map((value) => [value, value])];
  options($("run-state"), distinct(data.runs.map((run) => run.state)));
  options($("run-arm"), distinct(data.runs.map((run) => run.arm)));
  $("run-state").onchange = $("run-arm").onchange = $("run-words").oninput = refresh;

  function choose(run, chosen) {
    if (chosen) compared.push(run);
    else compared.splice(compared.indexOf(run), 1);
    if (compared.length > 2) compared.shift();
    refresh();
    sideBySide();
  }

  function sideBySide() {
    const box = $("side-by-side");
    if (compared.length < 2) {
      box.replaceChildren(element("p", { class: "note" }, compared.length ? "Tick another run to see both side by side." : "Tick two runs to see them side by side."));
      return;
    }
    const [one, other] = compared, both = [settings(one), settings(other)];
    const keys = [...new Set(both.flatMap(Object.keys))].filter((key) => both[0][key] !== both[1][key]);
    const head = element("tr", {}, element("th", {}, "setting"), element("th", { scope: "col" }, one.name), element("th", { scope: "col" }, other.name));
    const rows = keys.map((key) => element("tr", {}, element("th", { scope: "row" }, key), ...both.map((own) => element("td", {}, own[key] ?? MISSING))));
    box.replaceChildren(element("h3", {}, "Side by side"),
      element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "settings that differ" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))),
      ...outcomes(one, other));
    motif.marks();
  }

  // Question by question, for evaluations of both on the same questions in the same way.
  function outcomes(one, other) {
    const same = (first, second) => first.ids === second.ids && first.settings === second.settings && first.base === second.base;
    const pairs = one.results.flatMap((first) => other.results.filter((second) => same(first, second)).map((second) => [first, second]));
    if (!pairs.length) return [element("p", { class: "note" }, "They were not measured on the same questions in the same way.")];
    pairs.sort(([a], [b]) => a.base - b.base);
    const select = element("select", {}), place = element("div", {});
    options(select, pairs.map(([first, second], at) => [at, `${first.title} against ${second.title}`]));
    select.onchange = () => {
      const [first, second] = pairs[select.value], kinds = { "both right": [], [`only ${one.name}`]: [], [`only ${other.name}`]: [], neither: [] };
      data.questions[first.ids].forEach((id, at) => {
        const [mine, theirs] = [first, second].map((result) => Number(result.right[at]) > 4);
        kinds[mine && theirs ? "both right" : mine ? `only ${one.name}` : theirs ? `only ${other.name}` : "neither"].push(id);
      });
      place.replaceChildren(...Object.entries(kinds).map(([kind, ids]) => element("details", {}, element("summary", {}, `${kind}: ${ids.length} of ${first.right.length}`),
        element("ul", { class: "ids" }, ...ids.map((id) => element("li", {}, `${id} `, element("a", { href: link(one, first, id), title: one.name }, "first"), " ", element("a", { href: link(other, second, id), title: other.name }, "second")))))));
    };
    select.onchange();
    return [element("label", { class: "controls" }, "outcomes ", select), element("p", { class: "note" }, "Right: in at least half of the samples."), place];
  }
  refresh();
  sideBySide();
})();
