// The tables, and a button that saves the report in this page.
makeSortable(document);

const save = Object.assign(document.createElement("button"), { type: "button", textContent: "Save the data as JSON" });
save.addEventListener("click", () => {
  const text = document.getElementById("report").textContent;
  // "stethoscope.delta/1" is saved as delta.json.
  const [, name = "report"] = /^stethoscope\.(\w+)\//.exec(JSON.parse(text).schema) ?? [];
  const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = Object.assign(document.createElement("a"), { href, download: `${name}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
const tools = Object.assign(document.createElement("div"), { className: "tools" });
tools.append(save);
document.getElementById("again").append(tools);
