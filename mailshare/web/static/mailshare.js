// Comfort only: every page does its work without this.
"use strict";
(() => {
  document.documentElement.classList.add("script");
  const chip = document.getElementById("live-chip");
  const show = (live) => {
    if (!chip) return;
    chip.hidden = false;
    chip.lastElementChild.textContent = live ? chip.dataset.live : chip.dataset.lost;
    chip.classList.toggle("warn", !live);
  };
  document.addEventListener("htmx:sse:after:connection", () => show(true));
  document.addEventListener("htmx:sse:error", () => show(false));
  document.addEventListener("htmx:sse:close", () => show(false));
  // The session is over or locked: the page asks the server what to show now.
  document.addEventListener("over", () => location.reload());
  // The server was exchanged while this page was open: a word, and nothing is lost of what somebody types.
  const newer = document.getElementById("newer");
  document.addEventListener("version", (event) => {
    if (!newer || !newer.hidden || event.detail.data === newer.dataset.version) return;
    const again = document.createElement("a");
    again.href = "";
    again.textContent = newer.dataset.act;
    newer.append(`${newer.dataset.words} (${event.detail.data}) `, again);
    newer.hidden = false;
  });
  // How strong a new password is; the server decides by more than this.
  document.querySelectorAll("[data-strength]").forEach((place) => {
    const field = document.getElementById(place.dataset.strength);
    const [meter, words] = [place.querySelector("meter"), place.querySelector("output")];
    field.addEventListener("input", () => {
      const typed = [...field.value];
      const same = new Set(field.value.toLowerCase()).size < 5;
      const [mark, text] = typed.length < 10 ? [0.5, place.dataset.short.replace("{n}", 10 - typed.length)]
        : same ? [1, place.dataset.same]
          : typed.length < 16 ? [2, place.dataset.fair] : [3, place.dataset.strong];
      place.hidden = typed.length === 0;
      meter.value = mark;
      if (words.textContent !== text) words.textContent = text;
    });
  });
  document.querySelectorAll("button[data-shows]").forEach((button) => {
    const field = document.getElementById(button.dataset.shows);
    button.hidden = false;
    button.addEventListener("click", () => {
      const open = field.type === "password";
      field.type = open ? "text" : "password";
      [button.textContent, button.dataset.other] = [button.dataset.other, button.textContent];
    });
  });
  // Another browser or the command changed this list: only the list is fetched anew, and morphed, so that focus stays.
  document.addEventListener("changed", () => {
    document.querySelectorAll(".live[id]:not([data-busy])").forEach((part) => { // nobody's typing is taken away
      window.htmx.ajax("GET", location.pathname + location.search, {
        target: `#${part.id}`, select: `#${part.id}`, swap: "outerMorph", headers: { "MS-By-Itself": "1" },
      });
    });
  });
  // A list that grows at its top stays as long as it says.
  const lines = document.getElementById("lines");
  if (lines) new MutationObserver(() => {
    const most = Number(lines.dataset.most || 500);
    while (lines.children.length > most) lines.lastElementChild.remove();
  }).observe(lines, { childList: true });

  const menu = document.querySelector("details.menu");
  const narrow = window.matchMedia("(max-width: 767px)");
  const fold = () => { if (menu) menu.open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();

  // Rows: "select all", and a whole stretch with the shift key.
  let last = null;
  document.addEventListener("click", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || box.type !== "checkbox") return;
    if (box.dataset.all) {
      document.querySelectorAll(box.dataset.all).forEach((one) => { one.checked = box.checked; });
      return;
    }
    if (box.name !== "id") return;
    if (event.shiftKey && last) {
      const all = [...document.querySelectorAll('input[name="id"]')];
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      all.slice(from, to + 1).forEach((one) => { one.checked = box.checked; });
    }
    last = box;
  });
  // A button says how many rows it is about, and names the one.
  const count = () => document.querySelectorAll("[data-many]").forEach((button) => {
    const chosen = [...document.querySelectorAll('input[name="id"]:checked')];
    const words = chosen.length > 1 ? button.dataset.many.replace("{n}", chosen.length)
      : chosen.length ? button.dataset.one.replace("{name}", chosen[0].dataset.name) : button.dataset.none;
    if (button.lastElementChild.textContent !== words) button.lastElementChild.textContent = words;
  });
  document.addEventListener("change", count);
  document.addEventListener("htmx:after:swap", count);
  // The next runs of a grid that is not saved yet, as the button "only show" gives them.
  const grid = document.querySelector("form[data-runs]");
  if (grid) grid.addEventListener("change", async () => {
    const fields = new URLSearchParams(new FormData(grid));
    fields.set("preset", "look");
    const answer = await fetch(grid.action, { method: "POST", body: fields }).catch(() => null);
    const page = answer && new DOMParser().parseFromString(await answer.text(), "text/html");
    const wrong = page && page.querySelector("[role=alert]");
    const now = wrong || (page && page.getElementById("runs"));
    if (now) document.getElementById("runs").replaceChildren(...now.childNodes);
  });
  // A heading turns its whole row or column over, without asking the server.
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("button[data-toggle]");
    if (!button) return;
    event.preventDefault();
    const boxes = [...document.querySelectorAll(button.dataset.toggle)];
    const on = !boxes.every((one) => one.checked);
    boxes.forEach((one) => { one.checked = on; });
    boxes[0]?.dispatchEvent(new Event("change", { bubbles: true }));
  });
  // "Select all" is a link, for whoever has no script.
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest("a[data-tick]");
    if (!link) return;
    event.preventDefault();
    document.querySelectorAll(link.dataset.tick).forEach((one) => { one.checked = true; });
    count();
  });
  // What can be taken back no more is not offered any longer.
  document.querySelectorAll("form[data-seconds]").forEach((form) => {
    setTimeout(() => { form.hidden = true; }, Number(form.dataset.seconds) * 1000);
  });
  document.querySelectorAll("[data-copy]").forEach((button) => {
    button.hidden = !(navigator.clipboard && window.isSecureContext);
    button.addEventListener("click", () => navigator.clipboard.writeText(button.dataset.copy));
  });

  // One-touch keys: dragged onto another, the two exchange what they hold; saved with the button of the form.
  let dragged = null;
  document.querySelectorAll(".touch[data-moves]").forEach((key) => {
    const handle = key.querySelector("b");
    handle.draggable = true;
    handle.addEventListener("dragstart", (event) => {
      dragged = key;
      event.dataTransfer.setData("text/plain", key.dataset.key);
      event.dataTransfer.effectAllowed = "move";
    });
    key.addEventListener("dragover", (event) => {
      if (!dragged || dragged === key) return;
      event.preventDefault();
      key.classList.add("over");
    });
    key.addEventListener("dragleave", () => key.classList.remove("over"));
    key.addEventListener("drop", (event) => {
      event.preventDefault();
      key.classList.remove("over");
      const [from, to] = [dragged.querySelector("select"), key.querySelector("select")];
      [from.value, to.value] = [to.value, from.value];
      dragged = null;
    });
  });

  // Single letters can be switched off, and never act while somebody types (WCAG 2.1.4).
  const off = document.getElementById("keys-off");
  const dialog = document.getElementById("keys");
  if (!dialog) return;
  let silent = false;
  try { silent = localStorage.getItem("keys-off") === "1"; } catch { silent = false; }
  off.checked = silent;
  off.addEventListener("change", () => {
    silent = off.checked;
    try { localStorage.setItem("keys-off", silent ? "1" : "0"); } catch { /* only this page then */ }
  });
  const opener = document.getElementById("keys-button");
  opener.hidden = false;
  opener.addEventListener("click", () => dialog.showModal());
  const places = { d: "/", a: "/accounts", u: "/users", w: "/work", o: "/outbox", m: "/mailboxes", l: "/log", p: "/printers", f: "/fax", b: "/book" };
  let going = 0;
  // What Enter opens is a link; a row's box is ticked with x, for Enter in it would press a button of the form.
  const opens = (row) => row.querySelector("th a[href]") || row.querySelector("a[href]") || row.querySelector("button, input");
  const rows = () => [...document.querySelectorAll("tbody tr")].map(opens).filter(Boolean);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (silent || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (Date.now() < going && places[event.key]) { location.href = places[event.key]; return; }
    going = event.key === "g" ? Date.now() + 1500 : 0;
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
      const up = document.querySelector("main > p:has(+ h1) > a");
      if (up) location.href = up.href;
    }
    if (event.key === "?") { dialog.showModal(); event.preventDefault(); }
    const field = document.getElementById("q");
    if (event.key === "/" && field) { field.focus(); event.preventDefault(); }
    if (event.key === "x") document.activeElement?.closest("tr")?.querySelector('input[name="id"]')?.click();
    if (event.key === "j" || event.key === "k") {
      const all = rows();
      const here = all.findIndex((one) => one.closest("tr").contains(document.activeElement));
      const next = all[here + (event.key === "j" ? 1 : -1)];
      if (next) { next.focus(); event.preventDefault(); }
    }
  });
})();
