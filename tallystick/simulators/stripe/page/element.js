/* The payment element: the inputs for a test card, and what is checked before they are sent. */
var FIELDS = [
  { name: "number", label: "Card number", autocomplete: "cc-number", hint: "4242 4242 4242 4242",
    wide: true, max: 23 },
  { name: "expiry", label: "Expiry (MM / YY)", autocomplete: "cc-exp", hint: "MM / YY", max: 7 },
  { name: "cvc", label: "Security code (CVC)", autocomplete: "cc-csc", hint: "CVC", max: 4 },
  { name: "postal", label: "Postal code (optional)", autocomplete: "postal-code", hint: "",
    max: 16 }
];

function PaymentElement(options) {
  this.options = options || {};
  this.handlers = {};
  this.inputs = {};
  this.root = null;
  counter += 1;
  this.id = "sim-stripe-" + counter;
}

PaymentElement.prototype.on = function (event, handler) {
  (this.handlers[event] = this.handlers[event] || []).push(handler);
  return this;
};

PaymentElement.prototype.once = function (event, handler) {
  var self = this;
  function first(detail) {
    self.off(event, first);
    handler(detail);
  }
  return this.on(event, first);
};

PaymentElement.prototype.off = function (event, handler) {
  this.handlers[event] = (this.handlers[event] || []).filter(function (known) {
    return handler && known !== handler;
  });
  return this;
};

PaymentElement.prototype.fire = function (event, detail) {
  (this.handlers[event] || []).slice().forEach(function (handler) { handler(detail); });
};

PaymentElement.prototype.mount = function (target) {
  var node = typeof target === "string" ? document.querySelector(target) : target;
  if (!node) { throw new Error("There is no element to mount on: " + target + "."); }
  addStyles();
  this.unmount();
  this.root = this.draw();
  node.replaceChildren(this.root);
  var self = this;
  setTimeout(function () { self.fire("ready", { elementType: "payment" }); }, 0);
  return this;
};

PaymentElement.prototype.draw = function () {
  var root = make("fieldset", { class: "sim-stripe" });
  root.appendChild(make("legend", {}, "Card"));
  root.appendChild(make("p", { class: "sim-stripe-note" },
    "Stripe simulator \u2013 test cards only"));
  var grid = make("div", { class: "sim-stripe-grid" });
  var self = this;
  FIELDS.forEach(function (field) { grid.appendChild(self.drawField(field)); });
  this.error = make("p", { class: "sim-stripe-error", id: this.id + "-error", role: "alert" });
  grid.appendChild(this.error);
  root.appendChild(grid);
  this.dress(root);
  return root;
};

PaymentElement.prototype.drawField = function (field) {
  var id = this.id + "-" + field.name;
  var box = make("div", field.wide ? { class: "sim-stripe-wide" } : {});
  box.appendChild(make("label", { for: id }, field.label));
  /* Without a name an input is never sent with the form of the page around it. */
  var input = make("input", {
    id: id, type: "text", autocomplete: field.autocomplete, placeholder: field.hint,
    inputmode: field.name === "postal" ? "text" : "numeric", maxlength: field.max,
    spellcheck: "false", "data-sim-stripe": field.name
  });
  /* Not `required`: the browser would stop the page's own submit before our check can speak. */
  if (field.name !== "postal") { input.setAttribute("aria-required", "true"); }
  var self = this;
  input.addEventListener("input", function () { self.typed(field.name); });
  input.addEventListener("focus", function () {
    self.fire("focus", { elementType: "payment" });
  });
  input.addEventListener("blur", function () { self.fire("blur", { elementType: "payment" }); });
  this.inputs[field.name] = input;
  box.appendChild(input);
  return box;
};

PaymentElement.prototype.dress = function (root) {
  var look = this.options.appearance || {};
  var set = look.variables || {};
  if (look.theme === "night") { root.style.colorScheme = "dark"; }
  if (set.colorText) { root.style.color = set.colorText; }
  if (set.colorBackground) { root.style.backgroundColor = set.colorBackground; }
  if (set.fontFamily) { root.style.fontFamily = set.fontFamily; }
  if (set.colorPrimary) { root.style.setProperty("--sim-stripe-primary", set.colorPrimary); }
  if (set.borderRadius) { root.style.setProperty("--sim-stripe-radius", set.borderRadius); }
};

PaymentElement.prototype.typed = function (name) {
  var input = this.inputs[name];
  var atEnd = input.selectionStart === input.value.length;
  if (atEnd) { input.value = shaped(name, input.value); }
  this.blame(null);
  this.fire("change", this.state());
};

