// What is there: subscriptions, payments, entries of the books, other ways of paying.
import {act, ask} from "./panel_api.js";
import {changed, date, make, money, work, words} from "./panel_page.js";
import {confirmPayment, outcome} from "./panel_pay.js";

const STATUS = {
  pending: ["Planned", ""],
  pending_approval: ["Waits for approval", "open"],
  processing: ["Under way", "open"],
  succeeded: ["Paid", "paid"],
  failed: ["Declined", "failed"],
  cancelled: ["Cancelled", ""],
  refunded: ["Refunded", ""],
  partially_refunded: ["Partly refunded", ""],
  disputed: ["Disputed", "failed"],
};
const LIVE = new Set(["active", "trialing", "past_due", "incomplete", "paused"]);
const CREDIT = "credit";
const GATEWAYS = {stripe: "Stripe", ccbill: "CCBill", paypal: "PayPal", manual: "by hand"};

function table(headings, rows) {
  return make("table", {class: "list"},
    make("thead", {}, make("tr", {}, ...headings.map(([text, kind]) =>
      make("th", {scope: "col", class: kind || ""}, text)))),
    make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map((cell, at) =>
      make("td", {"data-label": headings[at][0], class: headings[at][1] || ""}, make("div", {}, ...[cell].flat())))))));
}

function put(id, headings, rows, none) {
  const empty = make("p", {class: "card empty"}, none);
  document.querySelector(`#${id} .body`).replaceChildren(rows.length ? table(headings, rows) : empty);
}

function confirmButton(payment) {
  return make("button", {type: "button", class: "quiet small", onclick: (event) =>
    work(event.currentTarget, "Asking your bank …", async () => {
      const done = await confirmPayment(payment);
      await changed();
      return outcome(done);
    })}, "Confirm with your bank");
}

function standing(payment) {
  const [text, kind] = payment.next_action ? ["Your bank asks", "open"]
    : STATUS[payment.status] || [words(payment.status), ""];
  const said = payment.status === "failed" ? payment.failure_message : null;
  return [make("span", {class: `badge ${kind}`}, text),
    said ? make("span", {class: "note under"}, said) : null,
    payment.next_action ? confirmButton(payment) : null].filter(Boolean);
}

function invoicesOf(payment) {
  return payment.invoices.flatMap((one, at) => [at ? ", " : "",
    make("a", {href: `/billing/invoices/${one.id}`}, payment.invoices.length > 1 ? `Invoice ${at + 1}` : "Invoice")]);
}

export function drawPayments(told) {
  put("payments", [["Date"], ["For"], ["Through"], ["Status"], ["Amount", "num"]],
    told.payments.map((one) => [date(one.created), invoicesOf(one),
      GATEWAYS[one.gateway] || one.gateway, standing(one), money(one.amount, one.currency)]),
    "No payment yet.");
}

function moved(posting) {
  const amount = posting.unit === CREDIT
    ? Number(posting.amount).toLocaleString() : money(posting.amount, posting.unit);
  return make("div", {}, `${words(posting.ledger_account)} ${amount}`);
}

export function drawLedger(told) {
  put("ledger", [["Date"], ["Entry"], ["Moved", "num"]],
    told.entries.map((one) => [date(one.at),
      [one.description || words(one.kind),
        make("span", {class: "note under"}, [words(one.kind), one.invoice_number].filter(Boolean).join(" · "))],
      one.postings.map(moved)]),
    "Nothing is in the books yet.");
}

function lasts(one) {
  if (one.ends_at || one.cancel_at_period_end) {
    return `ends on ${date(one.ends_at || one.current_period_end)}`;
  }
  const by = one.schedule_owner === "tallystick" ? "" : `, renewed by ${GATEWAYS[one.schedule_owner] || one.schedule_owner}`;
  return one.current_period_end ? `until ${date(one.current_period_end)}, then again${by}` : "";
}

function cancelling(one) {
  const cancel = (event) => work(event.currentTarget, "Cancelling …", async () => {
    await act(`/subscriptions/${one.id}/cancel`, {at_period_end: true});
    await changed();
    return `${one.plan_name} is cancelled.`;
  });
  return make("details", {class: "confirm"},
    make("summary", {class: "quiet small", "aria-label": `Cancel ${one.plan_name}`}, "Cancel"),
    make("button", {type: "button", class: "quiet small danger", onclick: cancel}, "Yes, cancel it"));
}

function subscription(one) {
  const kinds = {active: "paid", trialing: "paid", past_due: "failed", incomplete: "open"};
  const amount = one.interval === "month" && one.interval_count === 1
    ? `${money(one.amount, one.currency)} a month` : money(one.amount, one.currency);
  const canCancel = LIVE.has(one.status) && !one.cancel_at_period_end && !one.ends_at;
  return make("li", {class: "row"},
    make("div", {class: "text"},
      make("h3", {}, one.plan_name, " ", make("span", {class: `badge ${kinds[one.status] || ""}`}, words(one.status))),
      make("p", {class: "note"}, [amount, lasts(one)].filter(Boolean).join(" · "))),
    canCancel ? make("div", {class: "actions"}, cancelling(one)) : null);
}

export function drawSubscriptions(told) {
  const list = document.getElementById("subscription-list");
  list.replaceChildren(...told.subscriptions.map(subscription));
}

export async function drawOtherWays() {
  const {payment_methods: ways} = await ask("/payment-methods/available");
  const others = ways.filter((one) => one.gateway === "manual" || one.gateway === "paypal");
  document.getElementById("other-ways").textContent =
    others.length ? `Offered here: ${others.map((one) => one.name).join(", ")}.` : "";
}
