// Blocks and markup become elements. Text only ever becomes text nodes, so nothing in a message can run.

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child != null));
  return node;
}

const WORDS = {
  date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
  date: { year: "numeric", month: "long", day: "numeric" },
  date_short: { year: "numeric", month: "short", day: "numeric" },
  date_long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  time: { hour: "numeric", minute: "2-digit" },
  time_secs: { hour: "numeric", minute: "2-digit", second: "2-digit" },
  day_divider_pretty: { weekday: "long", month: "long", day: "numeric" },
};

export function dated(seconds, format) {
  const at = new Date(Number(seconds) * 1000);
  return format.replace(/\{(\w+)\}/g, (whole, name) => {
    if (name === "ago") {
      const minutes = Math.round((Date.now() - at) / 60000);
      return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-minutes, "minute");
    }
    const words = WORDS[name.replace(/_pretty$/, "")] ?? WORDS[name];
    return words ? new Intl.DateTimeFormat("en-GB", words).format(at) : whole;
  });
}

const plain = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const link = (url, label) => (/^(https?|mailto):/.test(url) ? make("a", { href: url, rel: "noreferrer", target: "_blank" }, label) : label);

function token(inner, names) {
  const [what, label] = inner.split(/\|(.*)/s);
  if (what.startsWith("!date^")) {
    const [, seconds, format] = what.split("^");
    return make("time", { title: plain(label ?? "") }, dated(seconds, format));
  }
  const mention = (text) => make("span", { class: "mention" }, text);
  if (what.startsWith("@") || what.startsWith("#")) return mention(what[0] + (names[what.slice(1)] ?? label ?? what.slice(1)));
  if (what.startsWith("!subteam^")) return mention("@" + (names[what.slice(9)] ?? label ?? what.slice(9)));
  if (what.startsWith("!")) return mention("@" + (label ?? what.slice(1)));
  return link(plain(what), plain(label ?? what));
}

