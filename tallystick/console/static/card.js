// Saves a card: the gateway's own fields in our form; the number never comes to us.
const form = document.getElementById("card");
const save = document.getElementById("card-save");
const problem = document.getElementById("card-error");

function show(message) {
  problem.textContent = message;
  problem.hidden = !message;
}

async function begin() {
  const answer = await fetch("/api/v1/billing/setup-intent/card", {
    method: "POST",
    headers: {"Content-Type": "application/json", "X-CSRF-Token": form.dataset.csrf},
    body: "{}",
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return body;
}

async function start() {
  if (!window.Stripe) throw new Error("The card form could not be loaded; try again later.");
  const intent = await begin();
  const stripe = window.Stripe(intent.publishable_key);
  const elements = stripe.elements({clientSecret: intent.client_secret});
  elements.create("payment").mount("#card-fields");
  save.disabled = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    save.disabled = true;
    show("");
    const done = await stripe.confirmSetup({
      elements, confirmParams: {return_url: location.href}, redirect: "if_required",
    });
    if (done.error) {
      show(done.error.message);
      save.disabled = false;
      return;
    }
    await stored();
  });
}

// The card is ours when the gateway's webhook has come, which takes a moment.
async function stored() {
  save.textContent = "Saving …";
  const before = document.querySelectorAll(".method").length;
  for (let tries = 0; tries < 40; tries += 1) {
    const answer = await fetch("/api/v1/billing/payment-methods");
    const body = await answer.json();
    if (answer.ok && body.payment_methods.length > before) break;
    await new Promise((wait) => setTimeout(wait, 250));
  }
  location.assign("/billing/payment-methods");
}

start().catch((error) => show(error.message));
