/* The keyboard stops at a table or a formula only where there is something to scroll. */
addEventListener("DOMContentLoaded", () => {
  const regions = document.querySelectorAll(".table-scroll, div.math");
  const stop = (region) => {
    const scrolls = region.scrollWidth > region.clientWidth || region.scrollHeight > region.clientHeight;
    scrolls ? region.setAttribute("tabindex", "0") : region.removeAttribute("tabindex");
  };
  const observer = new ResizeObserver((entries) => entries.forEach((entry) => stop(entry.target)));
  regions.forEach((region) => observer.observe(region));
});
