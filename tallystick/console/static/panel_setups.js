// Saving methods with Stripe: a card, a bank account with its two deposits, or on Stripe's page.
import {act, ask, Problem} from "./panel_api.js";
import {currency} from "./panel_account.js";
import {announce, changed, onSubmit, say, work} from "./panel_page.js";
import {arrived, known} from "./panel_methods.js";
import {readAmount} from "./panel_pay.js";
import {mountFields, orThrow, stripeOf} from "./panel_stripe.js";

const card = document.getElementById("stripe-card");
const bank = document.getElementById("stripe-bank");
const deposits = document.getElementById("stripe-deposits");
const checkout = document.getElementById("stripe-checkout");
const HOME = `${location.origin}/`;

async function saved(before, what) {
  const isHere = await arrived(before);
  await changed();
  return isHere ? `${what} was saved.` : `${what} was accepted; it appears here in a moment.`;
}

// Asked for only when somebody wants to add a card: each form is a request to the gateway.
let form = null;
async function openCard() {
  const told = await ask("/setup-intent/card", {method: "POST", body: {}});
  const stripe = await stripeOf(told);
  const box = card.querySelector("form");
  box.hidden = false;
  card.querySelector(".open").hidden = true;
  form = {stripe, ...mountFields(stripe, told.client_secret, box.querySelector(".mount"))};
  await form.ready.catch((error) => {
    closeCard();
    throw error;
  });
}

function closeCard() {
  form?.fields.unmount();
  form = null;
  card.querySelector("form").hidden = true;
  card.querySelector(".open").hidden = false;
}

async function saveCard() {
  const before = known.length;
  orThrow(await form.stripe.confirmSetup({
    elements: form.elements, confirmParams: {return_url: HOME}, redirect: "if_required",
  }));
  const said = await saved(before, "The card");
  closeCard();
  card.querySelector(".open").focus();
  return said;
}

// The bank's own log-in, or numbers; then the mandate, which the text above the button is about.
async function addBank(given) {
  const missing = ["name", "email"].filter((name) => !given[name]);
  if (missing.length) {
    throw new Problem("", {errors: missing.map((field) => ({field, message: "is needed"}))});
  }
  const told = await ask("/setup-intent/us-bank", {method: "POST", body: {}});
  const stripe = await stripeOf(told);
  const collected = orThrow(await stripe.collectBankAccountForSetup({
    clientSecret: told.client_secret,
    params: {
      payment_method_type: "us_bank_account",
      payment_method_data: {billing_details: given},
    },
  })).setupIntent;
  if (collected.status === "requires_payment_method") return "No account was chosen.";
  const before = known.length;
  const done = orThrow(await stripe.confirmUsBankAccountSetup(told.client_secret)).setupIntent;
  if (done.next_action?.type === "verify_with_microdeposits") return waitForDeposits(done);
  return saved(before, "The bank account");
}

function waitForDeposits(intent) {
  nameWaiting(intent.id);
  const kind = intent.next_action.verify_with_microdeposits?.microdeposit_type;
  const what = kind === "descriptor_code" ? "a deposit with a code" : "two small deposits";
  return `Stripe sends ${what}. Prove the account below when it has arrived.`;
}

function nameWaiting(setupIntent) {
  deposits.querySelector("[data-field=setup_intent_id]").value ||= setupIntent;
}

// The deposits take days: whoever comes back finds the account that they are to prove.
async function drawWaiting() {
  const [first] = (await ask("/us-bank/waiting").catch(() => ({data: []}))).data;
  if (first) nameWaiting(first.setup_intent_id);
}

function readAmounts(text) {
  const found = (text.match(/\d+/g) || []).map(Number);
  if (found.length === 2) return found;
  throw new Problem("", {errors: [{field: "amounts", message: "are two numbers, like 32, 45"}]});
}

async function prove(given) {
  const body = {...given};
  if (given.amounts) body.amounts = readAmounts(given.amounts);
  const before = known.length;
  const told = await act("/us-bank/verify-microdeposits", body);
  if (told.status !== "succeeded") return "That was taken; the bank has not confirmed it yet.";
  deposits.querySelector("form").reset();
  return saved(before, "The bank account");
}

// Which members each purpose has; the payer comes back here where this is the customers' address.
const PURPOSES = {
  due: () => ({mode: "payment"}),
  ahead: (given) => ({mode: "payment", amount_cents: readAmount(given).amount_cents}),
  setup: () => ({mode: "setup"}),
  subscription: (given) => ({mode: "subscription", plan: given.plan}),
};

function purpose() {
  return checkout.querySelector("[name=purpose]:checked").value;
}

async function goToCheckout(given) {
  const body = PURPOSES[purpose()](given);
  if (document.getElementById("panel").dataset.publicUrl === location.origin) {
    body.success_url = `${HOME}?checkout=success`;
    body.cancel_url = `${HOME}?checkout=cancel`;
  }
  const {url} = await act("/checkout_session", body);
  location.assign(url);
  return "Going to Stripe's page …";
}

export function draw(config) {
  if (!card || !config.stripe) return;
  const can = new Set(config.stripe.method_types);
  const takesBanks = can.has("us_bank_account") && currency === "usd";
  bank.querySelector("form").hidden = !takesBanks;
  if (!takesBanks) {
    say(bank, `US bank accounts pay in USD alone; this account is billed in ${currency.toUpperCase()}.`);
  }
  deposits.hidden = !takesBanks;
  checkout.hidden = config.stripe.checkout.length === 0;
  if (takesBanks) drawWaiting();
}

const RETURNS = {
  succeeded: "Stripe has confirmed it; it appears here in a moment.",
  pending: "The bank has not answered yet; it appears here when it has.",
  processing: "The bank has not answered yet; it appears here when it has.",
};
const CHECKOUTS = {
  success: "Stripe's page is done; what came of it appears here in a moment.",
  cancel: "Stripe's page was left. Nothing was paid or saved.",
};

// A bank or Stripe sent the payer back: the address proves nothing and holds a secret, so it goes.
export function returned() {
  const query = new URLSearchParams(location.search);
  const status = query.get("redirect_status");
  if (!status && !query.has("checkout")) return;
  history.replaceState(null, "", location.pathname);
  const text = status ? RETURNS[status] || "That was not confirmed. Nothing was saved or paid."
    : CHECKOUTS[query.get("checkout")] || CHECKOUTS.success;
  const note = document.createElement("p");
  Object.assign(note, {className: "notice", textContent: text});
  document.getElementById("caller").before(note);
  announce(text);
  setTimeout(changed, 1500);
}

if (card) {
  const open = card.querySelector(".open");
  open.addEventListener("click", () => work(open, "Loading the card form …", openCard));
  onSubmit(card.querySelector("form"), "Saving …", saveCard);
  onSubmit(bank.querySelector("form"), "Asking your bank …", addBank);
  onSubmit(deposits.querySelector("form"), "Asking Stripe …", prove);
  onSubmit(checkout.querySelector("form"), "Opening Stripe's page …", goToCheckout);
  checkout.addEventListener("change", () => {
    document.getElementById("checkout-ahead").hidden = purpose() !== "ahead";
    document.getElementById("checkout-plans").hidden = purpose() !== "subscription";
  });
}
