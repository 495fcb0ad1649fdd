// Saves a card: the gateway's own fields in our form; the number never comes to us.
const PAGE = "/billing/payment-methods";
const WEBHOOK_TRIES = 40;
const PAUSE_MS = 250;

const open = document.getElementById("card-open");
const form = document.getElementById("card");
const save = document.getElementById("card-save");
const state = document.getElementById("card-state");
const dark = matchMedia("(prefers-color-scheme: dark)");
const problem = document.getElementById("card-error");

function show(message) {
  problem.textContent = message;
  problem.hidden = !message;
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Stripe's fields live in a frame that our styles do not reach; it takes ours as data.
function appearance() {
  return {
    theme: dark.matches ? "night" : "stripe",
    variables: {
      colorPrimary: color("--accent"), colorText: color("--ink"), colorDanger: color("--bad"),
      colorBackground: color("--paper"), borderRadius: "8px",
      fontFamily: getComputedStyle(document.body).fontFamily,
    },
  };
}

async function ask(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.detail || "That did not work; try again later.");
  return body;
}

function begin() {
  return ask("/api/v1/billing/setup-intent/card", {
    method: "POST",
    headers: {"Content-Type": "application/json", "X-CSRF-Token": form.dataset.csrf},
    body: "{}",
  });
}

async function count() {
  return (await ask("/api/v1/billing/payment-methods")).total;
}

// Asked for only when somebody wants to add a card: each form is a request to the gateway.
async function start() {
  if (!window.Stripe) throw new Error("The card form could not be loaded; try again later.");
  state.textContent = "Loading the card form …";
  const known = await count();
  const intent = await begin();
  const stripe = window.Stripe(intent.publishable_key);
  const elements = stripe.elements({clientSecret: intent.client_secret, appearance: appearance()});
  const fields = elements.create("payment");
  dark.addEventListener("change", () => elements.update({appearance: appearance()}));
  fields.on("ready", () => {
    state.textContent = "";
    if (fields.focus) fields.focus();
  });
  open.hidden = true;
  form.hidden = false;
  fields.mount("#card-fields");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    confirm(stripe, elements, known).catch(refused);
  });
}

async function confirm(stripe, elements, known) {
  save.disabled = true;
  show("");
  state.textContent = "Saving …";
  const done = await stripe.confirmSetup({
    elements,
    confirmParams: {return_url: `${location.origin}${PAGE}/return`},
    redirect: "if_required",
  });
  if (done.error) throw new Error(done.error.message);
  location.assign(`${PAGE}?done=${await stored(known) ? "saved" : "accepted"}`);
}

// The card is ours when the gateway's webhook has come, which takes a moment.
async function stored(known) {
  for (let tries = 0; tries < WEBHOOK_TRIES; tries += 1) {
    if (await count() > known) return true;
    await new Promise((wait) => setTimeout(wait, PAUSE_MS));
  }
  return false;
}

function refused(error) {
  state.textContent = "";
  save.disabled = false;
  show(error.message);
}

open.hidden = false;
open.addEventListener("click", () => {
  open.disabled = true;
  show("");
  start().catch((error) => {
    open.disabled = false;
    refused(error);
  });
});
