// Comfort in the first run: addresses shown while they are typed, and nothing typed is lost by going back.
"use strict";
(() => {
  const preview = document.getElementById("preview");
  if (preview) {
    const [address, mode] = [preview.dataset.address, preview.dataset.mode].map((id) => document.getElementById(id));
    const show = () => {
      const whole = address.value.trim();
      const at = whole.lastIndexOf("@");
      preview.hidden = at < 1;
      const facts = { address: whole, local: whole.slice(0, at), domain: whole.slice(at + 1) };
      preview.querySelectorAll("[data-for]").forEach((list) => { list.hidden = list.dataset.for !== mode.value; });
      preview.querySelectorAll("[data-shape]").forEach((one) => {
        one.textContent = one.dataset.shape.replace(/\{(\w+)\}/g, (_, name) => facts[name]);
      });
      document.querySelectorAll("[data-from]").forEach((one) => { one.value = document.getElementById(one.dataset.from).value.trim(); });
    };
    address.addEventListener("input", show);
    mode.addEventListener("change", show);
    document.addEventListener("drafted", show);
  }

  // What is typed and not sent stays in this tab, for whoever goes back and forth; passwords and keys do not.
  const place = `draft ${location.pathname}`;
  const kept = "input:not([type=password]):not([type=hidden]):not([type=file]), select, textarea:not([name=pem])";
  const fields = () => [...document.querySelectorAll(".setup form:not(.languages)")].flatMap((form) => [...form.querySelectorAll(kept)]);
  const key = (field) => `${field.name} ${["checkbox", "radio"].includes(field.type) ? field.value : ""}`;
  try {
    const draft = JSON.parse(sessionStorage.getItem(place) || "{}");
    // A page that the server answers with an error holds what was sent already.
    if (!document.querySelector('.setup [role="alert"]')) fields().forEach((field) => {
      const was = draft[key(field)];
      if (was === undefined) return;
      if (typeof was === "boolean") field.checked = was; else field.value = was;
    });
    document.dispatchEvent(new Event("drafted"));
    document.addEventListener("input", () => {
      const now = {};
      fields().forEach((field) => { now[key(field)] = ["checkbox", "radio"].includes(field.type) ? field.checked : field.value; });
      sessionStorage.setItem(place, JSON.stringify(now));
    });
    document.addEventListener("submit", () => sessionStorage.removeItem(place));
  } catch { /* A browser that keeps nothing for pages. */ }
})();
