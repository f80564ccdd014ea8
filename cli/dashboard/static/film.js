"use strict";
// Loads the film of an individual when it is asked for, which takes the server some seconds.
document.addEventListener("DOMContentLoaded", () => {
  const details = document.querySelector("[data-film]");
  if (!details) return;
  const place = details.querySelector("[role=status]");

  const load = async () => {
    details.dataset.state = "loading";
    place.setAttribute("aria-busy", "true");
    place.textContent = "Playing and drawing, which takes some seconds …";
    try {
      const answer = await fetch(details.dataset.film);
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      // The server escapes every text of its parts, and the policy of the page runs no script of them.
      const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
      place.replaceChildren(...parsed.body.childNodes);
      details.dataset.state = place.querySelector("img") ? "drawn" : "failed";
    } catch (error) {
      place.textContent = `not shown: ${error.message}`;
      details.dataset.state = "failed";
    }
    place.removeAttribute("aria-busy");
  };

  // What failed is asked for again when it is opened again: a package may have been installed meanwhile.
  details.addEventListener("toggle", () => {
    if (details.open && !["loading", "drawn"].includes(details.dataset.state)) load();
  });
});
