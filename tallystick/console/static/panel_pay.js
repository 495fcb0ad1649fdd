// Charging once, paying what is due, and the bank's question (3-D Secure) about either.
import {act, ask, Problem} from "./panel_api.js";
import {currency} from "./panel_account.js";
import {authenticated} from "./panel_ccbill.js";
import {changed, make, methodName, minor, money, onSubmit, script, work} from "./panel_page.js";
import {chargeable} from "./panel_methods.js";

const once = document.querySelector("#once form");
const monthly = document.querySelector("#monthly form");
const plans = document.getElementById("monthly-plan");
const prices = new Map();
const choices = [...document.querySelectorAll(".method-choice")];

// The amount as minor units, or the field that it is wrong in.
export function readAmount(given) {
  const of = given.currency || currency;
  const amount = minor(given.amount_cents || "", of);
  if (amount === null || amount === 0) {
    const message = given.amount_cents ? `is no amount in ${of.toUpperCase()}` : "is needed";
    throw new Problem("", {errors: [{field: "amount_cents", message}]});
  }
  return {amount_cents: amount, currency: of.toLowerCase()};
}

function fill(select, options, wanted) {
  const was = wanted || select.value;
  select.replaceChildren(...options.map(([value, text]) => make("option", {value}, text)));
  if (options.some(([value]) => value === was)) select.value = was;
}

export function choose(id) {
  choices.forEach((select) => { select.value = id; });
}

export async function drawChoices(config) {
  const options = chargeable().map((one) =>
    [one.id, methodName(one) + (one.is_default ? " (default)" : "")]);
  choices.forEach((select) => fill(select, options.length ? options : [["", "Save a method first"]]));
  for (const input of document.querySelectorAll("[id$=-currency]")) {
    input.value ||= currency.toUpperCase();
  }
  const {plans: offered} = await ask("/plans");
  const isPriced = config.default_monthly_price !== null && config.default_currency === currency;
  const own = isPriced ? [["", `${money(config.default_monthly_price, currency)} a month`]] : [];
  prices.set("", {amount_cents: config.default_monthly_price_cents, currency});
  offered.forEach((one) => prices.set(one.code, one));
  const named = offered
    .filter((one) => one.interval === "month" && one.interval_count === 1 && one.currency === currency)
    .map((one) => [one.code, `${one.name}, ${money(one.amount, one.currency)} a month`]);
  fill(plans, [...own, ...named]);
  fill(document.getElementById("checkout-plan") || plans, named);
  monthly.hidden = own.length + named.length === 0;
}

const WORDS = {
  succeeded: (amount) => `${amount} was paid.`,
  processing: (amount) => `${amount} is under way; the bank may take days.`,
  pending: (amount) => `${amount} is under way.`,
  failed: (_, payment) => payment.failure_message || "The payment was refused.",
};

export function outcome(payment) {
  const amount = money(payment.amount, payment.currency);
  if (payment.next_action) return `Your bank asks about ${amount}: confirm it under Payments.`;
  return (WORDS[payment.status] || WORDS.pending)(amount, payment);
}

// Lets the bank ask its question here, and then our server ask what came of it.
export async function confirmPayment(payment) {
  const route = `/payments/${payment.id}`;
  const action = await ask(`${route}/action`, {method: "POST", body: {}});
  await script(action.script_url);
  const stripe = window.Stripe(action.publishable_key);
  const found = await stripe.retrievePaymentIntent(action.client_secret);
  if (found.error) throw new Error(found.error.message);
  if (found.paymentIntent.status === "requires_action") {
    await stripe.handleNextAction({clientSecret: action.client_secret});
  } else {
    await stripe.confirmPayment({
      clientSecret: action.client_secret,
      confirmParams: {
        payment_method: action.payment_method_token, return_url: `${location.origin}/`,
      },
      redirect: "if_required",
    });
  }
  return ask(`${route}/refresh`, {method: "POST", body: {}});
}

// A decline is said and the lists show it; the bank's question is asked at once.
async function settle(payment) {
  const asked = payment.next_action && payment.gateway === "stripe";
  const done = asked ? await confirmPayment(payment) : payment;
  await changed();
  if (done.status === "failed") throw new Problem(outcome(done));
  return outcome(done);
}

async function orShown(run) {
  try {
    return await run();
  } catch (error) {
    if (error.status === 402) await changed();
    throw error;
  }
}

// CCBill's bank asks before the charge; what it said goes along.
async function withProof(body, price) {
  const method = chargeable().find((one) => one.id === body.payment_method_id);
  const proof = method?.gateway === "ccbill" ? await authenticated(method, price) : null;
  return proof ? {...body, threeds: proof} : body;
}

onSubmit(once, "Charging …", (given) => orShown(async () => {
  const body = {...given, ...readAmount(given)};
  const told = await act("/charge-once", await withProof(body, body));
  once.reset();
  if (told.payment) return settle(told.payment);
  await changed();
  return "What the account had with us paid all of it.";
}));

onSubmit(monthly, "Subscribing …", (given) => orShown(async () => {
  const told = await act("/subscribe-monthly", await withProof(given, prices.get(given.plan || "")));
  if (told.payment) return settle(told.payment);
  await changed();
  return "Subscribed; nothing is due yet.";
}));

const payBalance = document.getElementById("pay-balance");
payBalance.addEventListener("click", () => work(payBalance, "Paying …", () => orShown(async () => {
  const {payments} = await act("/pay-balance");
  const said = [];
  for (const one of payments) said.push(await settle(one));
  return said.join(" ");
})));