const INLINE = /```([\s\S]+?)```|`([^`\n]+)`|<([^<>]+)>|(?<![\w*])\*([^*\n]+)\*(?![\w*])|(?<![\w_])_([^_\n]+)_(?![\w_])|(?<![\w~])~([^~\n]+)~(?![\w~])/;

function marked(text, names) {
  const nodes = [];
  while (text) {
    const found = INLINE.exec(text);
    if (!found) break;
    nodes.push(plain(text.slice(0, found.index)));
    const [whole, fence, code, inner, bold, italic, struck] = found;
    if (fence != null) nodes.push(make("pre", {}, plain(fence.replace(/^\n/, ""))));
    else if (code != null) nodes.push(make("code", {}, plain(code)));
    else if (inner != null) nodes.push(token(inner, names));
    else if (bold != null) nodes.push(make("b", {}, marked(bold, names)));
    else if (italic != null) nodes.push(make("i", {}, marked(italic, names)));
    else nodes.push(make("s", {}, marked(struck, names)));
    text = text.slice(found.index + whole.length);
  }
  nodes.push(plain(text));
  return nodes;
}

export function mrkdwn(text, names) {
  const parts = text.split(/((?:^&gt; ?.*(?:\n|$))+)/m).filter(Boolean);
  return parts.map((part) => (part.startsWith("&gt;")
    ? make("blockquote", { class: "text" }, marked(part.trimEnd().replace(/^&gt; ?/gm, ""), names))
    : make("span", { class: "text" }, marked(part, names))));
}

export const worded = (text, names) => (text.type === "mrkdwn" ? mrkdwn(text.text, names) : [make("span", { class: "text" }, text.text)]);

function richPart(part, names) {
  const mention = (text) => make("span", { class: "mention" }, text);
  let node;
  switch (part.type) {
    case "text": node = part.text; break;
    case "link": node = link(part.url, part.text ?? part.url); break;
    case "user": node = mention("@" + (names[part.user_id] ?? part.user_id)); break;
    case "usergroup": node = mention("@" + (names[part.usergroup_id] ?? part.usergroup_id)); break;
    case "channel": node = mention("#" + (names[part.channel_id] ?? part.channel_id)); break;
    case "broadcast": node = mention("@" + part.range); break;
    case "emoji": node = part.unicode ? String.fromCodePoint(...part.unicode.split("-").map((c) => parseInt(c, 16))) : `:${part.name}:`; break;
    case "date": node = make("time", { title: part.fallback }, dated(part.timestamp, part.format)); break;
    default: node = part.text ?? part.value ?? "";
  }
  const style = part.style ?? {};
  for (const [name, tag] of [["code", "code"], ["strike", "s"], ["italic", "i"], ["bold", "b"], ["underline", "u"]]) {
    if (style[name]) node = make(tag, {}, node);
  }
  return node;
}

function rich(element, names) {
  const parts = (element.elements ?? []).map((part) => (part.elements ? rich(part, names) : richPart(part, names)));
  switch (element.type) {
    case "rich_text_preformatted": return make("pre", {}, parts);
    case "rich_text_quote": return make("blockquote", { class: "text" }, parts);
    case "rich_text_list": {
      const style = `margin-left: ${(element.indent ?? 0) * 24}px`;
      return make(element.style === "ordered" ? "ol" : "ul", { start: (element.offset ?? 0) + 1, style }, parts.map((item) => make("li", {}, item)));
    }
    default: return make("div", { class: "text" }, parts);
  }
}

const TYPES = { number_input: "text", email_text_input: "email", url_text_input: "url", datepicker: "date", timepicker: "time", datetimepicker: "number" };
const held = (value) => Object.entries(value ?? {}).find(([name]) => name !== "type")?.[1];

function chooser(element, block, at) {
  const now = held(at.values[block.block_id]?.[element.action_id]) ?? element.initial_option ?? element.initial_options;
  const many = element.type.startsWith("multi_");
  const groups = element.option_groups ?? [{ options: element.options ?? [] }];
  const option = (item) => make("option", { value: item.value, selected: many ? now?.some((o) => o.value === item.value) : now?.value === item.value }, item.text.text);
  const first = many ? [] : [make("option", { value: "" }, element.placeholder?.text ?? "Choose")];
  const list = groups.flatMap((group) => (group.label ? make("optgroup", { label: group.label.text }, group.options.map(option)) : group.options.map(option)));
  return make("select", { multiple: many }, first, list);
}

function people(element, block, at) {
  const now = held(at.values[block.block_id]?.[element.action_id]);
  const many = element.type.startsWith("multi_");
  const wanted = element.type.includes("users") ? /^[UW]/ : /^C/;
  const known = Object.entries(at.names).filter(([id]) => wanted.test(id));
  const chosen = (id) => (many ? now?.includes(id) : now === id);
  return make("select", { multiple: many }, many ? [] : make("option", { value: "" }, element.placeholder?.text ?? "Choose"),
    known.map(([id, name]) => make("option", { value: id, selected: chosen(id) }, name)));
}

function searcher(element, block, at) {
  const box = chooser(element, block, at);
  const now = held(at.values[block.block_id]?.[element.action_id]);
  const fill = (options) => box.replaceChildren(make("option", { value: "" }, options.length ? "Choose" : "Nothing found"), ...options.map((o) => make("option", { value: o.value }, o.text.text)));
  if (now && !Array.isArray(now)) box.append(make("option", { value: now.value, selected: true }, now.text.text));
  const typed = make("input", { type: "search", placeholder: element.placeholder?.text ?? "Search", "aria-label": "Search" });
  let last;
  typed.addEventListener("input", () => {
    clearTimeout(last);
    if (typed.value.length >= (element.min_query_length ?? 3)) last = setTimeout(async () => fill(await at.suggest(block, element, typed.value)), 250);
  });
  const node = make("span", { class: "search" }, typed, box);
  return [node, box];
}

// An element, and how to read what stands in it.
function control(element, block, at) {
  const now = held(at.values[block.block_id]?.[element.action_id]);
  const act = (value) => at.act(block, element, value);
  const tells = block.type !== "input" || block.dispatch_action;
  let node, read;
  if (element.type === "button" || element.type === "icon_button") {
    const press = () => {
      const asks = element.confirm;
      if (!asks || window.confirm(`${asks.title.text}\n\n${asks.text.text}`)) act();
    };
    return make("button", { type: "button", class: element.style, onclick: press, "aria-label": element.accessibility_label }, element.text.text);
  }
  if (element.type === "overflow") {
    const menu = make("details", { class: "menu" }, make("summary", { "aria-label": "More" }, "⋯"),
      make("div", {}, element.options.map((o) => make("button", { type: "button", onclick: () => { menu.open = false; act(o.value); } }, o.text.text))));
    return menu;
  }
  if (element.type === "image") return make("span", {}, `[${element.alt_text}]`);
  if (element.type === "checkboxes" || element.type === "radio_buttons") {
    const kind = element.type === "checkboxes" ? "checkbox" : "radio";
    const name = `${block.block_id}/${element.action_id}`;
    const on = (o) => (kind === "checkbox" ? now?.some((item) => item.value === o.value) : now?.value === o.value);
    const boxes = element.options.map((o) => make("input", { type: kind, name, value: o.value, checked: on(o) }));
    node = make("div", {}, element.options.map((o, n) => make("label", { class: "choice" }, boxes[n], worded(o.text, at.names), o.description ? make("small", {}, worded(o.description, at.names)) : null)));
    read = () => (kind === "checkbox" ? boxes.filter((b) => b.checked).map((b) => b.value) : boxes.find((b) => b.checked)?.value ?? null);
  } else if (element.type.endsWith("external_select")) {
    let box;
    [node, box] = searcher(element, block, at);
    read = () => (box.multiple ? [...box.selectedOptions].map((o) => o.value).filter(Boolean) : box.value || null);
  } else if (element.type.endsWith("_select")) {
    node = element.type.includes("static") ? chooser(element, block, at) : people(element, block, at);
    read = () => (node.multiple ? [...node.selectedOptions].map((o) => o.value) : node.value || null);
  } else if (element.type === "plain_text_input" && element.multiline) {
    node = make("textarea", { rows: 4, placeholder: element.placeholder?.text, maxlength: element.max_length });
    node.value = now ?? "";
    read = () => node.value;
  } else {
    node = make("input", { type: TYPES[element.type] ?? "text", placeholder: element.placeholder?.text, maxlength: element.max_length });
    node.value = typeof now === "object" ? "" : now ?? "";
    read = () => node.value;
  }
  if (element.focus_on_load) node.autofocus = true;
  if (tells) node.addEventListener("change", () => act(read()));
  at.reads?.push([block.block_id, element.action_id, read]);
  return node;
}

function input(block, at) {
  const node = control(block.element, block, at);
  const id = `f-${block.block_id}`;
  const single = ["INPUT", "TEXTAREA", "SELECT"].includes(node.tagName);
  if (single) node.id = id;
  const label = make(single ? "label" : "div", single ? { for: id } : { class: "label" }, block.label.text, block.optional ? make("small", {}, "optional") : null);
  return make("div", { class: "block input", "data-label": block.label.text }, label, node, block.hint ? make("small", {}, block.hint.text) : null);
}

// `at` says where the block stands: names, values, act(block, element, value), suggest(...), reads.
export function drawn(block, at) {
  const names = at.names;
  switch (block.type) {
    case "header": return make("div", { class: "block header", role: "heading", "aria-level": 3 }, block.text.text);
    case "divider": return make("hr");
    case "section": {
      const fields = block.fields ? make("div", { class: "fields" }, block.fields.map((field) => make("div", {}, worded(field, names)))) : null;
      return make("div", { class: "block section" }, make("div", {}, block.text ? worded(block.text, names) : null, fields), block.accessory ? control(block.accessory, block, at) : null);
    }
    case "rich_text": return make("div", { class: "block" }, block.elements.map((element) => rich(element, names)));
    case "context": return make("div", { class: "block context" }, block.elements.map((item) => (item.type === "image" ? `[${item.alt_text}]` : make("span", {}, worded(item, names)))));
    case "actions": case "context_actions": return make("div", { class: "block actions" }, block.elements.map((element) => control(element, block, at)));
    case "input": return input(block, at);
    case "alert": return make("div", { class: "block alert", role: "note" }, worded(block.text, names));
    case "markdown": return make("div", { class: "block text" }, block.text);
    case "image": return make("div", { class: "block" }, `[${block.alt_text}]`);
    case "table": return make("div", { class: "block" }, make("table", {}, block.rows.map((row) => make("tr", {}, row.map((cell) => make("td", {}, cell.elements ? cell.elements.map((e) => rich(e, names)) : String(cell.text ?? cell.value)))))));
    default: return make("div", { class: "block" }, `[${block.type}]`);
  }
}
