// The scoreboard: filter and sort its rows. The choice stands in the address, after the #, so that it
// can be linked: #paper=opticam&verdict=fails,doubted&sort=-verdict. Without this script the table is whole.
(() => {
  const table = document.querySelector("table.board");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const headings = [...table.tHead.rows[0].cells];
  const ORDER = [
    "holds", "fails", "doubted", "equal", "undecided", "not enough images", "not testable here", "not run",
  ];
  const several = (row, key) => row.dataset[key].split("|").filter(Boolean);
  const FILTERS = {
    paper: "Paper",
    verdict: "Verdict",
    basis: "Rests on",
    method: "Method",
    metric: "Metric",
    page: "Page",
  };
  const paperTitle = (row) => row.cells[0].textContent;
  const titles = {
    paper: (key) => paperTitle(rows.find((row) => row.dataset.paper === key)),
    page: (key) => rows.find((row) => row.dataset.page === key).querySelector("small a").textContent,
  };

  // The controls, made here because without a script they would do nothing.
  const form = document.createElement("form");
  form.className = "cams-filters";
  form.addEventListener("submit", (event) => event.preventDefault());
  const controls = {};
  for (const [key, word] of Object.entries(FILTERS)) {
    const found = [...new Set(rows.flatMap((row) => several(row, key)))];
    if (key === "verdict") found.sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
    else if (key === "method" || key === "metric") found.sort((a, b) => a.localeCompare(b));
    const select = document.createElement("select");
    select.name = key;
    select.append(new Option("all", ""));
    for (const value of found) select.append(new Option(titles[key] ? titles[key](value) : value, value));
    controls[key] = select;
    form.append(labelled(word, select));
  }
  const words = document.createElement("input");
  words.type = "search";
  words.name = "words";
  controls.words = words;
  form.append(labelled("Words", words));
  const clear = document.createElement("button");
  clear.type = "button";
  clear.textContent = "Clear";
  form.append(clear);
  const shown = document.createElement("p");
  shown.className = "cams-shown";
  shown.setAttribute("aria-live", "polite");
  const board = document.getElementById("board");
  board.before(form, shown);

  function labelled(word, control) {
    const label = document.createElement("label");
    label.append(word, control);
    return label;
  }

  // Sorting by a heading: ascending, descending, as in the book.
  let sort = "";
  for (const heading of headings) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const key = heading.dataset.sort;
      sort = sort === key ? `-${key}` : sort === `-${key}` ? "" : key;
      remember();
      show();
    });
  }
  const place = new Map(rows.map((row, i) => [row, i]));
  const sorted = (key, row) =>
    key === "verdict" ? ORDER.indexOf(row.dataset.verdict)
    : key === "claim" ? row.cells[1].textContent
    : key === "paper" ? place.get(row)
    : row.dataset[key];

  function show() {
    const wanted = Object.fromEntries(Object.keys(FILTERS).map((key) => [key, values(key)]));
    const text = words.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    const statements = new Set();
    for (const row of rows) {
      const matches =
        Object.entries(wanted).every(([key, of]) => !of.length || several(row, key).some((one) => of.includes(one))) &&
        text.every((word) => row.textContent.toLowerCase().includes(word));
      row.hidden = !matches;
      if (matches) {
        n += 1;
        statements.add(`${row.dataset.paper} ${row.dataset.statement}`);
      }
    }
    shown.textContent =
      `${n} of ${rows.length} claims` + (statements.size < n ? `, of ${statements.size} statements` : "");
    const key = sort.replace(/^-/, "");
    const way = sort.startsWith("-") ? -1 : 1;
    const order = [...rows].sort((a, b) => {
      if (!key) return place.get(a) - place.get(b);
      const [x, y] = [sorted(key, a), sorted(key, b)];
      const by = typeof x === "number" ? x - y : x.localeCompare(y);
      return by * way || place.get(a) - place.get(b);
    });
    body.append(...order);
    for (const heading of headings) {
      if (heading.dataset.sort === key) heading.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    }
  }

  // A link may ask for several values of one filter; a select holds one, so the others are kept beside it.
  const asked = {};
  const values = (key) => asked[key] || (controls[key].value ? [controls[key].value] : []);

  function remember() {
    const chosen = new URLSearchParams();
    for (const key of Object.keys(FILTERS)) if (values(key).length) chosen.set(key, values(key).join(","));
    if (words.value.trim()) chosen.set("words", words.value.trim());
    if (sort) chosen.set("sort", sort);
    history.replaceState(null, "", `#${chosen}`.replace(/^#$/, location.pathname));
  }

  function recall() {
    const hash = location.hash.slice(1);
    if (hash && !hash.includes("=")) return show(); // the anchor of a row
    const chosen = new URLSearchParams(hash);
    for (const key of Object.keys(FILTERS)) {
      const options = [...controls[key].options].map((option) => option.value);
      const asks = chosen.get(key) || "";
      const of = options.includes(asks) ? [asks] : asks.split(","); // some values have a comma of their own
      const valid = of.filter((one) => one && options.includes(one));
      controls[key].value = valid.length === 1 ? valid[0] : "";
      if (valid.length > 1) {
        asked[key] = valid;
        several_(key, valid);
      } else forget(key);
    }
    words.value = chosen.get("words") || "";
    const by = chosen.get("sort") || "";
    sort = headings.some((heading) => heading.dataset.sort === by.replace(/^-/, "")) ? by : "";
    show();
  }

  function several_(key, of) {
    forget(key, false);
    const option = new Option(of.join(", "), "");
    option.dataset.several = "";
    controls[key].append(option);
    option.selected = true;
  }

  function forget(key, also = true) {
    if (also) delete asked[key];
    for (const option of [...controls[key].options]) if ("several" in option.dataset) option.remove();
  }

  form.addEventListener("input", (event) => {
    if (FILTERS[event.target.name]) {
      const { value, selectedIndex } = event.target;
      forget(event.target.name);
      if (selectedIndex >= 0) event.target.value = value;
    }
    remember();
    show();
  });
  clear.addEventListener("click", () => {
    for (const key of Object.keys(FILTERS)) {
      forget(key);
      controls[key].value = "";
    }
    words.value = "";
    sort = "";
    remember();
    show();
  });
  addEventListener("hashchange", recall);
  recall();
})();
