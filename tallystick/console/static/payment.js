// Confirms a payment that the bank asks about: the same charge, with the same method, on this page.
const form = document.getElementById("payment");
const button = document.getElementById("payment-confirm");
const state = document.getElementById("payment-state");
const problem = document.getElementById("payment-error");
const route = `/api/v1/billing/payments/${form.dataset.payment}`;

async function ask(name) {
  const answer = await fetch(`${route}/${name}`, {
    method: "POST",
    headers: {"Content-Type": "application/json", "X-CSRF-Token": form.dataset.csrf},
    body: "{}",
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const error = new Error(body.detail || "That did not work; try again later.");
    error.code = body.code;
    throw error;
  }
  return body;
}

// What came of it says the gateway, asked by our server; this page proves nothing.
async function finish() {
  state.textContent = "Asking your bank …";
  await ask("refresh");
  location.replace(location.pathname);
}

async function confirm() {
  if (!window.Stripe) throw new Error("The payment service could not be loaded; try again later.");
  state.textContent = "Asking your bank …";
  const action = await ask("action");
  const stripe = window.Stripe(action.publishable_key);
  const found = await stripe.retrievePaymentIntent(action.client_secret);
  if (found.error) throw new Error(found.error.message);
  if (found.paymentIntent.status === "requires_action") {
    await stripe.handleNextAction({clientSecret: action.client_secret});
  } else {
    await stripe.confirmPayment({
      clientSecret: action.client_secret,
      confirmParams: {
        payment_method: action.payment_method_token,
        return_url: location.origin + location.pathname,
      },
      redirect: "if_required",
    });
  }
  await finish();
}

function refused(error) {
  // Somebody confirmed it elsewhere, or it is over.
  if (error.code === "payment_needs_no_action") {
    location.replace(location.pathname);
    return;
  }
  state.textContent = "";
  button.disabled = false;
  problem.textContent = error.message;
  problem.hidden = false;
}

button.hidden = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  button.disabled = true;
  problem.hidden = true;
  confirm().catch(refused);
});
// The bank's own page sent the payer back.
if (new URLSearchParams(location.search).has("payment_intent")) {
  button.disabled = true;
  finish().catch(refused);
}
