"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const NS = "http://www.w3.org/2000/svg";
  let scale = "linear";
  const drawings = [];

  const make = (name, attributes, text) => {
    const e = document.createElementNS(NS, name);
    for (const key in attributes) e.setAttribute(key, attributes[key]);
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const number = (v) => {
    const a = Math.abs(v);
    if (v === 0) return "0";
    if (a >= 1e6 || a < 1e-3) return v.toExponential(2);
    return a >= 1000 ? String(Math.round(v)) : String(Number(v.toPrecision(4)));
  };
  // Round numbers between two others.
  const ticks = (lo, hi, count) => {
    const raw = (hi - lo) / Math.max(1, count);
    if (!(raw > 0)) return [lo];
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
    const all = [];
    for (let v = Math.ceil(lo / step - 1e-9) * step; v <= hi + step * 1e-9; v += step) all.push(Number(v.toPrecision(12)));
    return all;
  };
  const powers = (lo, hi) => {
    const all = [];
    for (let p = Math.floor(Math.log10(lo)); p <= Math.ceil(Math.log10(hi)); p++)
      for (const m of [1, 2, 5]) if (m * 10 ** p >= lo * 0.999 && m * 10 ** p <= hi * 1.001) all.push(Number(`${m}e${p}`));
    const tens = all.filter((v) => /^1(0*$|e)|^0\.0*1$/.test(String(v)));
    if (all.length < 3) return ticks(lo, hi, 4);
    return all.length <= 6 ? all : tens.length >= 2 ? tens : ticks(lo, hi, 4);
  };

  function draw(box, chart) {
    box.textContent = "";
    const series = chart.series.filter((s) => s.points.length);
    if (chart.heading) box.append(Object.assign(document.createElement("h3"), { textContent: chart.title }));
    const legend = Object.assign(document.createElement("div"), { className: "legend" });
    box.append(legend);
    if (!series.length) {
      legend.textContent = "no numbers yet";
      return;
    }
    const width = Math.max(240, box.clientWidth), height = Math.round(Math.min(300, Math.max(190, width * 0.55)));
    const [left, right, top, bottom] = [58, 12, 8, 40];
    const all = series.flatMap((s) => s.points);
    const least = (i, of) => of.reduce((m, p) => Math.min(m, p[i]), Infinity);
    const most = (i, of) => of.reduce((m, p) => Math.max(m, p[i]), -Infinity);
    const isLog = scale === "log" && !chart.scatter && all.some((p) => p[1] > 0);
    const shown = isLog ? all.filter((p) => p[1] > 0) : all;
    let [x0, x1, y0, y1] = [least(0, all), most(0, all), least(1, shown), most(1, shown)];
    if (!chart.scatter && chart.x === "epoch") x0 = Math.min(x0, x1 > 1 ? x0 : 0);
    if (x0 === x1) [x0, x1] = [x0 - 1, x1 + 1];
    if (y0 === y1) [y0, y1] = isLog ? [y0 / 1.5, y1 * 1.5] : [y0 - Math.max(0.5, Math.abs(y0) / 10), y1 + Math.max(0.5, Math.abs(y1) / 10)];
    const f = isLog ? Math.log : (v) => v;
    const X = (v) => left + ((v - x0) / (x1 - x0)) * (width - left - right);
    const Y = (v) => top + (1 - (f(v) - f(y0)) / (f(y1) - f(y0))) * (height - top - bottom);
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": chart.title });
    for (const v of isLog ? powers(y0, y1) : ticks(y0, y1, 5)) {
      svg.append(make("line", { class: "grid", x1: left, x2: width - right, y1: Y(v), y2: Y(v) }));
      svg.append(make("text", { x: left - 8, y: Y(v) + 4, "text-anchor": "end" }, number(v)));
    }
    const isWhole = all.every((p) => Number.isInteger(p[0]));
    for (const v of ticks(x0, x1, Math.max(2, Math.floor((width - left) / 90))).filter((v) => !isWhole || Number.isInteger(v)))
      svg.append(make("text", { x: X(v), y: height - bottom + 18, "text-anchor": "middle" }, number(v)));
    svg.append(make("text", { x: width - right, y: height - 4, "text-anchor": "end" }, chart.x));
    if (chart.y) svg.append(make("text", { x: left, y: height - 4 }, `${chart.y}, upwards`));
    for (const s of series) {
      const points = isLog ? s.points.filter((p) => p[1] > 0) : s.points;
      const isCloud = chart.scatter && s.class !== "guide";
      if (!isCloud) svg.append(make("path", { class: s.class, d: points.map((p, i) => `${i ? "L" : "M"}${X(p[0]).toFixed(1)} ${Y(p[1]).toFixed(1)}`).join("") }));
      if (isCloud || points.length === 1 || (points.length <= 40 && s.class !== "faint" && s.class !== "guide"))
        for (const p of points) svg.append(make("circle", { class: s.class, cx: X(p[0]), cy: Y(p[1]), r: isCloud ? 2.5 : points.length > 1 ? 2.5 : 4 }));
    }
    box.append(svg);

    const entries = series.map((s) => {
      const entry = document.createElement("span");
      entry.append(Object.assign(document.createElement("i"), { className: s.class }), "");
      legend.append(entry);
      return entry;
    });
    const say = (x) => series.forEach((s, k) => {
      let text = s.name;
      if (x !== undefined && !chart.scatter) {
        const near = s.points.reduce((a, b) => (Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a));
        text += ` ${number(near[1])}`;
      }
      entries[k].lastChild.textContent = text;
    });
    say();
    if (chart.scatter) return;
    const cursor = make("line", { class: "cursor", y1: top, y2: height - bottom, visibility: "hidden" });
    const label = make("text", { y: height - bottom + 34, "text-anchor": "middle", visibility: "hidden" });
    svg.append(cursor, label);
    const move = (event) => {
      const at = ((event.clientX - svg.getBoundingClientRect().left) / svg.getBoundingClientRect().width) * width;
      const x = x0 + ((at - left) / (width - left - right)) * (x1 - x0);
      const known = series[series.length - 1].points.length > 1 ? series[series.length - 1] : series[0];
      const near = known.points.reduce((a, b) => (Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a));
      for (const e of [cursor, label]) e.setAttribute("visibility", "visible");
      cursor.setAttribute("x1", X(near[0]));
      cursor.setAttribute("x2", X(near[0]));
      label.setAttribute("x", Math.min(width - right - 60, Math.max(left, X(near[0]))));
      label.textContent = `${chart.x} ${number(near[0])}`;
      say(near[0]);
    };
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerdown", move);
    svg.addEventListener("pointerleave", () => {
      for (const e of [cursor, label]) e.setAttribute("visibility", "hidden");
      say();
    });
  }

  const place = document.querySelector(".charts");
  for (const chart of place ? data.charts : []) {
    if (!chart.series.some((s) => s.points.length)) continue;
    const box = Object.assign(document.createElement("div"), { className: "chart" });
    place.append(box);
    drawings.push([box, { ...chart, heading: true }]);
  }
  for (const box of document.querySelectorAll("[data-sample]")) drawings.push([box, data.samples[Number(box.dataset.sample)]]);
  const all = () => drawings.forEach(([box, chart]) => chart && draw(box, chart));
  for (const button of document.querySelectorAll("[data-scale]"))
    button.addEventListener("click", () => {
      scale = button.dataset.scale;
      document.querySelectorAll("[data-scale]").forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
      all();
    });
  let drawn = 0;
  new ResizeObserver(() => {
    if (document.body.clientWidth === drawn) return;
    drawn = document.body.clientWidth;
    all();
  }).observe(document.body);
  all();
})();
