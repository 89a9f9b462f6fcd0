/* Excerpts under the results of a search. A page that was opened from a file may not fetch another
   page, but it may load a script: so the text of each page waits in a script of its own. */
(() => {
  const root = document.documentElement.dataset.content_root;
  const told = {}, loaded = {};

  window.excerpt = (page, html) => told[page](html);

  const text = (page) => (loaded[page] ??= new Promise((resolve) => {
    const script = document.createElement("script");
    told[page] = resolve;
    script.onerror = () => resolve("");
    script.src = `${root}_static/excerpts/${page}.js`;
    document.head.append(script);
  }));

  const fetched = window.fetch;
  window.fetch = (url, ...options) => {
    const page = String(url).startsWith(root) && String(url).slice(root.length).match(/^(.+)\.html$/);
    return page ? text(page[1]).then((html) => new Response(html)) : fetched(url, ...options);
  };
})();
