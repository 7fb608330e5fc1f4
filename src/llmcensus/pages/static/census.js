// What tables gain from a script: sorting and filtering. Without it they are complete.
"use strict";

for (const table of document.querySelectorAll("table.sortable")) sortable(table);
for (const field of document.querySelectorAll("input[data-filter]")) filter(field);

function sortable(table) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    if (!head.textContent.trim() || head.classList.contains("bars")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const was = head.getAttribute("aria-sort");
      // Numbers are looked through from the largest, names from the first.
      const numbers = head.classList.contains("n") && head.textContent.trim() !== "#";
      const down = was ? was === "ascending" : numbers;
      table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(table, column, down);
    });
  });
}

function sort(table, column, down) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, place) => ({ row, place, value: value(row.cells[column]) }));
  rows.sort((one, other) => compare(one.value, other.value, down) || one.place - other.place);
  body.append(...rows.map(({ row }) => row));
}

function value(cell) {
  if (cell.dataset.value === undefined) return cell.textContent.trim().toLowerCase();
  // What is unknown is last, whichever way.
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}

function compare(one, other, down) {
  if (one === null || other === null) return (one === null) - (other === null);
  const order = typeof one === "number" ? one - other : one.localeCompare(other);
  return down ? -order : order;
}

function filter(field) {
  const list = document.getElementById(field.dataset.filter);
  if (!list) return;
  field.hidden = false;
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const row of list.querySelector("tbody").rows) {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
    }
  });
}
