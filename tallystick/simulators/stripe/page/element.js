/* The payment element: the inputs for a test card or account, and what is checked before they are
   sent. */
var CARD_FIELDS = [
  { name: "number", label: "Card number", autocomplete: "cc-number", hint: "4242 4242 4242 4242",
    wide: true, max: 23 },
  { name: "expiry", label: "Expiry (MM / YY)", autocomplete: "cc-exp", hint: "MM / YY", max: 7 },
  { name: "cvc", label: "Security code (CVC)", autocomplete: "cc-csc", hint: "CVC", max: 4 },
  { name: "postal", label: "Postal code (optional)", autocomplete: "postal-code", hint: "",
    max: 16, optional: true, words: true }
];
var KINDS = {
  card: { label: "Card", note: "Stripe simulator \u2013 test cards only", fields: CARD_FIELDS,
    check: checkCard, data: cardData },
  us_bank_account: { label: "US bank account",
    note: "Stripe simulator \u2013 test accounts only", fields: BANK_FIELDS,
    check: checkBank, data: bankData, terms: MANDATE_TERMS }
};

function PaymentElement(options) {
  this.options = options || {};
  this.kinds = ["card"];
  this.kind = "card";
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
  this.node = node;
  this.redraw();
  var self = this;
  (this.options.lookUp || Promise.resolve(null)).then(function (kinds) {
    if (kinds && self.root) { self.offer(kinds); }
    setTimeout(function () { self.fire("ready", { elementType: "payment" }); }, 0);
  });
  return this;
};

/* Which kinds of method the intent takes; a person chooses where there are several. */
PaymentElement.prototype.offer = function (kinds) {
  var known = kinds.filter(function (kind) { return KINDS[kind]; });
  if (!known.length || known.join() === this.kinds.join()) { return; }
  this.kinds = known;
  this.kind = known[0];
  this.redraw();
};

PaymentElement.prototype.redraw = function () {
  this.inputs = {};
  this.root = this.draw();
  this.node.replaceChildren(this.root);
};

PaymentElement.prototype.draw = function () {
  var kind = KINDS[this.kind];
  var root = make("fieldset", { class: "sim-stripe" });
  root.appendChild(make("legend", {}, this.kinds.length > 1 ? "Payment method" : kind.label));
  if (this.kinds.length > 1) { root.appendChild(this.drawChoice()); }
  root.appendChild(make("p", { class: "sim-stripe-note" }, kind.note));
  var grid = make("div", { class: "sim-stripe-grid" });
  var self = this;
  kind.fields.forEach(function (field) { grid.appendChild(self.drawField(field)); });
  this.error = make("p", { class: "sim-stripe-error", id: this.id + "-error", role: "alert" });
  grid.appendChild(this.error);
  root.appendChild(grid);
  if (kind.terms) { root.appendChild(make("p", { class: "sim-stripe-terms" }, kind.terms)); }
  this.dress(root);
  return root;
};

PaymentElement.prototype.drawChoice = function () {
  var self = this;
  var box = make("div", { class: "sim-stripe-choice" });
  this.kinds.forEach(function (kind) {
    var label = make("label", {});
    var radio = make("input", { type: "radio", name: self.id + "-kind", value: kind });
    radio.checked = kind === self.kind;
    radio.addEventListener("change", function () { self.choose(kind); });
    label.appendChild(radio);
    label.appendChild(document.createTextNode(" " + KINDS[kind].label));
    box.appendChild(label);
  });
  return box;
};

PaymentElement.prototype.choose = function (kind) {
  this.kind = kind;
  this.redraw();
  this.root.querySelector("input[value=" + kind + "]").focus();
  this.fire("change", this.state());
};

PaymentElement.prototype.drawField = function (field) {
  var id = this.id + "-" + field.name;
  var box = make("div", field.wide ? { class: "sim-stripe-wide" } : {});
  box.appendChild(make("label", { for: id }, field.label));
  /* Without a name an input is never sent with the form of the page around it. */
  var input = make("input", {
    id: id, type: "text", autocomplete: field.autocomplete, placeholder: field.hint,
    inputmode: field.words ? "text" : "numeric", maxlength: field.max,
    spellcheck: "false", "data-sim-stripe": field.name
  });
  /* Not `required`: the browser would stop the page's own submit before our check can speak. */
  if (!field.optional) { input.setAttribute("aria-required", "true"); }
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

PaymentElement.prototype.state = function () {
  var inputs = this.inputs;
  var empty = Object.keys(inputs).every(function (name) { return !inputs[name].value; });
  return { elementType: "payment", collapsed: false, complete: !this.check(), empty: empty,
    value: { type: this.kind } };
};

PaymentElement.prototype.check = function () { return KINDS[this.kind].check(this.inputs); };

PaymentElement.prototype.blame = function (found) {
  var self = this;
  Object.keys(this.inputs).forEach(function (name) {
    var input = self.inputs[name];
    var wrong = Boolean(found && found.field === name);
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
  return KINDS[this.kind].data(this.inputs, Object.assign({}, billing || {}));
};

PaymentElement.prototype.clear = function () {
  var self = this;
  Object.keys(this.inputs).forEach(function (name) { self.inputs[name].value = ""; });
  this.blame(null);
};

PaymentElement.prototype.focus = function () {
  this.inputs[KINDS[this.kind].fields[0].name].focus();
};
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

function Elements(options, key) {
  this.options = options || {};
  this.key = key;
  this.element = null;
}

/* What the intent takes; without one (deferred style) what the page says. */
Elements.prototype.kinds = function () {
  var told = this.options.allowedPaymentMethodTypes || this.options.paymentMethodTypes;
  var secret = this.options.clientSecret;
  if (told || !secret) { return Promise.resolve(told || null); }
  var family = familyOf(secret);
  return call(this.key, "GET", family.path, { client_secret: secret }).then(
    function (answer) { return answer.payment_method_types || null; });
};

Elements.prototype.create = function (type, options) {
  if (type !== "payment" && type !== "card") {
    throw new Error("The simulator has the payment element only, not " + type + ".");
  }
  this.element = new PaymentElement(Object.assign(
    { appearance: this.options.appearance, lookUp: type === "card" ? null : this.kinds() },
    options || {}));
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
  return Promise.resolve(
    error ? { error: error } : { selectedPaymentMethod: this.element.kind });
};
