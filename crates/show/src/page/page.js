// The tables, and a button that saves the report in this page.
makeSortable(document);

const save = Object.assign(document.createElement("button"), { type: "button", textContent: "Save the data as JSON" });
save.addEventListener("click", () => {
  const blob = new Blob([document.getElementById("report").textContent], { type: "application/json" });
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: "delta.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
const tools = Object.assign(document.createElement("div"), { className: "tools" });
tools.append(save);
document.getElementById("again").append(tools);
