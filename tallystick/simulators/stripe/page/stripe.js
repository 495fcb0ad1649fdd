/* window.Stripe: confirm, the bank's check (3D Secure), and looking intents up. */
function askPayer() {
  addStyles();
  return new Promise(function (resolve) {
    counter += 1;
    var title = "sim-stripe-bank-" + counter;
    var dialog = make("dialog", { class: "sim-stripe-dialog", "aria-labelledby": title });
    dialog.appendChild(make("h2", { id: title }, "Your bank asks (3D Secure)"));
    dialog.appendChild(make("p", {},
      "Stripe simulator: this stands for the bank's check. No real card is involved."));
    var actions = make("div", { class: "sim-stripe-actions" });
    [["complete", "Complete authentication"], ["fail", "Fail authentication"]].forEach(
      function (choice) {
        var button = make("button", { type: "button" }, choice[1]);
        button.addEventListener("click", function () { finish(choice[0]); });
        actions.appendChild(button);
      });
    dialog.appendChild(actions);
    function finish(outcome) {
      dialog.close();
      dialog.remove();
      resolve(outcome);
    }
    dialog.addEventListener("cancel", function (event) {
      event.preventDefault();
      finish("fail");
    });
    document.body.appendChild(dialog);
    dialog.showModal();
  });
}

function Stripe(key, options) {
  if (!(this instanceof Stripe)) { return new Stripe(key, options); }
  if (typeof key !== "string" || key.indexOf("pk_test_") !== 0) {
    throw new Error("The simulator takes publishable test keys (pk_test_...) only.");
  }
  this.key = key;
}

Stripe.version = VERSION;
Stripe.isSimulator = true;

Stripe.prototype.elements = function (options) { return new Elements(options, this.key); };

Stripe.prototype.retrieve = function (clientSecret) {
  var family = familyOf(clientSecret);
  return call(this.key, "GET", family.path, { client_secret: clientSecret }).then(
    function (answer) { return wrapped(family, answer); });
};
Stripe.prototype.retrieveSetupIntent = Stripe.prototype.retrieve;
Stripe.prototype.retrievePaymentIntent = Stripe.prototype.retrieve;

Stripe.prototype.authenticate = function (clientSecret) {
  var self = this;
  var family = familyOf(clientSecret);
  return askPayer().then(function (outcome) {
    return call(self.key, "POST", "/_page/authenticate",
      { client_secret: clientSecret, outcome: outcome });
  }).then(function (answer) { return wrapped(family, answer); });
};

/* Microdeposits wait for days: nothing that the payer could do on this page now. */
function needsBank(intent) {
  return Boolean(intent && intent.status === "requires_action" &&
    intent.next_action && intent.next_action.type !== "verify_with_microdeposits");
}

Stripe.prototype.handleNextAction = function (options) {
  var self = this;
  var secret = options && options.clientSecret;
  return this.retrieve(secret).then(function (result) {
    var intent = result.setupIntent || result.paymentIntent;
    return needsBank(intent) ? self.authenticate(secret) : result;
  });
};

Stripe.prototype.confirm = function (options) {
  var self = this;
  var elements = options.elements;
  var secret = options.clientSecret || (elements && elements.options.clientSecret);
  var params = Object.assign({}, options.confirmParams || {});
  var family = familyOf(secret);
  if (options.redirect !== "if_required" && !params.return_url) {
    throw new Error("confirmParams.return_url is needed unless redirect is \"if_required\".");
  }
  var typed = params.payment_method_data || {};
  delete params.payment_method_data;
  if (!params.payment_method) {
    var wrong = elements && elements.element ? elements.element.validate() :
      problem("not_mounted", "Create and mount a payment element first.");
    if (wrong) { return Promise.resolve({ error: wrong }); }
    params.payment_method_data = elements.element.methodData(typed.billing_details);
  }
  params.client_secret = secret;
  params.use_stripe_sdk = true;
  return call(this.key, "POST", family.path + "/confirm", params).then(function (answer) {
    return needsBank(answer) ? self.authenticate(secret) : wrapped(family, answer);
  }).then(function (result) {
    return leave(result, family, secret, options, params.return_url);
  });
};
Stripe.prototype.confirmSetup = Stripe.prototype.confirm;
Stripe.prototype.confirmPayment = Stripe.prototype.confirm;

/* A card needs no redirect: only a page that asked for one every time is left. */
function leave(result, family, secret, options, returnUrl) {
  if (result.error || options.redirect === "if_required") { return result; }
  var url = new URL(returnUrl);
  url.searchParams.set(family.member, family.id);
  url.searchParams.set(family.member + "_client_secret", secret);
  var intent = result[family.name];
  url.searchParams.set("redirect_status",
    intent && intent.status !== "succeeded" ? "pending" : "succeeded");
  window.location.assign(url);
  return new Promise(function () {});
}

Stripe.prototype.confirmSaved = function (clientSecret, data) {
  var method = data && data.payment_method;
  if (typeof method !== "string") {
    throw new Error("The simulator takes the id of a saved payment method here; for a new card " +
      "use the payment element with confirmSetup or confirmPayment.");
  }
  return this.confirm({ clientSecret: clientSecret, redirect: "if_required",
    confirmParams: { payment_method: method } });
};
Stripe.prototype.confirmCardSetup = Stripe.prototype.confirmSaved;
Stripe.prototype.confirmCardPayment = Stripe.prototype.confirmSaved;

Stripe.prototype.createPaymentMethod = function (options) {
  var element = options.elements && options.elements.element;
  var wrong = element ? element.validate() :
    problem("not_mounted", "Create and mount a payment element first.");
  if (wrong) { return Promise.resolve({ error: wrong }); }
  var billing = options.params && options.params.billing_details;
  return call(this.key, "POST", "/v1/payment_methods", element.methodData(billing)).then(
    function (answer) { return answer.error ? answer : { paymentMethod: answer }; });
};
