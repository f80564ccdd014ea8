"use strict";
// The charts of a run: fitness, shares, workers; and the curves of a comparison.
(() => {
  const { charts, colour, series, short, count, base, axis, births } = germline;
  const pairs = (x, y) => x.map((value, i) => [value, y[i]]);
  const line = (name, data, more = {}) => ({ name, type: "line", data, showSymbol: false, lineStyle: { width: 2 }, emphasis: { disabled: true }, ...more });

  // A band as two stacked areas: the lower edge without colour, and the difference with it.
  const band = (name, x, low, high, fill, step = false) => [
    { type: "line", name: `${name} `, data: pairs(x, low), step, stack: name, symbol: "none", lineStyle: { opacity: 0 }, silent: true, stackStrategy: "all", tooltip: { show: false } },
    { type: "line", name: `${name}`, data: x.map((value, i) => [value, high[i] === null || low[i] === null ? null : high[i] - low[i]]), step, stack: name, stackStrategy: "all",
      symbol: "none", lineStyle: { opacity: 0 }, areaStyle: { color: fill, opacity: 1 }, itemStyle: { color: colour("accent-soft") }, silent: true },
  ];

  // The range of the axis: all of what is in focus, and of what is around it as much as takes the same room again.
  const range = (focus, around = []) => {
    const known = (values) => values.filter((value) => value !== null && Number.isFinite(value)).sort((a, b) => a - b);
    const inside = known(focus), outside = known(around);
    if (inside.length === 0) return {};
    const high = Math.max(inside[inside.length - 1], outside[outside.length - 1] ?? -Infinity);
    const span = high - inside[0] || Math.abs(high) || 1;
    const low = Math.max(inside[0] - span, Math.min(inside[0], outside[Math.floor(outside.length * 0.1)] ?? Infinity));
    return { min: low - 0.06 * (high - low || span), max: high + 0.06 * (high - low || span) };
  };

  charts.fitness = (data, element) => {
    if (data.best.length === 0) return null;
    const [first, last] = [data.best[0], data.best[data.best.length - 1]];
    const told = data.reviews.map((each) => `; ${each.name}, at last ${short(each.points[each.points.length - 1][1])}`).join("");
    const reviews = data.reviews.map((each, i) => ({
      name: each.name, type: each.points.length > 60 ? "scatter" : "line", symbol: i ? "diamond" : "circle", symbolSize: 7,
      data: each.points.map(([x, y, birth]) => ({ value: [x, y], birth })), lineStyle: { width: 1, type: "dashed" }, color: series(i + 1),
    }));
    const focus = range([...data.best.map((point) => point[1]), ...data.reviews.flatMap((each) => each.points.map((point) => point[1]))], data.median);
    // A median that is mostly out of sight would only be spikes.
    const seen = data.median.filter((value) => value >= focus.min).length > 0.6 * data.median.length;
    const option = base(`Chart of ${data.unit} over births: best so far from ${short(first[1])} at birth ${count(first[0])} to ${short(last[1])} at birth ${count(last[0])}${told}.`);
    const wide = element.clientWidth > 560;
    option.legend.data = ["best so far", ...(seen ? ["median of births"] : []), { name: "middle half of births", icon: "roundRect" }, ...data.reviews.map((each) => each.name)];
    option.grid.top = wide ? 34 : 74;
    option.tooltip = { ...option.tooltip, trigger: "axis", formatter: (items) => {
      const rows = items.filter((item) => !item.seriesName.startsWith("middle")).map((item) => `${item.seriesName}  ${short(item.value[1])}`);
      return [`birth ${count(items[0].value[0])}`, ...rows].join("\n");
    } };
    option.xAxis = births(element);
    option.yAxis = axis(data.unit, { nameGap: 52, ...focus });
    option.series = [
      ...band("middle half of births", data.x, data.low, data.high, colour("band")),
      ...(seen ? [line("median of births", pairs(data.x, data.median), { color: colour("series-6"), lineStyle: { width: 1.2 } })] : []),
      line("best so far", data.best, { color: colour("series-1"), step: "end", lineStyle: { width: 2.4 } }),
      ...reviews,
    ];
    option.dataZoom = [{ type: "inside", xAxisIndex: 0, zoomOnMouseWheel: "ctrl", filterMode: "none" }];
    return option;
  };

  charts.shares = (data, element) => {
    const some = (values) => values.some((value) => value > 0);
    const names = Object.keys(data.failures), hits = some(data.hits);
    if (!hits && names.length === 0 && data.dead.x.length === 0) {
      element.style.height = "48px";
      return null;
    }
    element.style.height = "";
    const mean = (values) => `${(100 * values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(1)} %`;
    const told = [...(hits ? [["cache hits", data.hits]] : []), ...names.map((name) => [name, data.failures[name]]), ...(data.dead.x.length ? [["dead parts", data.dead.dead]] : [])];
    const option = base(`Chart of shares over births, on average: ${told.map(([name, values]) => `${name} ${mean(values)}`).join(", ")}.`);
    option.tooltip = { ...option.tooltip, trigger: "axis", valueFormatter: (value) => `${(100 * value).toFixed(1)} %` };
    option.xAxis = births(element);
    option.yAxis = axis("", { scale: false, min: 0, axisLabel: { color: colour("quiet"), formatter: (value) => `${short(100 * value)} %` } });
    option.series = [
      ...(hits ? [line("cache hits", pairs(data.x, data.hits), { color: series(0) })] : []),
      ...names.map((name, i) => line(name.slice(0, 40), pairs(data.x, data.failures[name]), { color: series([4, 1, 3, 2, 5][i % 5]) })),
      ...(data.dead.x.length ? [line("dead parts", pairs(data.dead.x, data.dead.dead), { color: series(5), lineStyle: { width: 2, type: "dashed" } })] : []),
    ];
    const rows = Math.ceil(told.reduce((sum, [name]) => sum + 46 + 7 * Math.min(40, name.length), 0) / element.clientWidth);
    option.grid.top = 14 + 20 * rows;
    option.grid.left = 48;
    return option;
  };

  charts.workers = (data, element) => {
    if (data.workers.length === 0) return null;
    const bars = data.busy.map((row, i) => `${data.workers[i]} ${(100 * row.reduce((sum, value) => sum + value, 0) / row.length).toFixed(0)} %`);
    const option = base(`How busy ${count(data.workers.length)} workers were from ${data.start} to ${data.end}: ${bars.slice(0, 8).join(", ")}.`);
    element.style.height = `${Math.max(110, 60 + 22 * data.workers.length)}px`;
    const bins = data.busy[0].length, from = Date.parse(data.start), span = (Date.parse(data.end) - from) / bins;
    const at = (i) => new Date(from + (i + 0.5) * span).toISOString().slice(5, 19).replace("T", " ");
    const cells = data.busy.flatMap((row, y) => row.map((value, x) => [x, y, value]));
    option.grid = { left: 8, right: 16, top: 6, bottom: 8, containLabel: true };
    option.tooltip = { ...option.tooltip, formatter: (item) => `${data.workers[item.value[1]]}\n${at(item.value[0])}  busy ${(100 * item.value[2]).toFixed(0)} %` };
    option.xAxis = { type: "category", data: Array.from({ length: bins }, (_, i) => at(i)), axisLine: { show: false }, axisTick: { show: false },
      axisLabel: { color: colour("quiet"), hideOverlap: true, interval: (i) => [0, Math.floor(bins / 2), bins - 1].includes(i) && (i !== Math.floor(bins / 2) || element.clientWidth > 560),
        alignMinLabel: "left", alignMaxLabel: "right" } };
    option.yAxis = { type: "category", data: data.workers, inverse: true, axisLine: { show: false }, axisTick: { show: false }, axisLabel: { color: colour("quiet"), width: 130, overflow: "truncate" } };
    option.visualMap = { show: false, min: 0, max: 1, inRange: { color: [colour("heat-0"), colour("heat-1")] } };
    option.series = [{ type: "heatmap", data: cells, progressive: 0, itemStyle: { borderColor: colour("card"), borderWidth: 0.5 }, emphasis: { disabled: true } }];
    delete option.legend;
    return option;
  };

  charts.compare = (data, element) => {
    if (data.curves.length === 0) return null;
    const told = data.curves.map((each) => `${each.name} ends at ${short(each.median[each.median.length - 1])}`);
    const option = base(`Chart of the best fitness so far over births: ${told.slice(0, 8).join(", ")}.`);
    option.legend = { ...option.legend, type: "scroll", data: data.curves.map((each) => each.name) };
    option.tooltip = { ...option.tooltip, trigger: "axis", formatter: (items) => {
      const rows = items.filter((item) => data.curves.some((each) => each.name === item.seriesName)).map((item) => `${item.seriesName}  ${short(item.value[1])}`);
      return [`birth ${count(items[0].value[0])}`, ...rows].join("\n");
    } };
    option.xAxis = births(element);
    option.yAxis = axis("best fitness so far", { nameGap: 52, ...range(data.curves.flatMap((each) => [...each.median, ...each.high])) });
    option.series = data.curves.flatMap((each, i) => [
      ...(each.runs.length > 1 ? band(`band ${i}`, each.x, each.low, each.high, `${series(i)}30`, "end") : []),
      line(each.name, pairs(each.x, each.median), { color: series(i), step: "end" }),
    ]);
    return option;
  };
})();
