// The page: asks every second what there is to see, draws what has changed, and sends what a person does.

import { drawn, make, mrkdwn } from "/page/blocks.js";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
let me = query.get("as") ?? "";
let place = query.get("place") ?? query.get("channel") ?? "";
let thread = null;
let state = null;
let feedSeen = "", modalSeen = "", topSeen = "";

async function send(path, said) {
  const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ as: me, ...said }) });
  if (!response.ok) return complain(await response.text());
  return response.json();
}

function complain(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
  if (text) setTimeout(() => { $("trouble").hidden = true; }, 4000);
}

async function perform(verb, said) {
  const answer = await send(`/ui/${verb}`, said);
  if (answer?.failed) complain(answer.failed);
  await look();
  return answer;
}

function surface(spot, values, reads) {
  const named = (block, element) => ({ ...spot, block_id: block.block_id, action_id: element.action_id });
  return {
    names: state.names,
    values,
    reads,
    act: (block, element, value) => perform("act", { ...named(block, element), value }),
    suggest: async (block, element, typed) => (await send("/ui/suggest", { ...named(block, element), typed })) ?? [],
  };
}

function message(told) {
  const at = surface({ channel: told.channel, ts: told.ts }, told.values);
  const time = new Date(Number(told.ts) * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const who = make("div", { class: "who" }, make("b", {}, told.from), " ", told.is_bot ? make("span", { class: "badge" }, "APP") : "", ` ${time}`,
    told.is_edited ? " (edited)" : "", told.is_ephemeral ? " · Only visible to you" : "");
  const words = told.blocks.length ? told.blocks.map((block) => drawn(block, at)) : [make("div", { class: "block" }, mrkdwn(told.text, state.names))];
  const reactions = Object.entries(told.reactions).map(([name, count]) => make("span", {}, `:${name}: ${count}`));
  const files = told.files.map((name) => make("div", { class: "block context" }, `📄 ${name}`));
  const deeds = told.is_ephemeral ? [] : [
    make("button", { type: "button", onclick: () => reply(told) }, "Reply"),
    ...state.shortcuts.map((id) => make("button", { type: "button", onclick: () => perform("shortcut", { channel: told.channel, ts: told.ts, callback_id: id }) }, id.replaceAll("_", " "))),
  ];
  const classes = `message${told.is_bot ? " bot" : ""}${told.is_ephemeral ? " ephemeral" : ""}`;
  return make("article", { class: classes, "data-ts": told.ts }, make("div", { class: "face", "aria-hidden": "true" }, told.from.slice(0, 1).toUpperCase()),
    make("div", {}, who, words, files, reactions.length ? make("div", { class: "reactions" }, reactions) : null, make("div", { class: "deeds" }, deeds)));
}

function reply(told) {
  thread = told && (told.thread_ts ?? told.ts);
  $("replying").hidden = !thread;
  $("replying").firstElementChild.textContent = told ? `Replying to ${told.from}` : "";
  if (told) $("text").focus();
}

function drawFeed() {
  const feed = $("feed");
  const atEnd = feed.scrollHeight - feed.scrollTop - feed.clientHeight < 80 || !feedSeen;
  if (state.place.kind === "home") {
    const home = state.home;
    const at = home && surface({ view: home.id }, home.values);
    feed.replaceChildren(...(home ? home.source.blocks.map((block) => drawn(block, at)) : [make("p", { class: "empty" }, "The app has published nothing here yet.")]));
    return;
  }
  const tops = state.messages.filter((m) => !m.thread_ts || m.thread_ts === m.ts || !state.messages.some((t) => t.ts === m.thread_ts));
  feed.replaceChildren(...tops.flatMap((top) => {
    const replies = state.messages.filter((m) => m.thread_ts === top.ts && m.ts !== top.ts);
    return [message(top), ...(replies.length ? [make("div", { class: "thread" }, replies.map(message))] : [])];
  }));
  if (!tops.length) feed.append(make("p", { class: "empty" }, "Nothing has been said here yet."));
  if (atEnd) feed.scrollTop = feed.scrollHeight;
}

function drawModal() {
  const dialog = $("modal");
  const view = state.modal;
  if (!view) return dialog.close();
  const reads = [];
  const at = surface({ view: view.id }, view.values, reads);
  const read = () => reads.reduce((all, [block, action, value]) => ({ ...all, [block]: { ...all[block], [action]: value() } }), {});
  const submit = async (event) => {
    event.preventDefault();
    form.querySelectorAll(".error").forEach((node) => node.remove());
    const answer = await perform("submit", { view: view.id, values: read() });
    for (const [label, text] of Object.entries(answer?.errors ?? {})) {
      const field = [...form.querySelectorAll("[data-label]")].find((node) => node.dataset.label === label);
      field?.append(make("small", { class: "error", role: "alert" }, text));
      field?.scrollIntoView({ block: "nearest" });
    }
  };
  const close = () => perform("close", { view: view.id });
  const source = view.source;
  const form = make("form", { onsubmit: submit, novalidate: true },
    make("header", {}, source.title.text, make("button", { type: "button", "aria-label": "Close", onclick: close }, "×")),
    make("div", { class: "body" }, source.blocks.map((block) => drawn(block, at))),
    make("footer", {}, make("button", { type: "button", onclick: close }, source.close?.text ?? (view.has_below ? "Back" : "Cancel")),
      source.submit ? make("button", { class: "primary" }, source.submit.text) : null));
  dialog.replaceChildren(form);
  if (!dialog.open) dialog.showModal();
  form.querySelector("[autofocus]")?.focus();
}

function drawTop() {
  $("me").replaceChildren(...state.people.map((person) => make("option", { value: person.id, selected: person.id === state.me.id }, person.name)));
  $("places").replaceChildren(...state.places.map((item) => make("button", {
    type: "button", "aria-current": item.id === state.place.id ? "page" : null, onclick: () => go(me, item.id),
  }, item.name)));
  $("where").textContent = state.place.name;
  $("write").hidden = state.place.kind === "home";
}

async function go(who, where) {
  [me, place] = [who, where];
  reply(null);
  feedSeen = "";
  if (where === "home") await send("/ui/home", {});
  await look();
}

async function look() {
  const response = await fetch(`/ui/state?as=${encodeURIComponent(me)}&place=${encodeURIComponent(place)}`);
  if (!response.ok) return complain(await response.text());
  state = await response.json();
  [me, place] = [state.me.id, state.place.id];
  const top = JSON.stringify([state.people, state.me, state.places, state.place]);
  const feed = JSON.stringify([state.place, state.messages, state.home, state.names]);
  const modal = JSON.stringify(state.modal && [state.modal.id, state.modal.hash]);
  if (top !== topSeen) drawTop();
  if (feed !== feedSeen) drawFeed();
  if (modal !== modalSeen) drawModal();
  [topSeen, feedSeen, modalSeen] = [top, feed, modal];
  const shown = new URLSearchParams({ as: state.me.name, place: state.place.name.replace(/^#/, "") });
  history.replaceState(null, "", `?${shown}`);
}

$("me").addEventListener("change", (event) => go(event.target.value, place));
$("replying").querySelector("button").addEventListener("click", () => reply(null));
$("modal").addEventListener("cancel", (event) => {
  event.preventDefault();
  if (state.modal) perform("close", { view: state.modal.id });
});
$("write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  await perform("say", { channel: place, text, thread_ts: thread });
  reply(null);
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    $("write").requestSubmit();
  }
});

if (place === "home" || place === "Home tab") await send("/ui/home", {});
await look();
setInterval(() => look().catch(() => complain("The stand-in has gone.")), 1000);
