(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const toggle = document.getElementById("theme");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  const tell = () => {
    toggle.textContent = isDark() ? "Light" : "Dark";
    toggle.setAttribute("aria-label", `Show in ${isDark() ? "light" : "dark"} colours`);
  };
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    tell();
  });
  dark.addEventListener("change", tell);
  tell();

  const narrow = matchMedia("(max-width: 64rem)");
  const contents = document.querySelector(".contents details");
  contents.open = !narrow.matches;

  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at.matches("details")) at.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  const printed = "details.run, details.data[data-short]";
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(printed)].filter((one) => !one.open);
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
    opened = [];
  });

  const order = new WeakMap();
  const value = (row, at) => {
    const text = row.cells[at].textContent.trim();
    if (text === "–" || text === "") return null;
    const number = Number(text.replaceAll("−", "-").replace("∞", "Infinity"));
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a.localeCompare(b, undefined, { numeric: true });
  };
  const sort = (head) => {
    const body = head.closest("table").tBodies[0];
    if (!order.has(body)) order.set(body, [...body.rows]);
    const was = head.getAttribute("aria-sort");
    const now = was === "ascending" ? "descending" : was === "descending" ? null : "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    const rows = [...order.get(body)];
    if (now) {
      head.setAttribute("aria-sort", now);
      const sign = now === "ascending" ? 1 : -1;
      const keyed = rows.map((row) => [value(row, head.cellIndex), row]);
      keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * compare(a, b);
      });
      body.append(...keyed.map(([, row]) => row));
    } else {
      body.append(...rows);
    }
  };

  const zoom = document.getElementById("zoom");
  const stage = zoom.querySelector(".stage");
  const title = zoom.querySelector("p");
  let shown = null, home = null, scale = 1;
  const resize = (to) => {
    const across = (stage.scrollLeft + stage.clientWidth / 2) / stage.scrollWidth;
    const down = (stage.scrollTop + stage.clientHeight / 2) / stage.scrollHeight;
    scale = Math.min(Math.max(to, 0.25), 16);
    shown.style.width = `${scale * fitting()}px`;
    stage.scrollLeft = across * stage.scrollWidth - stage.clientWidth / 2;
    stage.scrollTop = down * stage.scrollHeight - stage.clientHeight / 2;
  };
  const fitting = () => {
    const { width, height } = shown.viewBox.baseVal;
    const room = [stage.clientWidth - 26, stage.clientHeight - 26];
    return width * Math.min(room[0] / width, room[1] / height);
  };
  const open = (card) => {
    home = card;
    shown = card.querySelector("svg");
    title.textContent = card.getAttribute("aria-label");
    card.style.minHeight = `${card.offsetHeight}px`;
    stage.append(shown);
    zoom.showModal();
    resize(Math.max(1, Math.min(720, shown.viewBox.baseVal.width * 1.5) / fitting()));
    stage.focus();
  };
  const putBack = () => {
    if (!shown) return;
    shown.style.width = "";
    home.prepend(shown);
    home.style.minHeight = "";
    home.nextElementSibling.focus({ preventScroll: true });
    shown = home = null;
  };
  zoom.addEventListener("close", putBack);
  addEventListener("beforeprint", () => { if (zoom.open) zoom.close(); putBack(); });
  const acts = {
    in: () => resize(scale * 1.4), out: () => resize(scale / 1.4), fit: () => resize(1),
    close: () => zoom.close(),
  };
  const keys = { "+": "in", "=": "in", "-": "out", "0": "fit" };
  zoom.addEventListener("keydown", (event) => {
    if (event.key in keys && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      acts[keys[event.key]]();
    }
  });
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    resize(scale * Math.exp(-event.deltaY / 400));
  }, { passive: false });
  let from = null;
  stage.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button) return;
    from = [event.clientX + stage.scrollLeft, event.clientY + stage.scrollTop];
    stage.setPointerCapture(event.pointerId);
    stage.classList.add("moving");
  });
  stage.addEventListener("pointermove", (event) => {
    if (!from) return;
    stage.scrollLeft = from[0] - event.clientX;
    stage.scrollTop = from[1] - event.clientY;
  });
  for (const name of ["pointerup", "pointercancel"]) {
    stage.addEventListener(name, () => { from = null; stage.classList.remove("moving"); });
  }

  document.addEventListener("click", (event) => {
    const head = event.target.closest("th button");
    if (head) return sort(head.parentElement);
    const act = event.target.closest("[data-act]");
    if (act) return acts[act.dataset.act]();
    const card = event.target.closest("figure .card, .enlarge");
    if (card) open(card.closest("figure").querySelector(".card"));
  });
})();
