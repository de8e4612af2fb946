// Keeps a page true while somebody looks at it: counts time down, swaps in what changed, never loses typed text.
// Everything on the pages works without this script. No strings become markup here: pages are fetched as documents.
"use strict";

(() => {
  const main = document.getElementById("main");
  const watched = main.dataset.live; // the id of a handoff or a run, "any", or nothing: then the page stays as it is
  const here = main.dataset.here || location.href;

  // A page that answers a press has the press's address; reloading it should show the page, not press again.
  if (main.dataset.here && location.pathname !== new URL(here, location.href).pathname) history.replaceState(null, "", here);

  // --- times: the reader's own clock for moments, the page's own for what is left ------------------------------

  const sameDay = (a, b) => a.toDateString() === b.toDateString();

  function showTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]:not([data-left])")) {
      const at = new Date(time.dateTime);
      const clock = { hour: "2-digit", minute: "2-digit" };
      const full = { ...clock, day: "numeric", month: "short", year: "numeric" };
      const long = time.classList.contains("long") || !sameDay(at, new Date());
      time.textContent = at.toLocaleString([], long ? full : clock);
    }
  }

  function lasting(seconds) {
    const s = Math.max(0, Math.floor(seconds));
    const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
    if (d) return `${d} day${d === 1 ? "" : "s"}${h ? ` ${h} h` : ""}`;
    if (h) return `${h} h${m ? ` ${m} min` : ""}`;
    if (m) return `${m} min${m < 10 && s % 60 ? ` ${s % 60} s` : ""}`;
    return `${s} s`;
  }

  let shownAt = performance.now();

  function countDown() {
    let over = false;
    for (const time of document.querySelectorAll("time[data-left]")) {
      const left = Number(time.dataset.left) - (performance.now() - shownAt) / 1000;
      const text = lasting(left);
      if (time.textContent !== text) time.textContent = text;
      time.classList.toggle("soon", left < 60);
      if (left <= 0 && !time.dataset.over) {
        time.dataset.over = "yes";
        over = true;
      }
    }
    if (over) refreshSoon(300);
  }

  // --- forms: what is typed is kept; a second press waits for the first ------------------------------------------

  function isDirty(root, fresh) {
    if ("dirty" in main.dataset) return true;
    return [...root.querySelectorAll("input, textarea, select")].some((field) => {
      if (field.type === "hidden" || keeper(field, fresh)) return false;
      if (field.type === "radio" || field.type === "checkbox") return field.checked !== field.defaultChecked;
      if (field.tagName === "SELECT") {
        const standing = [...field.options].findIndex((option) => option.defaultSelected);
        return field.selectedIndex !== Math.max(standing, 0);
      }
      return field.value !== field.defaultValue;
    });
  }

  // What is typed beside the brake stays where it is through a swap, if the fresh page still has that field.
  const keeper = (field, fresh) => ("kept" in field.dataset ? fresh.querySelector(`#${field.id}`) : null);

  function keep(fresh) {
    for (const field of main.querySelectorAll("[data-kept]")) {
      const again = keeper(field, fresh);
      if (again) again.value = field.value;
    }
    for (const details of main.querySelectorAll("details[id][open]")) {
      const again = fresh.querySelector(`#${details.id}`);
      if (again) again.open = true;
    }
    const [told, slot] = [main, fresh].map((root) => root.querySelector("#receipt"));
    if (told && slot && fresh.dataset.state === main.dataset.state) slot.replaceWith(document.adoptNode(told));
  }

  function showCandidate(root) {
    for (const select of root.querySelectorAll("select[data-shows]")) {
      const list = document.getElementById(select.dataset.shows);
      const show = () => {
        for (const each of list.children) each.hidden = Boolean(select.value) && each.dataset.candidate !== select.value;
      };
      select.addEventListener("change", show);
      show();
    }
  }

  const tickAll = document.getElementById("tick-all");
  if (tickAll) {
    tickAll.hidden = false;
    tickAll.addEventListener("click", () => {
      for (const box of main.querySelectorAll('input[name="row"]')) box.checked = true;
    });
  }

  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) {
      event.preventDefault();
      return;
    }
    event.target.dataset.sent = "yes";
    if (event.submitter) event.submitter.setAttribute("aria-busy", "true");
  });

  // --- the swap: fetch this page again, as a document, and put its content in place --------------------------------

  let timer = 0;
  let loading = null;

  function refreshSoon(delay = 80) {
    clearTimeout(timer);
    timer = setTimeout(refresh, delay);
  }

  function refresh() {
    // A press is on its way: under a second click there must be no other button than under the first.
    if (main.querySelector("form[data-sent]")) return;
    if (loading) loading.abort();
    loading = new XMLHttpRequest();
    loading.open("GET", here);
    loading.responseType = "document";
    loading.addEventListener("load", () => {
      const { response: page, status } = loading;
      loading = null;
      const fresh = page && page.getElementById("main");
      if (status >= 500 || !fresh) refreshSoon(2000);
      else show(page, fresh);
    });
    loading.addEventListener("error", () => {
      loading = null;
      refreshSoon(2000);
    });
    loading.send();
  }

  function show(page, fresh) {
    if (main.querySelector("form[data-sent]")) return;
    if (!fresh.dataset.live) leave();
    const headline = fresh.querySelector("#headline");
    showBrakes(page);
    if (gist(fresh) === gist(main)) {
      rewind(fresh);
      return;
    }
    if (isDirty(main, fresh)) {
      if (canStillBeSent(fresh)) rewind(fresh);
      else warn(headline, fresh);
      return;
    }
    const focused = document.activeElement && document.activeElement.id;
    const caret = document.activeElement && document.activeElement.selectionStart;
    keep(fresh);
    const nodes = [...fresh.childNodes].map((node) => document.adoptNode(node));
    main.replaceChildren(...nodes);
    for (const name of ["live", "revision", "state"]) if (fresh.dataset[name]) main.dataset[name] = fresh.dataset[name];
    document.title = page.title;
    prepare();
    if (focused && !main.contains(document.activeElement)) {
      const again = document.getElementById(focused);
      if (again) {
        again.focus({ preventScroll: true });
        if (typeof caret === "number" && "selectionStart" in again) again.setSelectionRange(caret, caret);
      } else if (focused !== "main") main.focus({ preventScroll: true });
    }
    announce(watched === "any" ? document.title : text(document.getElementById("headline")));
  }

  function gist(root) {
    // What matters of a page: not its times, and not what the script or the reader did to it.
    const all = "h1, strong, a[href], .state, .badge, .votes li, .steps .failed span, #stop, #pause, #resume";
    const parts = [...root.querySelectorAll(all)].filter((part) => !part.closest("#receipt"));
    return [root.dataset.revision, root.dataset.state, ...parts.map((part) => `${part.href || ""} ${text(part)}`)].join("\n");
  }

  function canStillBeSent(fresh) {
    // A card that waits for the same answer as before: only what is said around it has changed.
    const same = fresh.dataset.revision === main.dataset.revision && fresh.dataset.state === main.dataset.state;
    return same && fresh.querySelector(".answers") !== null;
  }

  function showBrakes(page) {
    const [shown, now] = [document, page].map((root) => root.getElementById("to-brakes"));
    if (shown && now && text(shown) !== text(now)) shown.replaceChildren(...[...now.childNodes].map((node) => document.adoptNode(node)));
  }

  function rewind(fresh) {
    // Nothing changed but the clock, or what was changed is as it was: take the service's own count of what is left.
    document.getElementById("banner").hidden = true;
    for (const button of main.querySelectorAll(".answers button[data-off]")) {
      button.disabled = false;
      delete button.dataset.off;
    }
    const counted = [...fresh.querySelectorAll("time[data-left]")];
    for (const [index, time] of main.querySelectorAll("time[data-left]").entries()) {
      time.dataset.left = counted[index] ? counted[index].dataset.left : "0";
      delete time.dataset.over;
    }
    shownAt = performance.now();
  }

  function warn(headline, fresh) {
    showTimes(fresh);
    const said = !headline
      ? `This page cannot be shown any more: ${text(fresh.querySelector("h1"))}.`
      : fresh.dataset.revision !== main.dataset.revision && !fresh.querySelector(".verdict")
      ? "This card was changed by somebody else."
      : fresh.dataset.state === "held"
      ? `${text(headline)}.`
      : `This card is not open any more: ${text(headline)}.`;
    const then = fresh.dataset.state === "held" ? "and can be sent once it goes on" : "but it can no longer be sent";
    document.getElementById("banner-text").textContent = `${said} What you typed is still here, ${then}.`;
    const link = document.getElementById("banner-link");
    link.href = location.pathname;
    document.getElementById("banner").hidden = false;
    for (const button of main.querySelectorAll(".answers button:enabled")) {
      button.disabled = true;
      button.dataset.off = "";
    }
    for (const time of main.querySelectorAll("time[data-left]")) time.dataset.over = "yes";
  }

  const text = (node) => (node ? node.textContent.replace(/\s+/g, " ").trim() : "");

  function announce(said) {
    document.getElementById("said").textContent = said;
  }

  // --- the stream --------------------------------------------------------------------------------------------------

  let stream = null;
  let ended = false;

  function state(name, said) {
    const shown = document.getElementById("link-state");
    if (!shown) return;
    shown.className = `link-state ${name}`;
    if (shown.textContent !== said) shown.textContent = said;
  }

  function listen() {
    if (stream || !watched || ended) return;
    stream = new EventSource("/live");
    stream.addEventListener("hello", () => {
      state("on", "live");
      // Changes may have gone by since the page was made, or since the last stream ended.
      refreshSoon();
    });
    stream.addEventListener("change", (event) => {
      const change = JSON.parse(event.data);
      const isBrake = change.event === "braked" || change.event === "lifted";
      if (isBrake || watched === "any" || change.handoff === watched || change.run === watched) refreshSoon();
    });
    stream.addEventListener("error", () => {
      state("lost", "reconnecting");
      if (stream.readyState !== EventSource.CLOSED) return;
      // The browser has given up, after an answer that was no stream: the page itself will tell why.
      hush();
      refreshSoon();
      setTimeout(listen, 3000);
    });
  }

  function leave() {
    ended = true;
    hush();
    state("lost", "signed out");
  }

  function hush() {
    if (stream) stream.close();
    stream = null;
  }

  // Browsers keep few connections to one place: a page that nobody sees gives its own back.
  document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
  // A page that comes back from the browser's memory shows the past.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.forms) delete form.dataset.sent;
    // What is pressed on it now is another press, whatever was pressed on it then.
    for (const order of document.querySelectorAll("input[name=order_id]")) order.value += `.${Date.now()}`;
    if (watched) refreshSoon();
  });
  window.addEventListener("pagehide", hush);

  function prepare() {
    shownAt = performance.now();
    showTimes(main);
    showCandidate(main);
    countDown();
  }

  prepare();
  listen();
  setInterval(countDown, 1000);
  const first = document.querySelector("#notice, .error");
  if (first) first.scrollIntoView({ block: "center" });
})();
