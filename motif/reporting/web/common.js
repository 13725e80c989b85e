// What all parts of the page use. Whatever a model or a person wrote reaches the page through textContent alone.
"use strict";
const motif = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]; // Okabe and Ito
  const $ = (id) => document.getElementById(id);

  function made(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }
  const element = (tag, attributes, ...children) => made(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) =>
    made(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

  const colour = (number) => (number < 0 ? "#7f7f7f" : COLOURS[number % COLOURS.length]);
  const DASHES = [[], [7, 3], [2, 2], [8, 3, 2, 3]];
  const dash = (number) => DASHES[Math.floor(Math.max(0, number) / COLOURS.length) % DASHES.length];
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const known = (value) => value !== null && value !== undefined;
  const MISSING = "–";
  const count = (value) => (known(value) ? Math.round(value).toLocaleString("en") : MISSING);
  const short = (value) => (!known(value) ? MISSING : Math.abs(value) >= 1e4 || (value && Math.abs(value) < 1e-3)
    ? Intl.NumberFormat("en", { notation: Math.abs(value) >= 1 && Math.abs(value) < 1e15 ? "compact" : "scientific", maximumSignificantDigits: 4 }).format(value)
    : String(Number(value.toPrecision(4))));
  const points = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(1);
  const pValue = (p) => (!known(p) ? MISSING : p < 0.0001 ? "< 0.0001" : p < 0.1 ? String(Number(p.toPrecision(2))) : p.toFixed(2));

  // Options of a <select>, by their values; `chosen` is kept where it is among them.
  function options(select, pairs, chosen) {
    select.replaceChildren(...pairs.map(([value, title]) => element("option", { value }, title)));
    if (pairs.some(([value]) => String(value) === String(chosen))) select.value = chosen;
  }

  // A table whose heads sort it. A column has `title`, `value(row)` to sort by, `cell(row)` to show and `right`; a row
  // unfolds into `detail(row)`. Returns a function that shows other rows.
  function grid(table, columns, detail) {
    let sorted = null, falling = false, shown = [];
    const body = element("tbody");
    const heads = columns.map((column) => {
      const button = element("button", { type: "button" }, column.title);
      const head = element("th", { scope: "col", class: column.right ? "right" : null, title: column.says }, button);
      button.onclick = () => {
        falling = sorted === column ? !falling : Boolean(column.right);
        sorted = column;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", falling ? "descending" : "ascending");
        draw();
      };
      return head;
    });
    table.replaceChildren(element("thead", {}, element("tr", {}, ...heads)), body);
    const order = (one, other) => {
      const [a, b] = [sorted.value(one), sorted.value(other)];
      if (!known(a) || !known(b)) return known(a) ? -1 : known(b) ? 1 : 0; // what is not known comes last
      return (falling ? -1 : 1) * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
    };
    function draw() {
      const rows = sorted ? [...shown].sort(order) : shown;
      body.replaceChildren(...rows.map((row) => {
        const cells = columns.map((column) => element(column.head ? "th" : "td", { class: column.right ? "right" : null, scope: column.head ? "row" : null }, column.cell(row)));
        const line = element("tr", { class: row.marked ? "marked" : null }, ...cells);
        const button = cells.map((cell) => cell.querySelector("button.unfold")).find(Boolean);
        if (button && detail) {
          button.setAttribute("aria-expanded", "false");
          let below = null;
          button.onclick = () => {
            if (below) { below.remove(); below = null; } else {
              below = element("tr", { class: "below" }, element("td", { colspan: columns.length }, element("div", { class: "stay" }, detail(row))));
              line.after(below);
            }
            button.setAttribute("aria-expanded", String(Boolean(below)));
          };
        }
        return line;
      }));
      marks();
    }
    return (rows) => { shown = rows; draw(); };
  }

  // A table that is wider than its box says so.
  function marks() {
    for (const box of document.querySelectorAll(".wide")) box.classList.toggle("scrolls", box.scrollWidth > box.clientWidth + 1);
  }
  addEventListener("resize", marks);
  addEventListener("DOMContentLoaded", marks);
  document.addEventListener("toggle", marks, true);
  addEventListener("beforeprint", () => { $("verdicts").open = true; }); // on paper nothing unfolds

  return { data, $, element, svg, colour, dash, ink, known, count, short, points, pValue, options, grid, marks, MISSING };
})();
