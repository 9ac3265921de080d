"""What Python makes of exported expressions and configurations: tests/data/export.

    python tests/goldens/export.py            (needs PyYAML)

`expressions.json` holds cases: a name list of tests/data/names, a selection, and the expressions that were exported for it. This
fills in which names Python's own `re` matches with them
  axolotl     as Axolotl's documentation has it: periods are literal (they are escaped before the expression is compiled), and
              `re.match` looks at the beginning of a name
  fullmatch   as the script for TRL does it
`axolotl.json` is what PyYAML reads in the exported configurations, since YAML 1.1 takes some numbers for text.
"""

import json
import pathlib
import re

import yaml

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"


def parameter_names(family):
    lists = json.loads((DATA / "names" / f"{family.removesuffix(' in memory')}.json").read_text())
    stored = {**lists["tensors"], **lists.get("public", {})}
    if family.endswith(" in memory"):
        stored = {name: shape for name, shape in stored.items() if ".experts." not in name} | lists["stacked"]
    return sorted(stored)


def main():
    path = DATA / "export" / "expressions.json"
    cases = json.loads(path.read_text())
    for case in cases:
        literal = [re.compile(re.sub(r"\.(?!\+)", lambda _: r"\.", expression)) for expression in case["expressions"]]
        exact = [re.compile(expression) for expression in case["expressions"]]
        names = parameter_names(case["family"])
        case["axolotl"] = [name for name in names if any(expression.match(name) for expression in literal)]
        case["fullmatch"] = [name for name in names if any(expression.fullmatch(name) for expression in exact)]
    path.write_text(json.dumps(cases, indent=1) + "\n")

    files = sorted((DATA / "export").glob("*.yml"))
    read = {file.name: yaml.safe_load(file.read_text()) for file in files}
    (DATA / "export" / "axolotl.json").write_text(json.dumps(read, indent=1) + "\n")


if __name__ == "__main__":
    main()
