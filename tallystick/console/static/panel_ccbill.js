// A card through CCBill: its script takes the fields to CCBill, we get a token of them.
import {act, ask, Problem} from "./panel_api.js";
import {chosen} from "./panel_account.js";
import {changed, methodName, onSubmit, script} from "./panel_page.js";

const form = document.getElementById("ccbill-form");
const next = document.getElementById("ccbill-next");
const BRANDS = [[/^4/, "visa"], [/^(5[1-5]|2[2-7])/, "mastercard"], [/^3[47]/, "amex"],
  [/^(6011|65|64[4-9])/, "discover"], [/^35/, "jcb"], [/^3[0689]/, "diners"]];
const PROOF = {
  eci: "threedsEci", status: "threedsStatus", success: "threedsSuccess",
  protocolVersion: "threedsVersion", xid: "threedsXid", cavv: "threedsCavv",
  cavvAlgorithm: "threedsCavvAlgorithm", dsTransId: "threedsDsTransId",
  acsTransId: "threedsAcsTransId", authenticationValue: "threedsAuthenticationValue",
  clientTransactionId: "threedsClientTransactionId", cardToken: "threedsCardToken",
  sdkTransId: "threedsSdkTransId", error: "threedsError",
};
const tokens = new Map();
let config = null;

function value(name) {
  return form.querySelector(`[data-ccbill=${name}]`).value.trim();
}

// What may be shown of the card; the number itself stays in its field.
function shown() {
  const digits = value("cardNumber").replace(/\D/g, "");
  const brand = (BRANDS.find(([start]) => start.test(digits)) || [null, "card"])[1];
  return {
    brand, last4: digits.slice(-4),
    exp_month: Number(value("expMonth")), exp_year: Number(value("expYear")),
  };
}

async function widget() {
  const {access_token: bearer} = await ask("/config/ccbill-token", {method: "POST", body: {}});
  await script(config.widget_url);
  return {bearer, does: new window.ccbill.CCBillAdvancedWidget(config.application_id)};
}

// The script throws a list of what is wrong with the fields: "cardNumber.Must be valid".
function fromScript(error) {
  const list = Array.isArray(error) ? error : null;
  if (!list) return error instanceof Error ? error : new Problem("CCBill refused that; check the card.");
  const errors = list.map(({propertyName, message}) =>
    ({field: propertyName, message: message.slice(message.indexOf(".") + 1)}));
  return new Problem("", {errors});
}

async function told(answer) {
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(body.generalMessage || "CCBill refused that card; check it.");
  return body;
}

// Cards whose bank asks (3-D Secure) may have a sub-account of their own.
async function subaccountFor(does, bearer) {
  const {client_accnum: accnum, client_subacc: usual, client_subacc_3ds: asked} = config;
  if (asked === usual) return usual;
  const {required} = await told(await does.isScaRequired(bearer, accnum, usual));
  return required ? asked : usual;
}

async function saveCard() {
  const {bearer, does} = await widget();
  const card = shown();
  let made;
  try {
    const subacc = await subaccountFor(does, bearer);
    made = await told(await does.createPaymentToken(bearer, config.client_accnum, subacc, true));
  } catch (error) {
    throw fromScript(error);
  }
  const token = made.paymentTokenId;
  const saved = await act("/payment-methods/ccbill-token", {payment_token_id: token, card});
  tokens.set(saved.id, token);
  await changed();
  for (const select of document.querySelectorAll(".method-choice")) select.value = saved.id;
  next.hidden = false;
  return `${methodName(saved)} was saved.`;
}

export function draw(all) {
  config = all.ccbill;
  if (form && config) form.querySelector("[data-ccbill=currencyCode]").value = config.currency_code;
}

const NUMBERS = {usd: "840", eur: "978", gbp: "826", cad: "124", aud: "036", jpy: "392"};
const REFUSED = "The payment was not confirmed with your bank. Nothing was charged.";
const bank = document.getElementById("bank-frame");
// The bank's page comes into a frame: whoever pays by keyboard is led into it.
const watcher = new MutationObserver(() => bank.querySelector("iframe")?.focus());

// Lets the bank ask (3-D Secure), where it wants to, before a charge of a card whose token this
// page knows: the default one, and those saved on it. What it said goes with that charge and is
// kept nowhere. Null: nothing to ask.
export async function authenticated(method, charge) {
  const token = tokens.get(method.id) || (chosen.id === method.id ? chosen.token : null);
  if (!token || !(charge.currency in NUMBERS)) return null;
  const amount = charge.currency === "jpy"
    ? String(charge.amount_cents) : (charge.amount_cents / 100).toFixed(2);
  form.querySelector("[data-ccbill=currencyCode]").value = NUMBERS[charge.currency];
  form.querySelector("[data-ccbill=amount]").value = amount;
  const {bearer, does} = await widget();
  try {
    const {required} = await told(await does.isScaRequiredForPaymentToken(bearer, token));
    if (!required) return null;
    watcher.observe(bank, {childList: true});
    const said = await does.authenticateCustomer(
      bearer, config.client_accnum, config.client_subacc_3ds, form, bank.id, token);
    if (said.success === false) throw new Problem(REFUSED);
    return proofOf(said);
  } catch (error) {
    throw fromScript(error);
  } finally {
    watcher.disconnect();
    bank.replaceChildren();
  }
}

function proofOf(said) {
  const proof = {};
  for (const [name, sent] of Object.entries(PROOF)) {
    const value = said[name];
    if (typeof value === "boolean") proof[sent] = value;
    else if (value) proof[sent] = String(value);
  }
  return proof;
}

if (form) onSubmit(form, "Creating the token …", saveCard);
