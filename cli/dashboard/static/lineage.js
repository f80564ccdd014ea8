"use strict";
// The lineage as a tree: dagre places nodes and edges, and SVG elements show them, so that the keyboard reaches every node.
(() => {
  const { short, count } = germline;
  const SPACE = "http://www.w3.org/2000/svg";
  const WIDTH = 140, HEIGHT = 42;

  const make = (name, attributes = {}, text = null) => {
    const element = document.createElementNS(SPACE, name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    if (text !== null) element.textContent = text;
    return element;
  };
  const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  // Of "before → after" that is too long, what both begin and end with is left out: the change is what is read.
  const clipChange = (text, most) => {
    const [before, after] = text.replace(/^~ /, "").split(" → ");
    if (text.length <= most || after === undefined) return clip(text, most);
    let same = 0;
    while (same < Math.min(before.length, after.length) && before[same] === after[same]) same += 1;
    while (same > 0 && /[\w.]/.test(before[same - 1])) same -= 1;
    let end = 0;
    while (end < Math.min(before.length, after.length) - same && before.at(-1 - end) === after.at(-1 - end)) end += 1;
    while (end > 0 && /[\w.]/.test(before[before.length - end])) end -= 1;
    const room = Math.max(4, Math.floor((most - 5) / 2));
    const part = (text) => clip((same ? "…" : "") + text.slice(same, text.length - end), room);
    return `~ ${part(before)} → ${part(after)}`;
  };
  const signed = (value) => (value === null || value === undefined ? "" : `${value >= 0 ? "+" : "-"}${short(Math.abs(value))}`);
  const key = (role, birth) => `${role === "more" ? "more" : "birth"} ${birth}`;

  // At most `most` siblings of each step; the others join the count of those that are not shown.
  const thinned = (data, most) => {
    const shown = new Map(), hidden = new Map();
    const edges = data.edges.filter((edge) => {
      if (edge.role !== "sibling") return true;
      shown.set(edge.from, (shown.get(edge.from) || 0) + 1);
      if (shown.get(edge.from) <= most) return true;
      hidden.set(edge.from, (hidden.get(edge.from) || 0) + 1);
      return false;
    });
    const kept = new Set(edges.filter((edge) => edge.role === "sibling").map((edge) => edge.to));
    const nodes = data.nodes.filter((node) => node.role !== "sibling" || kept.has(node.birth))
      .map((node) => (node.role === "more" ? { ...node, count: node.count + (hidden.get(node.birth) || 0) } : node));
    return { nodes, edges };
  };

  const layout = (data) => {
    const graph = new dagre.graphlib.Graph({ multigraph: true });
    graph.setGraph({ rankdir: "TB", align: "UL", nodesep: 14, ranksep: 52, marginx: 4, marginy: 4 });
    graph.setDefaultEdgeLabel(() => ({}));
    data.nodes.forEach((node) => graph.setNode(key(node.role, node.birth), { width: node.role === "more" ? 84 : WIDTH, height: node.role === "more" ? 26 : HEIGHT, node }));
    data.edges.forEach((edge) => {
      graph.setEdge(key("line", edge.from), key(edge.role, edge.to), { edge, weight: edge.role === "line" ? 100 : 1 }, edge.role);
    });
    // In the given order: the line stays straight on the left, the siblings beside it.
    dagre.layout(graph, { disableOptimalOrderHeuristic: true });
    return graph;
  };

  const edgeText = (edge) => {
    const steps = edge.steps > 1 ? `${count(edge.steps)} steps` : "";
    return [steps, signed(edge.gain)].filter(Boolean).join("  ");
  };

  const drawEdge = (graph, each, diffWidth) => {
    const { edge } = graph.edge(each);
    const group = make("g");
    const above = graph.node(each.v), below = graph.node(each.w);
    const start = above.y + above.height / 2, end = below.y - below.height / 2;
    const path = edge.role === "line" ? `M${above.x} ${start}V${end}` : `M${above.x} ${start}v12H${below.x}V${end}`;
    group.append(make("path", { d: path, class: `${edge.role}${edge.steps > 1 ? " fold" : ""}` }));
    if (edge.role === "line") {
      // To the left of the line, where nothing else is.
      const place = { x: above.x - 14, "text-anchor": "end" }, y = (start + end) / 2;
      const tone = edge.gain > 0 ? "up" : edge.gain < 0 ? "down" : "label";
      const room = Math.floor((diffWidth + WIDTH / 2 - 20) / 6.7);
      group.append(make("text", { ...place, y: edge.diff && edge.diff.length ? y - 2 : y + 4, class: tone }, edgeText(edge)));
      if (edge.diff && edge.diff.length) {
        const more = edge.diff.length > 1 ? ` (+${edge.diff.length - 1})` : "";
        const text = make("text", { ...place, y: y + 13, class: "code" }, clipChange(edge.diff[0], room - more.length) + more);
        text.append(make("title", {}, edge.diff.join("\n")));
        group.append(text);
      }
    }
    return group;
  };

  const drawNode = (graph, name, link, edges) => {
    const { x, y, width, height, node } = graph.node(name);
    const dead = node.role === "sibling" && !node.children ? " dead" : "";
    const linked = node.role !== "more" && link;
    const group = make(linked ? "a" : "g", { class: `${node.role}${dead}`, transform: `translate(${x - width / 2} ${y - height / 2})` });
    if (linked) group.setAttribute("href", link + node.birth);
    group.append(make("rect", { width, height, rx: 6 }));
    const edge = edges.get(node.birth);
    if (edge && node.role !== "more") group.append(make("title", {}, [`${node.operator} ${edgeText(edge)}`, ...(edge.diff || [])].join("\n")));
    if (node.role === "more") {
      group.append(make("text", { x: width / 2, y: 17, "text-anchor": "middle" }, `+ ${count(node.count)} more`));
      return group;
    }
    group.append(make("text", { x: 9, y: 17 }, `${count(node.birth)}`));
    group.append(make("text", { x: width - 9, y: 17, "text-anchor": "end", class: "label" }, clip(node.operator, 9)));
    group.append(make("text", { x: 9, y: 34, class: "label" }, node.fitness === null ? "no fitness" : short(node.fitness)));
    const children = node.children ? `${count(node.children)} ${node.children === 1 ? "child" : "children"}` : "";
    group.append(make("text", { x: width - 9, y: 34, "text-anchor": "end", class: "label" }, children.length > 11 ? `${count(node.children)} ch.` : children));
    return group;
  };

  const drawTree = (element, data) => {
    const narrow = element.clientWidth < 640;
    const diffWidth = narrow ? 90 : 320;
    const graph = layout(thinned(data, narrow ? 0 : 3));
    const width = Math.ceil(graph.graph().width) + diffWidth, height = Math.ceil(graph.graph().height);
    const svg = make("svg", { width, height, viewBox: `${-diffWidth} 0 ${width} ${height}`, role: "group", "aria-label": "Lineage, from the seed at the top" });
    const edges = graph.edges().sort((a, b) => (a.name === "line") - (b.name === "line"));  // the line above the others
    edges.forEach((each) => svg.append(drawEdge(graph, each, diffWidth)));
    const above = new Map(data.edges.filter((edge) => edge.role !== "more").map((edge) => [edge.to, edge]));
    graph.nodes().forEach((name) => svg.append(drawNode(graph, name, element.dataset.link, above)));
    element.replaceChildren(svg);
  };

  const cell = (row, text, name = "", link = null) => {
    const element = row.insertCell();
    element.className = name;
    if (link) {
      const anchor = document.createElement("a");
      anchor.href = link;
      anchor.textContent = text;
      element.append(anchor);
    } else element.textContent = text;
    return element;
  };

  const drawRows = (body, data, link) => {
    body.replaceChildren();
    data.rows.forEach((node) => {
      const row = body.insertRow();
      cell(row, count(node.birth), "number", link && link + node.birth);
      cell(row, node.operator);
      cell(row, short(node.fitness), "number");
      cell(row, signed(node.gain), `number ${node.gain > 0 ? "gain" : node.gain < 0 ? "loss" : ""}`);
      const diff = cell(row, "", "diff");
      (node.diff || []).forEach((text) => {
        const part = document.createElement("div");
        part.className = text.startsWith("+") ? "plus" : text.startsWith("-") ? "minus" : "";
        part.textContent = text;
        diff.append(part);
      });
      if (node.neutral) diff.append("neutral: the same computation");
    });
  };

  let shown = () => {};
  germline.drawLineage = async () => {
    const element = document.querySelector("[data-tree]");
    if (!element) return;
    try {
      const data = await germline.read(element.dataset.tree);
      const draw = () => drawTree(element, data);
      draw();
      drawRows(document.getElementById("steps"), data, element.dataset.link);
      document.getElementById("step-count").textContent = data.rows.length < data.steps + 1 ? `Of ${count(data.steps)} steps the ${count(data.rows.length - 2)} with the largest change, and the last; above them the first ancestor.` : "";
      element.dataset.state = "drawn";
      shown = draw;
    } catch (error) {
      element.textContent = `not shown: ${error.message}`;
      element.dataset.state = "failed";
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    germline.drawLineage();
    let waiting = 0;
    window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => shown(), 150); });
  });
})();
