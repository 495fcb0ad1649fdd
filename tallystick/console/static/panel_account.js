// What the account owes and holds, by currency; and whether it pays by itself.
import {act} from "./panel_api.js";
import {make, money, work} from "./panel_page.js";

const balances = document.getElementById("balances");
const payBalance = document.getElementById("pay-balance");
const autopay = document.getElementById("autopay");
const fallback = document.getElementById("fallback");
const FIGURES = [
  ["Owed", "owed_settled", "issued, less what was credited"],
  ["Pending", "owed_pending", "on drafts, owed once they are issued"],
  ["Paid", "payments_settled", "money that has come, less what went back"],
  ["Under way", "payments_pending", "payments that have not come yet"],
  ["Due", "due_settled", "to be paid now"],
  ["Credit", "credit_balance", "prepaid and not used yet"],
];

export let currency = "usd";
export let chosen = {id: null, token: null};

function ofCurrency(one) {
  const facts = FIGURES.map(([name, key, about]) => make("div", {class: key === "due_settled" ? "due" : ""},
    make("dt", {title: about}, name), make("dd", {}, money(one[key], one.currency))));
  return make("dl", {class: "facts figures", "data-currency": one.currency}, ...facts);
}

export function drawBalance(told) {
  ({currency} = told);
  balances.replaceChildren(...told.balances.map(ofCurrency));
  const due = told.balances.filter((one) => one.due_settled_cents > 0);
  payBalance.parentElement.hidden = due.length === 0;
  payBalance.textContent = due.length
    ? `Pay balance: ${due.map((one) => money(one.due_settled, one.currency)).join(" and ")}`
    : "Pay balance";
}

export function drawSettings(told) {
  autopay.checked = told.autopay;
  fallback.checked = told.payment_fallback;
  chosen = {id: told.default_payment_method_id, token: told.default_payment_method_token};
}

function onSwitch(input, body, on, off) {
  input.addEventListener("change", () => {
    const wanted = input.checked;
    work(input, "Saving …", async () => {
      try {
        drawSettings(await act("/autopay", body()));
      } catch (error) {
        input.checked = !wanted;
        throw error;
      }
      return wanted ? on : off;
    });
  });
}

onSwitch(autopay, () => ({enabled: autopay.checked}), "Autopay is on.", "Autopay is off.");
onSwitch(fallback, () => ({enabled: autopay.checked, payment_fallback: fallback.checked}),
  "A refused method is followed by the next one.", "A refused method is not followed by another.");
