/* Bank accounts: collected in a dialog (which stands for the bank's own log-in), then confirmed,
   then proved by microdeposits. */
var INSTANT = [
  ["success", "Checking 6789: debits succeed"],
  ["insufficientFunds", "Checking 2227: debits fail, insufficient funds"],
  ["accountClosed", "Checking 1113: debits fail, account closed"],
  ["dispute", "Checking 5559: debits are disputed"]
];

/* Resolves to what to send about the account, or null when the payer closed the dialog. */
function askAccount(billing) {
  addStyles();
  return new Promise(function (resolve) {
    counter += 1;
    var id = "sim-stripe-account-" + counter;
    var dialog = make("dialog", { class: "sim-stripe-dialog", "aria-labelledby": id });
    dialog.appendChild(make("h2", { id: id }, "Link a test bank account"));
    dialog.appendChild(make("p", {},
      "Stripe simulator: this stands for the bank's log-in. No real bank is involved."));
    dialog.appendChild(instantForm(id, finish));
    dialog.appendChild(manualForm(billing, finish));
    var close = make("button", { type: "button" }, "Cancel");
    close.addEventListener("click", function () { finish(null); });
    var actions = make("div", { class: "sim-stripe-actions" });
    actions.appendChild(close);
    dialog.appendChild(actions);
    function finish(account) {
      dialog.close();
      dialog.remove();
      resolve(account);
    }
    dialog.addEventListener("cancel", function (event) {
      event.preventDefault();
      finish(null);
    });
    document.body.appendChild(dialog);
    dialog.showModal();
  });
}

function instantForm(id, finish) {
  var box = make("fieldset", { class: "sim-stripe" });
  box.appendChild(make("legend", {}, "Verified at once"));
  box.appendChild(make("label", { for: id + "-test" }, "Account at the test bank"));
  var select = make("select", { id: id + "-test" });
  INSTANT.forEach(function (one) {
    select.appendChild(make("option", { value: one[0] }, one[1]));
  });
  box.appendChild(select);
  var button = make("button", { type: "button" }, "Use this account");
  button.addEventListener("click", function () { finish({ test_account: select.value }); });
  var actions = make("div", { class: "sim-stripe-actions" });
  actions.appendChild(button);
  box.appendChild(actions);
  return box;
}

function manualForm(billing, finish) {
  var element = new PaymentElement({});
  element.kinds = ["us_bank_account"];
  element.kind = "us_bank_account";
  element.root = element.draw();
  var root = element.root;
  root.querySelector("legend").textContent = "Enter the numbers; microdeposits follow";
  element.inputs.name.value = (billing && billing.name) || "";
  var button = make("button", { type: "button" }, "Use these numbers");
  button.addEventListener("click", function () {
    if (!element.validate()) { finish(element.methodData(billing)); }
  });
  var actions = make("div", { class: "sim-stripe-actions" });
  actions.appendChild(button);
  root.appendChild(actions);
  return root;
}

Stripe.prototype.collectBankAccount = function (options) {
  var self = this;
  var secret = options.clientSecret;
  var family = familyOf(secret);
  var data = (options.params && options.params.payment_method_data) || {};
  return askAccount(data.billing_details).then(function (account) {
    if (!account) { return self.retrieve(secret); }
    var sent = Object.assign({ client_secret: secret, billing_details: data.billing_details },
      account);
    delete sent.type;
    return call(self.key, "POST", "/_page/bank_account", sent).then(
      function (answer) { return wrapped(family, answer); });
  });
};
Stripe.prototype.collectBankAccountForSetup = Stripe.prototype.collectBankAccount;
Stripe.prototype.collectBankAccountForPayment = Stripe.prototype.collectBankAccount;

/* With a method: its id, or the account's numbers; without one the account that was collected. */
Stripe.prototype.confirmBankAccount = function (clientSecret, data) {
  var family = familyOf(clientSecret);
  var method = data && data.payment_method;
  var params = { client_secret: clientSecret };
  if (typeof method === "string") { params.payment_method = method; }
  else if (method) {
    params.payment_method_data = Object.assign({ type: "us_bank_account" }, method);
  }
  return call(this.key, "POST", family.path + "/confirm", params).then(
    function (answer) { return wrapped(family, answer); });
};
Stripe.prototype.confirmUsBankAccountSetup = Stripe.prototype.confirmBankAccount;
Stripe.prototype.confirmUsBankAccountPayment = Stripe.prototype.confirmBankAccount;

/* data: { amounts: [32, 45] } or { descriptor_code: "SM11AA" } */
Stripe.prototype.verifyMicrodeposits = function (clientSecret, data) {
  var family = familyOf(clientSecret);
  var params = Object.assign({ client_secret: clientSecret }, data);
  return call(this.key, "POST", family.path + "/verify_microdeposits", params).then(
    function (answer) { return wrapped(family, answer); });
};
Stripe.prototype.verifyMicrodepositsForSetup = Stripe.prototype.verifyMicrodeposits;
Stripe.prototype.verifyMicrodepositsForPayment = Stripe.prototype.verifyMicrodeposits;

window.Stripe = Stripe;
