// The saved methods in their order: default, priority by drag or by the arrows, removed.
import {act, ask} from "./panel_api.js";
import {announce, changed, make, methodName, methodNote, work} from "./panel_page.js";

const list = document.getElementById("method-list");
const hint = document.getElementById("methods-hint");
const none = document.getElementById("methods-none");
const CHARGEABLE = new Set(["stripe", "ccbill"]);
const TRIES = 40;
const PAUSE_MS = 250;

export let known = [];
let dragged = null;

export function chargeable() {
  return known.filter((one) => CHARGEABLE.has(one.gateway) && one.status === "active");
}

export function draw(told) {
  known = told.payment_methods;
  const focused = document.activeElement?.dataset?.act;
  const of = document.activeElement?.closest("[data-method]")?.dataset.method;
  list.replaceChildren(...known.map(row));
  hint.hidden = known.length < 2;
  none.hidden = known.length > 0;
  if (of && focused) focusOn(of, focused);
}

function focusOn(id, name) {
  const found = list.querySelector(`[data-method="${CSS.escape(id)}"]`);
  const wanted = found?.querySelector(`[data-act="${name}"]:not([disabled])`);
  (wanted || found?.querySelector("button:not([disabled])"))?.focus();
}

function button(method, name, text, run, more = {}) {
  return make("button", {
    type: "button", class: "quiet small", "data-act": name,
    "aria-label": `${text} ${methodName(method)}`, ...more,
    onclick: (event) => run(event.currentTarget, method),
  }, more.sign || text);
}

function badge(text, kind) {
  return make("span", {class: `badge ${kind}`}, text);
}

function row(method, at) {
  const isExpired = method.expires && new Date(method.expires) <= new Date();
  const node = make("li", {class: "row method", draggable: known.length > 1 ? "true" : "false",
    "data-method": method.id},
    make("div", {class: "text"},
      make("h3", {}, methodName(method), " ",
        method.is_default ? badge("Default", "paid") : null,
        isExpired ? badge("Expired", "failed") : null),
      make("p", {class: "note"}, methodNote(method))),
    make("div", {class: "actions"},
      ...(known.length > 1 ? arrows(method, at) : []),
      method.is_default ? null : button(method, "default", "Make default", makeDefault),
      removal(method)));
  node.addEventListener("dragstart", (event) => {
    dragged = node;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", methodName(method));
  });
  return node;
}

function arrows(method, at) {
  return [
    button(method, "up", "Move up", (from) => move(from, method, -1), {sign: "↑", disabled: at === 0}),
    button(method, "down", "Move down", (from) => move(from, method, 1),
      {sign: "↓", disabled: at === known.length - 1}),
  ];
}

function removal(method) {
  return make("details", {class: "confirm"},
    make("summary", {class: "quiet small", "aria-label": `Remove ${methodName(method)}`}, "Remove"),
    button(method, "remove", "Yes, remove it:", remove,
      {class: "quiet small danger", sign: "Yes, remove it"}));
}

async function setOrder(ids, moved) {
  draw(await act("/payment-methods/priority", {payment_method_ids: ids}));
  const at = known.findIndex((one) => one.id === moved.id) + 1;
  announce(`${methodName(moved)} is now number ${at} of ${known.length}.`);
}

function move(from, method, step) {
  const ids = known.map((one) => one.id);
  const at = ids.indexOf(method.id);
  [ids[at], ids[at + step]] = [ids[at + step], ids[at]];
  return work(from, "Saving the order …", () => setOrder(ids, method))
    .then(() => focusOn(method.id, from.dataset.act));
}

function makeDefault(from, method) {
  return work(from, "Saving …", async () => {
    await act("/payment-methods/default", {payment_method_id: method.id});
    await changed();
    return `${methodName(method)} is the default.`;
  }).then(() => focusOn(method.id, "up"));
}

function remove(from, method) {
  return work(from, "Removing …", async () => {
    await act(`/payment-methods/${method.id}`, {}, "DELETE");
    await changed();
    return `${methodName(method)} was removed.`;
  }).then(() => { (list.querySelector("button:not([disabled])") || document.getElementById("refresh")).focus(); });
}

list.addEventListener("dragover", (event) => {
  const over = event.target.closest("[data-method]");
  if (!dragged || !over) return;
  event.preventDefault();
  if (over === dragged) return;
  const {top, height} = over.getBoundingClientRect();
  over[event.clientY < top + height / 2 ? "before" : "after"](dragged);
});
list.addEventListener("drop", (event) => event.preventDefault());
list.addEventListener("dragend", () => {
  const ids = [...list.children].map((one) => one.dataset.method);
  const method = known.find((one) => one.id === dragged?.dataset.method);
  dragged = null;
  if (!method || ids.join() === known.map((one) => one.id).join()) return;
  work(list, "Saving the order …", () => setOrder(ids, method)
    .catch((error) => { draw({payment_methods: known}); throw error; }));
});

// A method is ours when the gateway's webhook has come, which takes a moment.
export async function arrived(before) {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const {total} = await ask("/payment-methods");
    if (total > before) return true;
    await new Promise((wait) => setTimeout(wait, PAUSE_MS));
  }
  return false;
}
