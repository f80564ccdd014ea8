"use strict";
// The page of the front: points with axes to choose. What no other point beats on both axes is joined by a line.
(() => {
  const { charts, colour, series, short, count, base, axis } = germline;

  const better = (direction, a, b) => (direction === "min" ? a < b : a > b);

  // The points that no other is better than on both axes, sorted by x; null if an axis has no direction.
  const frontOf = (points, x, y) => {
    if (!x.direction || !y.direction || x === y) return null;
    const sorted = [...points].sort((a, b) => (a.value[0] === b.value[0] ? (better(y.direction, a.value[1], b.value[1]) ? -1 : 1) : better(x.direction, a.value[0], b.value[0]) ? -1 : 1));
    const front = [];
    for (const point of sorted) {
      if (front.length === 0 || better(y.direction, point.value[1], front[front.length - 1].value[1])) front.push(point);
    }
    return front;
  };

  const selects = () => ["x", "y"].map((name) => document.getElementById(`axis-${name}`));

  // The range of an axis: of values that scatter over powers of ten, those near the better ones.
  const rangeOf = (values, direction) => {
    if (!direction || values.length < 4) return {};
    const sorted = [...values].sort((a, b) => (better(direction, a, b) ? -1 : 1));
    const best = sorted[0], room = 3 * Math.abs(best - sorted[Math.floor(sorted.length / 2)]);
    const worst = sorted[sorted.length - 1];
    if (room === 0 || Math.abs(worst - best) <= 2 * room) return {};
    return direction === "min" ? { max: best + room } : { min: best - room };
  };

  charts.front = (data, element) => {
    if (data.births.length === 0) return null;
    const chosen = selects().map((select, i) => {
      const names = data.axes.map((each) => each.name);
      if (names.join("\n") !== [...select.options].map((option) => option.value).join("\n")) {
        // A running search may record measures that its first outcomes had not; what was chosen stays.
        const first = select.options.length === 0, before = select.value;
        select.replaceChildren(...names.map((name) => new Option(name, name)));
        select.value = !first && names.includes(before) ? before : i ? data.y : data.x;
        if (first) select.addEventListener("change", germline.redraw);
      }
      return data.axes.find((each) => each.name === select.value) || data.axes[0];
    });
    const [x, y] = chosen;
    const own = new Set(data.front);
    const points = data.births
      .map((birth, i) => ({ value: [x.values[i], y.values[i]], birth }))
      .filter((point) => point.value.every((value) => value !== null));
    const front = frontOf(points, x, y);
    const option = base(`Chart of ${count(points.length)} individuals by ${x.name} and ${y.name}${front ? `, of which ${count(front.length)} are on the front; they are listed below` : ""}.`);
    option.tooltip = { ...option.tooltip, formatter: (item) => `birth ${count(item.data.birth)}\n${x.name}  ${short(item.value[0])}\n${y.name}  ${short(item.value[1])}` };
    const arrow = (each) => (each.direction ? `${each.name}, ${each.direction === "min" ? "less" : "more"} is better` : each.name);
    const ranges = [x, y].map((each, i) => rangeOf(points.map((point) => point.value[i]), each.direction));
    const outside = points.filter((point) => ranges.some(({ min = -Infinity, max = Infinity }, i) => point.value[i] < min || point.value[i] > max)).length;
    if (outside) option.title = { text: `${count(outside)} far worse ${outside === 1 ? "point is" : "points are"} not shown`, right: 0, bottom: 0, textStyle: { fontSize: 12, fontWeight: "normal", color: colour("quiet") } };
    if (element.clientWidth < 560) option.grid.top = 58;
    option.xAxis = axis(arrow(x), ranges[0]);
    option.yAxis = axis(arrow(y), { nameGap: 52, ...ranges[1] });
    option.series = [{ name: "individuals", type: "scatter", symbolSize: 6, data: points, color: colour("series-6"), itemStyle: { opacity: 0.45 } }];
    if (own.size) option.series.push({ name: "front of the run", type: "scatter", symbolSize: 13, data: points.filter((point) => own.has(point.birth)), itemStyle: { color: "transparent", borderColor: series(1), borderWidth: 2 }, color: series(1) });
    if (front) option.series.push({ name: "front on these axes", type: "line", step: "end", symbol: "circle", symbolSize: 8, data: front, color: series(0), lineStyle: { width: 1.5 } });
    element.dataset.shown = points.length;
    const reason = document.getElementById("front-reason"), undirected = [x, y].find((each) => !each.direction);
    if (reason) {
      reason.hidden = front !== null;
      reason.textContent = x === y ? "Choose two different axes." : undirected ? `None: neither end of ${undirected.name} is better, so that these axes have no front.` : "";
    }
    const list = document.getElementById("front-list");
    if (list) {
      const most = 24, all = front || [];
      list.replaceChildren(...all.slice(0, most).map((point) => {
        const link = document.createElement(element.dataset.link ? "a" : "span");
        if (element.dataset.link) link.href = element.dataset.link + point.birth;
        link.textContent = `${count(point.birth)}  (${short(point.value[0])}, ${short(point.value[1])})`;
        return link;
      }));
      if (all.length > most) {
        const more = document.createElement("span");
        more.className = "quiet";
        more.textContent = `and ${count(all.length - most)} more`;
        list.append(more);
      }
    }
    return option;
  };
})();
