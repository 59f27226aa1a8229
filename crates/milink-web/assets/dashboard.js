// The dashboard: tables that are sorted and filtered, the lag chart, the alarm.
"use strict";

// How each table is sorted and filtered survives that its rows are replaced.
const order = { column: null, down: false };

const sortable = (root) => {
  for (const table of root.querySelectorAll("table[data-sortable]")) {
    [...table.tHead.rows[0].cells].forEach((cell, place) => {
      if (cell.querySelector("button")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet sort";
      button.textContent = cell.textContent;
      button.setAttribute("aria-label", cell.textContent);
      cell.textContent = "";
      cell.append(button);
      button.addEventListener("click", () => {
        order.down = order.column === place ? !order.down : false;
        order.column = place;
        sort(table);
      });
    });
    sort(table);
    filter(table);
  }
};

const value = (row, place, kind) => {
  const cell = row.cells[place];
  if (!cell) return "";
  const text = cell.dataset.value ?? cell.textContent.trim();
  // What is unknown comes last, whichever way.
  if (text.trim() === "" || text === "unknown") return null;
  return kind === "number" ? Number(text) : text.toLowerCase();
};

const sort = (table) => {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((cell, place) => {
    if (place === order.column) cell.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  });
  if (order.column === null || !heads[order.column]) return;
  const kind = heads[order.column].dataset.sort;
  const rows = [...table.tBodies[0].rows].map((row) => [value(row, order.column, kind), row]);
  rows.sort(([a], [b]) => {
    if (a === b) return 0;
    if (a === null) return 1;
    if (b === null) return -1;
    return (a < b ? -1 : 1) * (order.down ? -1 : 1);
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
};

const filter = (table) => {
  const field = document.getElementById(table.dataset.filter);
  if (!field) return;
  const wanted = field.value.trim().toLowerCase();
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
    shown += row.hidden ? 0 : 1;
  }
  const count = document.getElementById("link-count");
  if (count) count.textContent = wanted === "" ? "" : `${shown} of ${table.tBodies[0].rows.length} links`;
};

const field = document.getElementById("link-filter");
if (field) field.addEventListener("input", () => document.querySelectorAll("table[data-sortable]").forEach(filter));

// The alarm takes the focus once; who has seen it keeps the banner.
const alarm = () => {
  const box = document.querySelector("[data-alarm]");
  const name = "milink-alarm:" + location.pathname;
  if (!box) {
    // It is over: the next time is another alarm.
    if (document.querySelector("[data-live-link]")) sessionStorage.removeItem(name);
    return;
  }
  const hide = () => {
    box.hidden = true;
    sessionStorage.setItem(name, "seen");
    // The focus does not get lost with what had it.
    document.getElementById("main").focus();
  };
  if (sessionStorage.getItem(name)) {
    box.hidden = true;
    return;
  }
  box.querySelector("[data-alarm-hide]").addEventListener("click", hide);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    if (event.key !== "Tab") return;
    // Nothing behind it can be reached while it is there.
    const all = [...box.querySelectorAll("a, button")];
    const at = all.indexOf(document.activeElement);
    all[(at + (event.shiftKey ? all.length - 1 : 1)) % all.length].focus();
    event.preventDefault();
  });
  if (!box.contains(document.activeElement)) box.focus();
};

// The chart is asked for as often as a look is made, and not while nobody sees it.
const figure = document.querySelector("[data-history]");
let plot = null;
const draw = async () => {
  if (!figure || document.hidden || typeof uPlot === "undefined") return;
  const answer = await fetch(figure.dataset.history, { headers: { accept: "application/json" } });
  if (!answer.ok) return;
  const lines = await answer.json();
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const guardrail = lines.at.map(() => lines.guardrailSeconds);
  const data = [lines.at, lines.lossSeconds, guardrail];
  if (plot) plot.setData(data);
  else if (lines.at.length > 1) {
    const axis = { stroke: color("--muted"), grid: { stroke: color("--line") } };
    plot = new uPlot({
      width: figure.clientWidth || 320,
      height: 180,
      series: [
        {},
        { label: "Est. data loss (s)", stroke: color("--accent"), width: 2 },
        { label: "Guardrail (s)", stroke: color("--bad"), dash: [6, 4] },
      ],
      axes: [axis, axis],
      scales: { y: { range: (_, low, high) => [0, Math.max(high || 0, 1)] } },
    }, data, figure);
    new ResizeObserver(() => plot.setSize({ width: figure.clientWidth || 320, height: 180 })).observe(figure);
  }
  const rows = document.querySelector("[data-history-rows]");
  if (!rows || !rows.closest("details").open) return;
  rows.replaceChildren(...lines.at.slice(-60).reverse().map((at, back) => {
    const place = lines.at.length - 1 - back;
    const row = document.createElement("tr");
    const said = (n, unit) => (n === null ? "unknown" : `${n} ${unit}`);
    for (const text of [new Date(at * 1000).toISOString(), said(lines.lossSeconds[place], "s"), said(lines.sendQueueKb[place], "KiB"), said(lines.redoQueueKb[place], "KiB")]) {
      row.insertCell().textContent = text;
    }
    return row;
  }));
};
if (figure) {
  draw();
  setInterval(draw, 2000);
}

for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
sortable(document);
alarm();
document.addEventListener("htmx:afterSettle", (event) => {
  sortable(event.target);
  alarm();
});
