/* Who searches for a table, a figure, a method or a metric by its name is led there first, before the pages that
   mention it. `named.js` says what is called what. */
(() => {
  const names = [];
  window.named = (found) => names.push(...found);

  const plain = (text) => text.normalize("NFKC").toLowerCase()
    .replace(/\bfigs?\b\.?/g, "figure").replace(/\btab\b\.?/g, "table").replace(/\+\+/g, "plusplus")
    .replace(/[^\p{L}\p{N}]/gu, "");

  // The scripts of the search follow this one. They take results from the end.
  document.addEventListener("DOMContentLoaded", () => {
    const found = Search._performSearch;
    Search._performSearch = (query, ...terms) => {
      const asked = plain(query);
      const first = names.filter(([, , , called]) => called.some((name) => plain(name) === asked));
      const places = first.map(([, page, anchor]) => `${page}#${anchor}`);
      const others = found(query, ...terms).filter(([page, , anchor]) => !places.includes(page + (anchor || "#")));
      return [...others, ...first.map(([title, page, anchor]) => [page, title, anchor && `#${anchor}`, null, 100, page]).reverse()];
    };
  });
})();
