"use strict";
// Sorting and filtering the tables in an element. Without this script they say the same, in the order they were written in.
const makeSortable = (root) => {
  const element = (name, properties) => Object.assign(document.createElement(name), properties);

  // Cells with a number sort by it, the others by what they say; what has no number goes last.
  const compare = (left, right, direction) => {
    const numbers = [left, right].map((cell) => (cell.classList.contains("number") ? Number(cell.dataset.value ?? NaN) : null));
    if (numbers[0] === null || numbers[1] === null) {
      return direction * left.textContent.localeCompare(right.textContent, "en", { numeric: true });
    }
    if (Number.isNaN(numbers[0]) || Number.isNaN(numbers[1])) {
      return Number.isNaN(numbers[0]) - Number.isNaN(numbers[1]);
    }
    return direction * (numbers[0] - numbers[1]);
  };

  const sortBy = (table, header) => {
    const column = header.cellIndex;
    const isNumber = header.classList.contains("number");
    const before = header.getAttribute("aria-sort");
    const descending = before ? before === "ascending" : isNumber;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows];
    rows.sort((left, right) => compare(left.cells[column], right.cells[column], descending ? -1 : 1));
    body.append(...rows);
  };

  for (const table of root.querySelectorAll("table.sortable")) {
    for (const header of table.tHead.rows[0].cells) {
      const button = element("button", { type: "button" });
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sortBy(table, header));
    }
  }

  const tensors = root.querySelector("#tensors table");
  if (tensors) {
    const label = element("label", { textContent: "Show only: " });
    const input = element("input", { type: "search", placeholder: "o_proj, layers.12, …" });
    const count = element("span", { className: "small" });
    count.setAttribute("role", "status");
    label.append(input);
    const tools = element("div", { className: "tools" });
    tools.append(label, count);
    tensors.parentElement.before(tools);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of tensors.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      count.textContent = words.length ? `${shown} shown` : "";
    });
  }
};
