// The gallery: one photograph and one network at a time, a slider for opacity, and a wipe between two
// methods. Without this script the page is a plain list of grids that fold.
"use strict";

(() => {
  for (const gallery of document.querySelectorAll(".map-gallery")) {
    const sets = [...gallery.querySelectorAll(".map-set")];
    if (sets.length) start(gallery, sets);
  }

  function start(gallery, sets) {
    const networks = [...new Set(sets.map((set) => set.dataset.network))];
    const network = select("Network", networks.map((name) => [name, name]));
    const image = select("Photograph", []);
    const first = select("Left of the line", []);
    const second = select("Right of the line", []);
    const opacity = range("Opacity of the maps", 60);
    const wipe = range("Line between the two maps", 50);

    const choice = element("div", "map-choice", [network.label, image.label, opacity.label]);
    const two = element("div", "map-choice", [first.label, second.label, wipe.label]);
    const stage = element("figure", "map-wipe", []);
    gallery.prepend(choice, two, stage);

    const chosen = () => sets.find((set) => set.dataset.network === network.box.value && set.dataset.image === image.box.value);

    function fill(box, entries, keep) {
      box.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
      if (entries.some(([value]) => value === keep)) box.value = keep;
    }

    function onNetwork() {
      const of = sets.filter((set) => set.dataset.network === network.box.value);
      fill(image.box, of.map((set) => [set.dataset.image, set.dataset.label]), image.box.value);
      onImage();
    }

    function onImage() {
      for (const set of sets) {
        set.hidden = set !== chosen();
        set.open = !set.hidden;
      }
      const methods = tiles().map((tile) => [tile.dataset.method, tile.dataset.title]);
      const kept = [first.box.value || "grad_cam", second.box.value || "opti_cam"];
      fill(first.box, methods, kept[0]);
      fill(second.box, methods, kept[1]);
      draw();
    }

    function tiles() {
      return [...chosen().querySelectorAll(".map-tile[data-method]")];
    }

    function draw() {
      const shown = [first, second].map(({ box }) => tiles().find((tile) => tile.dataset.method === box.value));
      const photo = chosen().querySelector(".map-photo").cloneNode();
      const maps = shown.map((tile, i) => {
        const map = tile.querySelector("img").cloneNode();
        map.loading = "eager";
        map.className = i ? "map-second" : "map-first";
        return map;
      });
      // Each map lies over the photograph, so that it is drawn under the second one once more.
      const under = photo.cloneNode();
      under.classList.add("map-second");
      const stack = element("span", "map-stack", [photo, maps[0], under, maps[1], element("span", "map-line", [])]);
      stack.style.setProperty("--map-photo", chosen().querySelector(".map-tiles").style.getPropertyValue("--map-photo"));
      const names = element("figcaption", "map-names", shown.map((tile) => element("span", "", [name(tile)])));
      stage.replaceChildren(stack, names);
      stack.addEventListener("pointerdown", follow);
      stack.addEventListener("pointermove", (event) => event.buttons && follow(event));
    }

    function name(tile) {
      const caption = tile.querySelector("figcaption a");
      return caption ? caption.cloneNode(true) : document.createTextNode(tile.dataset.title);
    }

    function follow(event) {
      const box = event.currentTarget.getBoundingClientRect();
      wipe.box.value = Math.round((100 * (event.clientX - box.left)) / box.width);
      slide();
    }

    function slide() {
      gallery.style.setProperty("--map-wipe", `${wipe.box.value}%`);
      gallery.style.setProperty("--map-opacity", opacity.box.value / 100);
      wipe.box.setAttribute("aria-valuetext", `${wipe.box.value} % of the width`);
      opacity.box.setAttribute("aria-valuetext", `${opacity.box.value} %`);
    }

    network.box.addEventListener("change", onNetwork);
    image.box.addEventListener("change", onImage);
    first.box.addEventListener("change", draw);
    second.box.addEventListener("change", draw);
    wipe.box.addEventListener("input", slide);
    opacity.box.addEventListener("input", slide);
    onNetwork();
    slide();
  }

  function select(text, entries) {
    const box = document.createElement("select");
    box.replaceChildren(...entries.map(([value, said]) => new Option(said, value)));
    return { box, label: element("label", "", [document.createTextNode(text), box]) };
  }

  function range(text, value) {
    const box = document.createElement("input");
    Object.assign(box, { type: "range", min: 0, max: 100, value });
    return { box, label: element("label", "", [document.createTextNode(text), box]) };
  }

  function element(tag, name, children) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.append(...children);
    return made;
  }
})();
