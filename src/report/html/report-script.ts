/**
 * What runs in the reader's browser: it replaces each chart's still picture by a live one in the page's own colours. Text
 * and axes take `currentColor`, so light, dark and print need no second rendering. Plain script, no modules: the file is
 * opened from disk.
 */
export const REPORT_SCRIPT = `
(function () {
  "use strict";
  var charts = JSON.parse(document.getElementById("chart-sources").textContent);
  var tip = document.getElementById("tip");

  function showTip(event, rows) {
    tip.textContent = "";
    rows.forEach(function (row) {
      var line = document.createElement("div"), label = document.createElement("span"), value = document.createElement("b");
      label.textContent = row[0];
      value.textContent = row[1];
      line.append(label, value);
      tip.append(line);
    });
    tip.hidden = false;
    var x = event.clientX + 14, y = event.clientY + 14;
    if (x + tip.offsetWidth > innerWidth - 8) x = event.clientX - tip.offsetWidth - 14;
    if (y + tip.offsetHeight > innerHeight - 8) y = event.clientY - tip.offsetHeight - 14;
    tip.style.transform = "translate(" + Math.max(4, x) + "px," + Math.max(4, y) + "px)";
  }
  function hideTip() { tip.hidden = true; }
  function tooltip(handler, event, item, value) {
    if (value == null || value === "") return hideTip();
    showTip(event, typeof value === "object" ? Object.entries(value) : [["", String(value)]]);
  }

  function themed(spec, index) {
    var ink = "currentColor";
    var own = {
      background: "transparent",
      padding: 6,
      font: "chart-" + index + ", Inter, Arial, sans-serif",
      title: { color: ink, subtitleColor: ink },
      axis: { labelColor: ink, titleColor: ink, domainColor: ink, tickColor: ink, gridColor: ink,
              labelOpacity: 0.75, domainOpacity: 0.45, tickOpacity: 0.45, gridOpacity: 0.13 },
      legend: { labelColor: ink, titleColor: ink },
      text: { color: ink },
      style: { halo: { stroke: "var(--card)" } }
    };
    var config = Object.assign({}, spec.config);
    Object.keys(own).forEach(function (key) {
      config[key] = typeof own[key] === "object" ? Object.assign({}, config[key], own[key]) : own[key];
    });
    return Object.assign({}, spec, { config: config });
  }

  function loaderOf(chart) {
    function load(uri) {
      return uri === chart.name + ".data.json"
        ? Promise.resolve(JSON.stringify(chart.data))
        : Promise.reject(new Error("this report reads no other files: " + uri));
    }
    return { load: load, http: load, file: load, sanitize: function (uri) { return Promise.resolve({ href: uri }); } };
  }

  // A chart whose usermeta names a table and its columns gets a cross-hair with the values of the nearest row.
  function addCrossHair(view, element, chart, hover) {
    var rows = chart.data[hover.table], line = document.createElement("i");
    line.className = "cross-hair";
    line.hidden = true;
    element.append(line);
    function leave() { line.hidden = true; hideTip(); }
    element.addEventListener("pointerleave", leave);
    element.addEventListener("pointermove", function (event) {
      var svg = element.querySelector("svg"), box = svg.getBoundingClientRect();
      var zoom = box.width / svg.viewBox.baseVal.width;
      var left = view.padding().left + view.origin()[0], top = view.padding().top + view.origin()[1];
      var x = (event.clientX - box.left) / zoom - left, y = (event.clientY - box.top) / zoom - top;
      if (x < 0 || x > view.width() || y < 0 || y > view.height()) return leave();
      var scale = view.scale("x"), at = scale.invert(x), low = 0, high = rows.length - 1;
      while (low < high) {
        var middle = (low + high) >> 1;
        if (rows[middle][hover.x] < at) low = middle + 1; else high = middle;
      }
      if (low > 0 && at - rows[low - 1][hover.x] < rows[low][hover.x] - at) low--;
      var row = rows[low];
      line.hidden = false;
      line.style.left = (scale(row[hover.x]) + left) * zoom + svg.offsetLeft + (box.left - element.getBoundingClientRect().left - svg.offsetLeft) + "px";
      line.style.top = top * zoom + "px";
      line.style.height = view.height() * zoom + "px";
      showTip(event, [[hover.x, row[hover.x].toLocaleString("en")]].concat(
        hover.y.filter(function (name) { return row[name] !== undefined; })
               .map(function (name) { return [name, Number(row[name]).toPrecision(4)]; })));
    });
  }

  async function draw(figure) {
    var index = Number(figure.dataset.chart), chart = charts[index];
    if (!chart) return;
    var still = figure.querySelector(".view"), live = document.createElement("div");
    live.className = "view live";
    await Promise.all(["400 12px chart-" + index, "600 12px chart-" + index].map(function (font) { return document.fonts.load(font); }));
    var spec = themed(chart.spec, index);
    var compiled = chart.grammar === "vega-lite" ? vegaLite.compile(spec).spec : spec;
    var view = new vega.View(vega.parse(compiled), { renderer: "svg", container: live, hover: true, loader: loaderOf(chart), tooltip: tooltip });
    await view.runAsync();
    still.replaceWith(live);
    var hover = (chart.spec.usermeta || {}).hover;
    if (hover) addCrossHair(view, live, chart, hover);
  }

  document.querySelectorAll("figure.chart").forEach(function (figure) {
    var image = figure.querySelector("img"), save = figure.querySelector(".save");
    if (image && save) save.href = image.src;
    if (typeof vega !== "undefined" && typeof vegaLite !== "undefined")
      draw(figure).catch(function (error) { console.error("chart " + figure.dataset.chart + " stays a picture:", error); });
  });
})();
`;
