// The browser of episodes. Whatever a model wrote reaches the page through textContent alone.
"use strict";
(() => {
  const { data, $, element, options } = motif;
  const sources = data.sources;
  if (!sources.length) return;
  const nonce = document.currentScript.nonce;
  const FILTERS = {
    right: "right", wrong: "wrong", truncated: "truncated", unparsable: "no answer read", copied: "copied",
    disagree: "graders disagree",
  };
  const ORDERS = { "": "as recorded", reward: "highest reward", "-reward": "lowest reward", advantage: "highest advantage", "-advantage": "lowest advantage", right: "most often right", "-right": "most often wrong" };
  const SHOWN = 200; // questions listed at a time
  const loaded = new Map(); // source id → {files: records by file, arrived, failed}
  const waiting = new Map(); // "source/file" → what to do when it has come
  let current = null, chosen = null, found = [], limit = SHOWN, folded = false, asked = null, started = false;

  // What the files call. The text is JSON, never code.
  window.motifEpisodes = (id, place, text) => {
    const done = waiting.get(id + "/" + place);
    if (done) done(JSON.parse(text));
  };

  function load(source) {
    if (loaded.has(source.id)) return;
    const state = { files: new Array(source.chunks).fill(null), arrived: 0, failed: 0 };
    loaded.set(source.id, state);
    const next = (place) => {
      if (place >= source.chunks) return;
      const file = "episodes/" + source.id + "-" + String(place).padStart(3, "0") + ".js";
      const script = element("script", { src: file });
      script.nonce = nonce;
      let came = false;
      waiting.set(source.id + "/" + place, (records) => {
        came = true;
        state.files[place] = records.map(prepared);
        state.arrived += 1;
      });
      const over = () => {
        if (!came) state.failed += 1;
        waiting.delete(source.id + "/" + place);
        script.remove();
        if (current === source) refresh();
        next(place + 1);
      };
      script.onload = over;
      script.onerror = over;
      document.head.append(script);
    };
    next(0);
  }

  // A record with the flags of each of its episodes and the text that is searched.
  function prepared(record) {
    const ends = [], texts = [record.id, record.question, record.gold];
    const walk = (node) => {
      texts.push(node.text, node.prediction);
      for (const child of node.children) walk(child);
      if (!node.children.length) {
        node.has = new Set(node.flags || []);
        if (node.correct) node.has.add("right");
        ends.push(node);
      }
    };
    for (const root of record.replies) walk(root);
    const most = (name) => Math.max(...record.replies.map((root) => root[name] ?? -Infinity));
    const least = (name) => Math.min(...record.replies.map((root) => root[name] ?? Infinity));
    const share = ends.filter((end) => end.correct).length / Math.max(1, ends.length);
    const order = { reward: most("reward"), "-reward": -least("reward"), advantage: most("advantage"), "-advantage": -least("advantage"), right: share, "-right": -share };
    const text = texts.filter((part) => part !== null && part !== undefined).join("\n").toLowerCase();
    return { record, ends, text, order };
  }

  const wanted = () => [...$("filters").querySelectorAll("input:checked")].map((box) => box.value);
  const meets = (end, flags) => flags.every((flag) => end.has.has(flag));

  function refresh() {
    const state = loaded.get(current.id);
    const all = state.files.flatMap((records) => records || []);
    const flags = wanted(), words = $("search").value.trim().toLowerCase();
    found = all.filter((item) => item.ends.some((end) => meets(end, flags)) && (!words || item.text.includes(words)));
    const order = $("order").value;
    if (order) found.sort((one, other) => (other.order[order] - one.order[order]) || 0);
    if (asked) seek(all);
    const notes = [`${found.length.toLocaleString("en")} of ${all.length.toLocaleString("en")} questions`];
    if (current.kept < current.total) notes.push(`an even sample of the ${current.total.toLocaleString("en")} recorded`);
    if (state.arrived + state.failed < current.chunks) notes.push(`reading file ${state.arrived + state.failed + 1} of ${current.chunks}`);
    else if (asked) notes.push(`question ${asked.question} is not among those that this page keeps`);
    if (state.failed) notes.push(`${state.failed} of ${current.chunks} files are missing: keep episodes/ beside this page`);
    $("state").textContent = notes.join(" · ");
    const rows = found.slice(0, limit).map((item) => {
      const right = item.ends.filter((end) => end.correct).length;
      const step = item.record.step === undefined ? "" : `step ${item.record.step}, `;
      const button = element("button", { type: "button", "aria-current": item === chosen ? "true" : null },
        snippet(item.record.question), element("small", {}, `${step}${right} of ${item.ends.length} right`));
      button.onclick = () => {
        choose(item);
        if (window.matchMedia("(max-width: 46rem)").matches) $("episode").scrollIntoView();
      };
      return element("li", {}, button);
    });
    if (found.length > limit) {
      const more = element("button", { type: "button" }, `show ${Math.min(SHOWN, found.length - limit)} more`);
      more.onclick = () => { limit += SHOWN; refresh(); };
      rows.push(element("li", {}, more));
    }
    $("list").replaceChildren(...rows);
    if (!found.includes(chosen)) chosen = found[0] || null;
    if (chosen) {
      const first = $("list").querySelectorAll("button")[found.indexOf(chosen)];
      if (first) first.setAttribute("aria-current", "true");
      show(chosen, flags, words);
    } else $("episode").replaceChildren();
  }

  // Choose a question: it is shown, marked in the list, and the address of the page leads to it.
  function choose(item) {
    chosen = item;
    while (limit <= found.indexOf(item)) limit += SHOWN;
    if ($("list").querySelectorAll("button").length < Math.min(limit, found.length)) return refresh();
    for (const other of $("list").querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
    const button = $("list").querySelectorAll("button")[found.indexOf(item)];
    if (button) {
      button.setAttribute("aria-current", "true");
      $("list").scrollTop = button.offsetTop - $("list").offsetTop - 60;
    }
    show(item, wanted(), $("search").value.trim().toLowerCase());
    history.replaceState(null, "", address(item));
  }
  const key = (item) => (item.record.step === undefined ? String(item.record.id) : `${item.record.id}@${item.record.step}`);
  const address = (item, reply, source = current) => "#" + [source.run, source.name, key(item), ...(reply ? [reply] : [])].map(encodeURIComponent).join("/");

  // Go to the question that the address asks for, once its file is there.
  function seek(all) {
    const item = all.find((one) => key(one) === asked.question || String(one.record.id) === asked.question);
    if (!item) return;
    if (!found.includes(item)) found.unshift(item);
    chosen = item;
    const { reply } = asked;
    asked = null;
    while (limit <= found.indexOf(item)) limit += SHOWN;
    setTimeout(() => {
      choose(item);
      const node = reply && open(reply);
      (node || $("episode")).scrollIntoView();
    });
  }

  // Unfold the reply at a place such as 1.2.1, and what it continues.
  function open(place) {
    let node = null;
    place.split(".").forEach((part, depth, parts) => {
      node = $("episode").querySelector(`[data-place="${CSS.escape(parts.slice(0, depth + 1).join("."))}"]`) || node;
      if (node) { node.open = true; node.fill(); }
    });
    if (node) node.classList.add("asked");
    return node;
  }

  const snippet = (text) => (String(text).length > 140 ? String(text).slice(0, 140) + "…" : String(text));

  function show(item, flags, words) {
    const { record } = item;
    const facts = Object.entries(record.facts || {}).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
    const replies = record.replies.map((root, place) => reply(root, place, record.replies.length, flags, words, `${place + 1}`));
    $("episode").replaceChildren(
      element("h3", {}, element("a", { href: address(item), title: "a link to this question" }, record.step === undefined ? String(record.id) : `${record.id}, step ${record.step}`)),
      across(item),
      element("pre", { class: "question" }, ...marked(record.question, words)),
      element("p", {}, "gold: ", element("strong", {}, ...marked(record.gold, words))),
      facts.length ? element("p", { class: "note" }, facts.join(" · ")) : null,
      ...replies,
    );
  }

  // The same question in all runs that were measured on it: which had it right, with links to what they wrote.
  function across(item) {
    const results = data.runs.flatMap((run) => run.results.map((result) => ({ run, result })));
    const own = results.find(({ run, result }) => run.name === current.run && result.id === current.name);
    const at = own ? data.questions[own.result.ids].indexOf(String(item.record.id)) : -1;
    if (at < 0) return null;
    const alike = results.filter(({ result }) => result.ids === own.result.ids).map((each) => ({ ...each, right: Number(each.result.right[at]) > 4 }));
    const arms = new Map();
    for (const each of alike) {
      const name = each.result.base ? `${each.run.arm}, untrained` : each.run.arm;
      arms.set(name, [...(arms.get(name) || []), each]);
    }
    const rows = [...arms].map(([name, all]) => element("li", {}, `${name}: `, ...all.flatMap(({ run, result, right }) => [
      element("a", { href: "#" + [run.name, result.id, item.record.id].map(encodeURIComponent).join("/"), class: right ? "right-answer" : "wrong-answer", title: `${run.name}: ${result.title}` },
        `${right ? "✓" : "✗"} seed ${run.seed}, ${/\d+ rounds?/.exec(result.title)[0]}`), "  "])));
    return element("details", {}, element("summary", {}, `this question in all runs: right in ${alike.filter((each) => each.right).length} of ${alike.length} evaluations`), element("ul", { class: "ids" }, ...rows));
  }

  function reply(node, place, siblings, flags, words, path) {
    const matched = flags.length > 0 && leads(node, (end) => meets(end, flags));
    const open = siblings === 1 || matched || (!flags.length && place === 0) || (words && leads(node, () => true, words));
    const title = element("summary", {}, `round ${node.round}` + (siblings > 1 ? `, reply ${place + 1} of ${siblings}` : ""));
    const answered = node.prediction !== null && node.prediction !== undefined;
    const last = !node.children.length;
    if (node.correct) title.append(" ", element("span", { class: "right-answer" }, last ? "✓ right" : "✓ right already"));
    else if (last || answered) title.append(" ", element("span", { class: "wrong-answer" }, "✗ wrong"));
    if (answered) title.append(element("span", { class: "tag" }, `answer ${snippet(node.prediction)}`));
    title.append(element("span", { class: "tag" }, `${node.tokens} tokens`));
    for (const [name, value] of [["reward", node.reward], ["advantage", node.advantage]]) {
      if (value !== undefined && value !== null) title.append(element("span", { class: "tag" }, `${name} ${Number(value).toFixed(3)}`));
    }
    for (const [name, value] of Object.entries(node.values || {})) title.append(element("span", { class: "tag" }, `${name} ${Number(value).toFixed(2)}`));
    if (typeof node.strict === "boolean") title.append(element("span", { class: "tag" }, `strict grader: ${node.strict ? "right" : "wrong"}`));
    for (const event of node.events || []) title.append(element("span", { class: "tag" }, event.replaceAll("_", " ")));
    const shown = (node.flags || []).filter((flag) => flag !== "wrong");
    for (const flag of shown) title.append(element("span", { class: "tag" }, FILTERS[flag] || flag));
    if (node.finished === false && !shown.includes("truncated")) title.append(element("span", { class: "tag" }, "truncated"));
    title.append(element("a", { class: "tag", href: address(chosen, path), title: "a link to this reply" }, "#"));
    const made = element("details", { class: matched ? "reply matched" : "reply", open: open && !folded ? "" : null, "data-place": path }, title);
    // Text is put in when it is looked at: a training question can hold a hundred replies.
    const fill = () => {
      if (made.dataset.filled || !made.open) return;
      made.dataset.filled = "yes";
      made.append(element("pre", { class: "text" }, ...marked(node.text, words)));
      if (node.carried !== null && node.carried !== undefined && (node.children.length || node.events)) {
        made.append(element("p", { class: "note" }, "handed to the next round:"), element("pre", { class: "carried" }, ...marked(node.carried, words)));
      }
      made.append(...node.children.map((child, at) => reply(child, at, node.children.length, flags, words, `${path}.${at + 1}`)));
    };
    made.fill = fill;
    made.ontoggle = fill;
    fill();
    return made;
  }

  // Whether an end below `node` passes `test` and, where words are given, a text below holds them.
  function leads(node, test, words) {
    if (words && String(node.text).toLowerCase().includes(words)) return true;
    if (!node.children.length) return !words && test(node);
    return node.children.some((child) => leads(child, test, words));
  }

  // `text` in pieces, those that were searched for marked.
  function marked(text, words) {
    text = String(text ?? "");
    if (!words) return [text];
    const lower = text.toLowerCase(), pieces = [];
    let from = 0;
    for (let at = lower.indexOf(words); at >= 0; at = lower.indexOf(words, from)) {
      pieces.push(text.slice(from, at), element("mark", {}, text.slice(at, at + words.length)));
      from = at + words.length;
    }
    return [...pieces, text.slice(from)];
  }

  function enter(source) {
    current = source;
    chosen = null;
    limit = SHOWN;
    for (const [flag, label] of Object.entries(FILTERS)) {
      const count = source.counts[flag];
      const known = count !== undefined ? ` (${count.toLocaleString("en")})` : flag === "right" ? "" : " (not known)";
      $("filter-" + flag).textContent = label + known;
    }
    load(source);
    refresh();
  }

  const runs = [...new Set(sources.map((source) => source.run))];
  $("run").append(...runs.map((run) => element("option", { value: run }, run)));
  const list = () => sources.filter((source) => source.run === $("run").value);
  $("run").onchange = () => {
    asked = null;
    $("source").replaceChildren(...list().map((source) => element("option", { value: source.id }, `${source.title}, n = ${source.total}`)));
    enter(list()[0]);
  };
  $("source").onchange = () => { asked = null; enter(sources.find((source) => source.id === $("source").value)); };
  for (const flag of Object.keys(FILTERS)) {
    const box = element("input", { type: "checkbox", value: flag });
    box.onchange = () => { limit = SHOWN; refresh(); };
    $("filters").append(element("label", {}, box, " ", element("span", { id: "filter-" + flag })));
  }
  let timer = 0;
  $("search").oninput = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { limit = SHOWN; refresh(); }, 150);
  };
  options($("order"), Object.entries(ORDERS));
  $("order").onchange = () => refresh();
  $("fold").onclick = () => {
    folded = !folded;
    $("fold").textContent = folded ? "unfold replies" : "fold all replies";
    if (chosen) show(chosen, wanted(), $("search").value.trim().toLowerCase());
  };
  const step = (by) => {
    const next = found[found.indexOf(chosen) + by];
    if (chosen && next) choose(next);
  };
  $("previous").onclick = () => step(-1);
  $("next").onclick = () => step(1);
  addEventListener("keydown", (event) => {
    const { top, bottom } = $("episodes").getBoundingClientRect();
    const there = top < innerHeight * 0.7 && bottom > 0;
    if (!there || event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
    const act = { j: () => step(1), k: () => step(-1), f: () => $("fold").click() }[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  // An address such as #run/evaluation/question/reply leads to what was written there.
  function follow() {
    let parts;
    try { parts = location.hash.slice(1).split("/").map((part) => decodeURIComponent(part)); } catch { return false; }
    if (parts.length < 2) return false;
    const source = sources.find((one) => one.run === parts[0] && one.name === parts[1]);
    if (!source) return false;
    started = true;
    if (current === source && chosen && parts[2] === key(chosen) && !parts[3]) return true;
    asked = parts[2] ? { question: parts[2], reply: parts[3] } : null;
    $("run").value = source.run;
    $("source").replaceChildren(...list().map((one) => element("option", { value: one.id }, `${one.title}, n = ${one.total}`)));
    $("source").value = source.id;
    enter(source);
    if (!asked) $("episodes").scrollIntoView();
    return true;
  }
  addEventListener("hashchange", follow);
  // Nothing is read before the browser comes near the screen.
  if (!follow()) new IntersectionObserver((entries, observer) => {
    if (entries.some((entry) => entry.isIntersecting)) {
      observer.disconnect();
      if (!started) $("run").onchange();
    }
  }, { rootMargin: "600px" }).observe($("episodes"));
})();
