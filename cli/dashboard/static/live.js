"use strict";
// Follows runs: tables that are loaded after the page, texts and charts of a running search, and the choice of runs.
(() => {
  const POLL = 4000, REDRAW = 20000;

  // Loads the page again and puts what it says now in the place of what it said: of a page without charts this is all.
  const replaceTexts = async () => {
    const places = [...document.querySelectorAll("[data-live]")];
    const busy = (place) => place.contains(document.activeElement) || place.querySelector("details[open]")
      || (!getSelection().isCollapsed && place.contains(getSelection().anchorNode));
    if (!places.length || places.some((place) => place.id !== "run-rows" && busy(place))) return; // somebody reads or writes there
    const answer = await fetch(window.location.href);
    if (!answer.ok) return;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    places.forEach((place) => {
      const now = parsed.getElementById(place.id);
      if (!now) return;
      const chosen = new Set([...place.querySelectorAll("input:checked")].map((box) => box.value));
      const focus = place.contains(document.activeElement) ? document.activeElement.value : null;
      place.replaceChildren(...now.childNodes);
      place.querySelectorAll("input").forEach((box) => {
        box.checked = chosen.has(box.value);
        if (focus !== null && box.value === focus) box.focus();
      });
    });
    if (document.querySelector("[data-tree]")) await germline.drawLineage();
    document.dispatchEvent(new Event("texts-replaced"));
  };

  const loadParts = async () => {
    // Not before the first chart, which is what is looked at; and the failures first, which are read fastest.
    if (document.querySelector("[data-chart]")) await germline.firstDrawn;
    for (const element of [...document.querySelectorAll("[data-part]")].reverse()) {
      if (element.contains(document.activeElement)) continue; // its link would lose the focus
      try {
        const answer = await fetch(element.dataset.part);
        if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
        // The server escapes every text of its parts, and the policy of the page runs no script of them.
        const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
        element.replaceChildren(...parsed.body.childNodes);
        element.dataset.state = "drawn";
      } catch (error) {
        if (element.dataset.state !== "drawn") {
          element.textContent = `not shown: ${error.message}`;
          element.dataset.state = "failed";
        }
      }
    }
  };

  // Says in the header that the run that is followed was deleted or renamed.
  const gone = () => {
    const message = document.createElement("span");
    message.className = "loss";
    message.setAttribute("role", "status");
    message.textContent = "no longer in the database under this name";
    document.querySelector(".head form")?.remove();
    document.querySelector(".head").append(message);
  };

  const follow = (element) => {
    // As the server's JSON has spaces that this lacks, parsed values are compared.
    let state = JSON.stringify(JSON.parse(element.dataset.state)), drawn = Date.now();
    const tick = async () => {
      if (document.hidden) { setTimeout(tick, POLL); return; }
      try {
        const response = await fetch(element.dataset.follow);
        if (response.status === 404) { gone(); return; }
        if (!response.ok) throw new Error(`the server answered ${response.status}`);
        const answer = await response.json();
        Object.entries(answer.texts).forEach(([name, text]) => {
          document.querySelectorAll(`[data-text="${name}"]`).forEach((place) => { place.textContent = text; });
        });
        const now = JSON.stringify(answer.state);
        const ended = answer.status !== "running";
        const pause = document.querySelector("[data-chart], [data-tree]") ? REDRAW : 0;
        if (now !== state && (ended || Date.now() - drawn > pause)) {
          state = now;
          drawn = Date.now();
          if (document.querySelector("[data-chart]")) await germline.refresh();
          await loadParts();
          await replaceTexts();
        }
        // The page of runs keeps what is ticked; of a run that has ended more can be shown than while it ran.
        if (ended) { if (!document.getElementById("run-rows")) window.location.reload(); return; }
      } catch (error) { /* the server was stopped or is busy: the next poll tells */ }
      setTimeout(tick, POLL);
    };
    setTimeout(tick, POLL);
  };

  document.addEventListener("DOMContentLoaded", () => {
    loadParts();
    const followed = document.querySelector("[data-follow]");
    if (followed) follow(followed);
    const chosen = document.getElementById("chosen");
    if (chosen) {
      const rows = document.getElementById("run-rows"), button = chosen.querySelector("button");
      const update = () => {
        const number = rows.querySelectorAll("input:checked").length;
        button.disabled = number === 0;
        button.textContent = number ? `Compare ${number} ${number === 1 ? "run" : "runs"}` : "Choose runs to compare";
      };
      rows.addEventListener("change", update);
      document.addEventListener("texts-replaced", update);
      update();
    }
  });
})();