function shaped(name, value) {
  var plain = digits(value);
  if (name === "number") {
    var groups = /^3[47]/.test(plain) ? /^(\d{0,4})(\d{0,6})(\d{0,5})/ :
      /^(\d{0,4})(\d{0,4})(\d{0,4})(\d{0,4})/;
    return plain.match(groups).slice(1).filter(Boolean).join(" ");
  }
  if (name === "expiry") {
    if (/^[2-9]/.test(plain)) { plain = "0" + plain; }
    /* Deleting the slash must not bring it back. */
    if (plain.length <= 2) { return plain; }
    return plain.slice(0, 2) + " / " + plain.slice(2, 4);
  }
  return name === "cvc" ? plain : value;
}

PaymentElement.prototype.state = function () {
  var inputs = this.inputs;
  var empty = FIELDS.every(function (field) { return !inputs[field.name].value; });
  return { elementType: "payment", collapsed: false, complete: !this.check(), empty: empty,
    value: { type: "card" } };
};

PaymentElement.prototype.check = function () {
  var number = digits(this.inputs.number.value);
  var expiry = digits(this.inputs.expiry.value);
  var cvc = digits(this.inputs.cvc.value);
  if (number.length < 15) {
    return { field: "number", error: problem("incomplete_number",
      "Your card number is incomplete.") };
  }
  if (TEST_CARDS.indexOf(number) < 0) {
    return { field: "number", error: problem("invalid_number", NOT_LISTED) };
  }
  if (expiry.length !== 4) {
    return { field: "expiry", error: problem("incomplete_expiry",
      "Your card's expiration date is incomplete.") };
  }
  if (cvc.length !== (number.length === 15 ? 4 : 3)) {
    return { field: "cvc", error: problem("incomplete_cvc",
      "Your card's security code is incomplete.") };
  }
  return null;
};

PaymentElement.prototype.blame = function (found) {
  var self = this;
  FIELDS.forEach(function (field) {
    var input = self.inputs[field.name];
    var wrong = Boolean(found && found.field === field.name);
    input.setAttribute("aria-invalid", String(wrong));
    if (wrong) { input.setAttribute("aria-describedby", self.id + "-error"); }
    else { input.removeAttribute("aria-describedby"); }
  });
  this.error.textContent = found ? found.error.message : "";
  if (found) { this.inputs[found.field].focus(); }
};

PaymentElement.prototype.validate = function () {
  if (!this.root) { return problem("not_mounted", "The payment element is not mounted."); }
  var found = this.check();
  this.blame(found);
  return found ? found.error : null;
};

PaymentElement.prototype.methodData = function (billing) {
  var expiry = digits(this.inputs.expiry.value);
  var details = Object.assign({}, billing || {});
  if (this.inputs.postal.value) {
    details.address = Object.assign({}, details.address,
      { postal_code: this.inputs.postal.value });
  }
  return {
    type: "card",
    card: {
      number: digits(this.inputs.number.value),
      exp_month: Number(expiry.slice(0, 2)),
      exp_year: 2000 + Number(expiry.slice(2, 4)),
      cvc: digits(this.inputs.cvc.value)
    },
    billing_details: Object.keys(details).length ? details : undefined
  };
};

PaymentElement.prototype.clear = function () {
  var self = this;
  FIELDS.forEach(function (field) { self.inputs[field.name].value = ""; });
  this.blame(null);
};

PaymentElement.prototype.focus = function () { this.inputs.number.focus(); };
PaymentElement.prototype.blur = function () { document.activeElement.blur(); };
PaymentElement.prototype.collapse = function () { return this; };
PaymentElement.prototype.update = function (options) {
  Object.assign(this.options, options || {});
  if (this.root) { this.dress(this.root); }
  return this;
};
PaymentElement.prototype.unmount = function () {
  if (this.root) { this.root.remove(); }
  this.root = null;
};
PaymentElement.prototype.destroy = PaymentElement.prototype.unmount;

function Elements(options) {
  this.options = options || {};
  this.element = null;
}

Elements.prototype.create = function (type, options) {
  if (type !== "payment" && type !== "card") {
    throw new Error("The simulator has the payment element only, not " + type + ".");
  }
  this.element = new PaymentElement(
    Object.assign({ appearance: this.options.appearance }, options || {}));
  return this.element;
};

Elements.prototype.getElement = function () { return this.element; };
Elements.prototype.update = function (options) {
  Object.assign(this.options, options || {});
  if (this.element) { this.element.update({ appearance: this.options.appearance }); }
};
Elements.prototype.fetchUpdates = function () { return Promise.resolve({}); };
Elements.prototype.submit = function () {
  var error = this.element ? this.element.validate() :
    problem("not_mounted", "Create and mount a payment element first.");
  return Promise.resolve(error ? { error: error } : { selectedPaymentMethod: "card" });
};
