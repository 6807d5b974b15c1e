// Filters the list of the index by what is typed. The address may bring the first words: ?q=…
(function () {
  "use strict";
  var entries = JSON.parse(document.getElementById("index").textContent);
  var box = document.getElementById("search");
  var none = document.getElementById("none");
  var items = entries.map(function (e) { return document.getElementById(e.id); });
  // As the index is made: small letters without accents, cut at whatever is no letter, digit or _.
  function fold(text) { return text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase(); }
  function score(entry, word) {
    var name = fold(entry.name);
    if (name === word) return 8;
    if (name.startsWith(word)) return 4;
    if (name.includes(word)) return 2;
    return entry.text.includes(word) ? 1 : 0;
  }
  function search() {
    var words = fold(box.value).split(/[^\p{L}\p{N}_]+/u).filter(Boolean);
    var found = 0;
    var best = null;
    entries.forEach(function (entry, i) {
      var total = 0;
      var all = words.every(function (word) { var s = score(entry, word); total += s; return s > 0; });
      items[i].hidden = !all;
      if (all) found += 1;
      if (all && words.length && (best === null || total > best.total)) best = { total: total, item: items[i] };
    });
    document.querySelectorAll(".best").forEach(function (e) { e.classList.remove("best"); });
    if (best) best.item.classList.add("best");
    document.querySelectorAll("section.file").forEach(function (section) {
      section.hidden = !section.querySelector("li:not([hidden])");
    });
    none.hidden = found > 0;
  }
  box.form.addEventListener("submit", function (event) {
    event.preventDefault();
    var best = document.querySelector(".best a");
    if (best) location.href = best.href;
  });
  box.value = new URLSearchParams(location.search).get("q") || "";
  box.addEventListener("input", search);
  search();
})();
