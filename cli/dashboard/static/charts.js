"use strict";
// Mounts charts: every element with data-chart gets its data from an island of the page or from an address, and is drawn
// by the function of that name in `germline.charts`. Colours come from the stylesheet, so that light and dark agree.
window.germline = (() => {
  const charts = {};
  const mounted = new Map();

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const series = (i) => colour(`series-${1 + (i % 6)}`);
  const short = (value) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "-";
    const size = Math.abs(value);
    if (size >= 1e5 && size < 1e15) return value.toLocaleString("en-US", { notation: "compact", maximumSignificantDigits: 4 });
    if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(2);
    return Number(value.toPrecision(4)).toString();
  };
  const count = (value) => Number(value).toLocaleString("en-US");

  // Parts that all charts share. Tooltips are drawn on the canvas: a name from a database can never be markup.
  // `description` is what a screen reader says in the place of the picture.
  const base = (description) => ({
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: colour("ink") },
    color: [1, 2, 3, 4, 5, 6].map((i) => colour(`series-${i}`)),
    grid: { left: 72, right: 34, top: 34, bottom: 48 },
    legend: { top: 0, left: 0, itemWidth: 14, itemHeight: 8, textStyle: { color: colour("quiet") }, inactiveColor: colour("faint") },
    tooltip: {
      renderMode: "richText", confine: true, backgroundColor: colour("card"), borderColor: colour("faint"),
      textStyle: { color: colour("ink"), fontSize: 12 }, axisPointer: { lineStyle: { color: colour("quiet") } },
    },
    aria: { enabled: true, label: { description } },
  });
  const axis = (name, more = {}) => ({
    type: "value", name, nameLocation: "middle", nameGap: 28, scale: true,
    nameTextStyle: { color: colour("quiet"), fontSize: 12 },
    axisLine: { show: false }, axisTick: { show: false },
    axisLabel: { color: colour("quiet"), fontSize: 12, formatter: short, hideOverlap: true, showMinLabel: more.min === undefined, showMaxLabel: more.max === undefined },
    splitLine: { lineStyle: { color: colour("faint") } }, ...more,
  });
  // Few ticks on a narrow chart: of labels that overlap some would be left out, and the others stand unevenly.
  const births = (element, more = {}) => axis("birth", {
    scale: false, splitLine: { show: false }, splitNumber: element.clientWidth < 560 ? 2 : 5, minInterval: 1, max: "dataMax",
    axisLabel: { color: colour("quiet"), fontSize: 12, formatter: count, hideOverlap: true, showMaxLabel: false }, ...more,
  });

  const note = (element, text) => {
    element.replaceChildren();
    const box = document.createElement("p");
    box.className = "note";
    box.textContent = text;
    element.append(box);
  };

  // The data of an island of the page (`#…`) or of an address.
  const read = async (source) => {
    if (source.startsWith("#")) return JSON.parse(document.getElementById(source.slice(1)).textContent);
    const answer = await fetch(source);
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return answer.json();
  };

  const draw = (element) => {
    const { data, chart } = mounted.get(element);
    const option = charts[element.dataset.chart](data, element);
    if (option === null) {
      chart?.dispose();
      note(element, element.dataset.empty || "nothing is recorded yet");
      mounted.set(element, { data });
      return;
    }
    let canvas = chart;
    if (!canvas || canvas.isDisposed()) {
      element.replaceChildren();
      canvas = echarts.init(element, null, { renderer: "canvas" });
      canvas.on("click", (event) => {
        const target = event.data && event.data.birth;
        if (target !== undefined && element.dataset.link) window.location = element.dataset.link + target;
      });
    }
    if (canvas.getHeight() !== element.clientHeight || canvas.getWidth() !== element.clientWidth) canvas.resize(); // more workers take more room
    canvas.setOption(option, { notMerge: true });
    mounted.set(element, { data, chart: canvas });
  };

  const load = async (element) => {
    try {
      const data = await read(element.dataset.source);
      mounted.set(element, { data, chart: mounted.get(element)?.chart });
      draw(element);
      element.dataset.state = "drawn";
    } catch (error) {
      if (!mounted.get(element)?.chart) note(element, `not shown: ${error.message}`);
      element.dataset.state = "failed";
    }
  };

  const all = () => [...document.querySelectorAll("[data-chart]")];
  let drawn;
  const firstDrawn = new Promise((resolve) => { drawn = resolve; });
  const refresh = async () => {
    for (const element of all()) {
      await load(element);
      drawn();
    }
  };
  const redraw = () => all().filter((element) => mounted.has(element)).forEach(draw);

  document.addEventListener("DOMContentLoaded", () => {
    refresh();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    let waiting = 0;
    window.addEventListener("resize", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => mounted.forEach(({ chart }) => chart && !chart.isDisposed() && chart.resize()), 100);
    });
  });
  return { charts, colour, series, short, count, base, axis, births, read, refresh, redraw, mounted, firstDrawn };
})();
