// Shows where a name is defined and used: pointing at one marks all, a tap or click keeps them marked.
(function () {
  "use strict";
  var kept = null;
  function named(target) {
    return target instanceof Element ? target.closest("[data-n]") : null;
  }
  function mark(name) {
    document.querySelectorAll(".marked").forEach(function (e) { e.classList.remove("marked"); });
    if (name === null) return;
    document.querySelectorAll("[data-n]").forEach(function (e) {
      if (e.getAttribute("data-n") === name) e.classList.add("marked");
    });
  }
  document.addEventListener("pointerover", function (event) {
    if (event.pointerType === "touch") return;
    var e = named(event.target);
    mark(e ? e.getAttribute("data-n") : kept);
  });
  document.addEventListener("click", function (event) {
    var e = named(event.target);
    kept = e ? e.getAttribute("data-n") : null;
    mark(kept);
  });
})();
