// Compare any two methods: a row for each metric, as numbers and as a small forest plot. Without this script
// the page has tables of all methods against one.
"use strict";

(() => {
  const place = document.querySelector(".compare-two");
  const source = document.querySelector("script.compare-data");
  if (!place || !source) return;
  const data = JSON.parse(source.textContent);

  const SIGNS = { better: "▲", worse: "▼", equal: "=", undecided: "?", few: "…" };
  const LEVEL = 0.05;
  const IMAGES = 20;
  const REPETITIONS = 5;

  const network = select("Network", data.networks.map((net) => [net.network, net.network]));
  const first = select("First method", []);
  const second = select("Second method", []);
  const found = document.createElement("div");
  found.setAttribute("aria-live", "polite");
  place.append(element("div", "compare-choice", [network.label, first.label, second.label]), found);

  const net = () => data.networks.find((one) => one.network === network.box.value);

  function onNetwork() {
    const methods = net().methods.map((method) => [method.name, method.title]);
    const kept = [first.box.value || "opti_cam", second.box.value || data.baseline];
    [first, second].forEach(({ box }, i) => {
      box.replaceChildren(...methods.map(([value, text]) => new Option(text, value)));
      if (methods.some(([value]) => value === kept[i])) box.value = kept[i];
    });
    draw();
  }

  // The differences of a pair, in whichever order the file has it.
  function leads(one, other) {
    const straight = net().leads[`${one} ${other}`];
    if (straight) return straight;
    const turned = net().leads[`${other} ${one}`];
    return turned && turned.map((row) => row && [-row[0], negative(row[2]), negative(row[1]), row[3], row[4]]);
  }

  const negative = (value) => (value === null ? null : -value);

  function answer(metric, [mean, , , n, p]) {
    if (n < (metric === "seconds" ? REPETITIONS : IMAGES)) return "few";
    if (p === null) return "equal";
    return p > LEVEL ? "undecided" : mean > 0 ? "better" : "worse";
  }

  function draw() {
    const titles = Object.fromEntries(net().methods.map((method) => [method.name, method.title]));
    const [one, other] = [first.box.value, second.box.value];
    const rows = one === other ? null : leads(one, other);
    if (!rows) {
      found.textContent = one === other ? "Choose two methods." : "This pair was not run.";
      return;
    }
    const words = {
      better: titles[one], worse: titles[other], equal: "the same", undecided: "undecided", few: "too few images",
    };
    const counts = {};
    const body = document.createElement("tbody");
    for (const group of data.groups) {
      const lines = group.metrics.map((metric) => [metric, rows[data.metrics.findIndex((m) => m.name === metric)]]).filter(([, row]) => row);
      if (!lines.length) continue;
      const heading = element("th", "", [group.title]);
      heading.colSpan = 5;
      heading.scope = "colgroup";
      body.append(element("tr", "group", [heading]));
      for (const [metric, row] of lines) {
        const side = answer(metric, row);
        counts[side] = (counts[side] || 0) + 1;
        const label = element("th", "", [link(metric)]);
        label.scope = "row";
        body.append(element("tr", "", [
          label, element("td", side, [`${SIGNS[side]} ${words[side]}`]), element("td", "", [forest(row)]),
          element("td", "", [`${shown(row[0], row)} ${interval(row)}`]), element("td", "", [String(row[3])]),
        ]));
      }
    }
    const head = element("thead", "", [element("tr", "", ["Metric", "Better", `${titles[other]} | ${titles[one]}`, "Difference [95 % interval]", "n"].map((text) => {
      const cell = element("th", "", [text]);
      cell.scope = "col";
      return cell;
    }))]);
    const box = element("div", "table-scroll", [element("table", "two cams", [head, body])]);
    box.tabIndex = 0;
    const summary = `${titles[one]} against ${titles[other]} on ${net().dataset} (${net().rests_on}). Better: ${said(counts, words)}.`;
    found.replaceChildren(element("p", "", [summary]), box);
  }

  function said(counts, words) {
    return Object.keys(SIGNS).filter((side) => counts[side]).map((side) => `${words[side]} in ${counts[side]}`).join(", ");
  }

  function link(metric) {
    const heading = data.metrics.find((one) => one.name === metric).heading;
    if (!place.dataset.metrics || !(metric in data.metric_passes)) return heading;
    const made = element("a", "", [heading]);
    made.href = `${place.dataset.metrics}/${metric}.html`;
    return made;
  }

  // As many digits as the interval leaves meaningful.
  function digits([, low, high]) {
    const half = (high - low) / 2;
    return half > 0 && isFinite(half) ? Math.min(4, Math.max(0, 1 - Math.floor(Math.log10(half)))) : 2;
  }

  function shown(value, row) {
    return value === null ? "–" : value.toFixed(digits(row)).replace("-", "−");
  }

  function interval(row) {
    return row[1] === null || row[2] === null ? "–" : `[${shown(row[1], row)}, ${shown(row[2], row)}]`;
  }

  // The interval around zero, on a scale of its own.
  function forest([mean, low, high]) {
    const svg = shape("svg", { viewBox: "0 0 200 24", "aria-hidden": "true" });
    const reach = Math.max(Math.abs(low ?? mean), Math.abs(high ?? mean), Math.abs(mean)) || 1;
    const x = (value) => 100 + (92 * value) / reach;
    svg.append(shape("line", { class: "zero", x1: 100, x2: 100, y1: 1, y2: 23 }));
    if (low !== null && high !== null) svg.append(shape("line", { class: "interval", x1: x(low), x2: x(high), y1: 12, y2: 12 }));
    svg.append(shape("circle", { cx: x(mean), cy: 12, r: 4.5 }));
    return svg;
  }

  function shape(tag, attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  function select(text, entries) {
    const box = document.createElement("select");
    box.replaceChildren(...entries.map(([value, said]) => new Option(said, value)));
    return { box, label: element("label", "", [text, box]) };
  }

  function element(tag, name, children) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.append(...children);
    return made;
  }

  network.box.addEventListener("change", onNetwork);
  first.box.addEventListener("change", draw);
  second.box.addEventListener("change", draw);
  onNetwork();
})();
