"use strict";

/* Tabs: every list of links in [data-tabs] becomes a tab list of the panels they lead to. */
for (const list of document.querySelectorAll("[data-tabs]")) {
  list.setAttribute("role", "tablist");
  const tabs = [...list.querySelectorAll("a")];
  for (const tab of tabs) {
    const panel = panelOf(tab);
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    panel.removeAttribute("aria-label");
    tab.addEventListener("click", (event) => {
      event.preventDefault();
      select(tab);
      history.replaceState(null, "", tab.hash);
    });
  }
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const moves = {
      ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1,
      Home: 0, End: tabs.length - 1,
    };
    if (at < 0 || !(event.key in moves)) return;
    event.preventDefault();
    const next = tabs[(moves[event.key] + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
  select(tabs[0]);
}

function panelOf(tab) {
  return document.getElementById(tab.hash.slice(1));
}

function select(chosen) {
  for (const tab of chosen.closest("[data-tabs]").querySelectorAll("a")) {
    const on = tab === chosen;
    tab.setAttribute("aria-selected", on);
    tab.tabIndex = on ? 0 : -1;
    panelOf(tab).hidden = !on;
  }
}

/* A link to a panel, wherever it is, opens the tabs around it. */
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let panel = target; panel; panel = panel.parentElement) {
    const tab = panel.getAttribute("role") === "tabpanel" && document.getElementById("tab-" + panel.id);
    if (tab) select(tab);
  }
}
window.addEventListener("hashchange", () => {
  reveal();
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target) target.scrollIntoView();
});
reveal();

/* The theme: the system's, unless the reader chooses one. */
const THEMES = ["automatic", "light", "dark"];
const themeButton = document.getElementById("theme");
function remembered(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {
    return null; /* storage may be forbidden to files */
  }
}
function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  themeButton.textContent = "Theme: " + theme;
}
showTheme(THEMES.includes(remembered("primeval-theme")) ? remembered("primeval-theme") : THEMES[0]);
themeButton.addEventListener("click", () => {
  const now = THEMES.indexOf(document.documentElement.dataset.theme);
  const theme = THEMES[(now + 1) % THEMES.length];
  remembered("primeval-theme", theme);
  showTheme(theme);
});

/* `primeval report --watch` rewrites the page while the search runs: load it again then. */
const refresh = Number(document.documentElement.dataset.refresh);
if (refresh) {
  const pause = document.getElementById("pause");
  setTimeout(function again() {
    if (pause.getAttribute("aria-pressed") === "true") setTimeout(again, 1000);
    else location.reload();
  }, refresh * 1000);
  pause.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", pause.getAttribute("aria-pressed") !== "true");
  });
}

/* What a point of a plot is: the nearest one to the pointer, or the next one by arrow keys. */
let points = null;
for (const figure of document.querySelectorAll("[data-plot]")) {
  const area = figure.querySelector(".area");
  const low = Number(figure.dataset.low), high = Number(figure.dataset.high);
  const spot = element("span", "spot"), tip = element("div", "tip");
  tip.setAttribute("role", "status");
  area.tabIndex = 0;
  area.setAttribute("role", "group");
  area.setAttribute("aria-label", figure.querySelector("h3").textContent + ": arrow keys go from candidate to candidate");
  let shown = -1;

  const across = (at) => points.x[at];
  const down = (at) => 100 * (1 - Math.min(1, (points.loss[at] - low) / (high - low)));
  const has = (at) => points.loss[at] !== null && (figure.dataset.plot !== "best" || points.loss[at] <= high);

  function show(at) {
    shown = at;
    spot.style.left = across(at) + "%";
    spot.style.top = down(at) + "%";
    tip.textContent = "#" + points.id[at] + "  loss " + points.loss[at].toFixed(4) + "  "
      + bandName(points.band[at]) + "\n" + points.edit[at];
    tip.style.whiteSpace = "pre-wrap";
    tip.style.left = across(at) > 50 ? "auto" : across(at) + "%";
    tip.style.right = across(at) > 50 ? (100 - across(at)) + "%" : "auto";
    tip.style.top = down(at) > 60 ? "auto" : "calc(" + down(at) + "% + 12px)";
    tip.style.bottom = down(at) > 60 ? "calc(" + (100 - down(at)) + "% + 12px)" : "auto";
    area.append(spot, tip);
  }
  function hide() {
    spot.remove();
    tip.remove();
  }
  area.addEventListener("pointermove", (event) => {
    load();
    const box = area.getBoundingClientRect();
    let nearest = -1, best = 24 * 24;
    for (let at = 0; at < points.id.length; at++) {
      if (!has(at)) continue;
      const dx = across(at) / 100 * box.width - (event.clientX - box.left);
      const dy = down(at) / 100 * box.height - (event.clientY - box.top);
      const far = dx * dx + dy * dy;
      if (far < best) { best = far; nearest = at; }
    }
    if (nearest < 0) hide();
    else if (nearest !== shown || !tip.isConnected) show(nearest);
  });
  area.addEventListener("pointerleave", hide);
  area.addEventListener("blur", hide);
  area.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    load();
    event.preventDefault();
    const from = shown < 0 && step < 0 ? points.id.length : shown;
    for (let at = from + step; at >= 0 && at < points.id.length; at += step) {
      if (has(at)) return show(at);
    }
  });
}

function load() {
  points ??= JSON.parse(document.getElementById("points").textContent);
}

function bandName(band) {
  return band === points.hurdles ? "whole budget" : "stopped at hurdle " + (band + 1);
}

function element(name, kind) {
  const made = document.createElement(name);
  made.className = kind;
  return made;
}
