/* The page script of Tallystick's Stripe simulator: window.Stripe, for test cards only.
   It sets no inline style and runs no inline code, so that a strict Content-Security-Policy with
   script-src and connect-src for this origin is enough. A card number that is not on the test
   list never leaves the page. */
(function () {
  "use strict";

  var ORIGIN = new URL(document.currentScript.src).origin;
  var VERSION = "2026-10-28.endive";
  var TEST_CARDS = /* TEST_CARDS */ [];
  var FAMILIES = {
    seti: { path: "setup_intents", name: "setupIntent", member: "setup_intent" },
    pi: { path: "payment_intents", name: "paymentIntent", member: "payment_intent" }
  };
  var NOT_LISTED =
    "This is a simulator: it takes Stripe's test cards only, such as 4242 4242 4242 4242.";
  var CSS = [
    ".sim-stripe { border: 0; margin: 0; padding: 0; min-width: 0; color: inherit;",
    "  font: inherit; }",
    ".sim-stripe legend { padding: 0; font-weight: 600; }",
    ".sim-stripe p { margin: 0.4em 0 0; }",
    ".sim-stripe-grid { display: grid; gap: 0.75em; margin-top: 0.75em;",
    "  grid-template-columns: repeat(auto-fit, minmax(min(8.5em, 100%), 1fr)); }",
    ".sim-stripe-wide { grid-column: 1 / -1; }",
    ".sim-stripe label { display: block; margin: 0 0 0.25em; }",
    ".sim-stripe input { box-sizing: border-box; width: 100%; min-height: 44px; margin: 0;",
    "  padding: 0.5em 0.65em; font: inherit; font-size: max(16px, 1em); color: inherit;",
    "  background: transparent; border: 1px solid currentColor;",
    "  border-radius: var(--sim-stripe-radius, 6px); }",
    ".sim-stripe input:focus-visible, .sim-stripe-dialog button:focus-visible {",
    "  outline: 3px solid var(--sim-stripe-primary, currentColor); outline-offset: 2px; }",
    ".sim-stripe input[aria-invalid=true] { border-width: 2px; }",
    ".sim-stripe-error:empty { display: none; }",
    ".sim-stripe-error { grid-column: 1 / -1; font-weight: 600; }",
    ".sim-stripe-dialog { box-sizing: border-box; width: min(26em, calc(100vw - 2em));",
    "  padding: 1.25em; color: CanvasText; background: Canvas; border: 1px solid CanvasText;",
    "  border-radius: 8px; }",
    ".sim-stripe-dialog h2 { margin: 0 0 0.5em; font-size: 1.15em; }",
    ".sim-stripe-actions { display: flex; flex-wrap: wrap; gap: 0.75em; margin-top: 1em; }",
    ".sim-stripe-actions button { flex: 1 1 9em; min-height: 44px; font: inherit; }"
  ].join("\n");
  var styled = false;
  var counter = 0;

  function addStyles() {
    if (styled) { return; }
    styled = true;
    var sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    document.adoptedStyleSheets = document.adoptedStyleSheets.concat([sheet]);
  }

  function make(tag, attributes, text) {
    var node = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (name) {
      node.setAttribute(name, attributes[name]);
    });
    if (text) { node.textContent = text; }
    return node;
  }

  function digits(value) { return value.replace(/\D/g, ""); }

  function problem(code, message) {
    return { type: "validation_error", code: code, message: message };
  }

  /* ---- talking to the simulator ---- */

  function encode(value, prefix, pairs) {
    if (value === undefined || value === null) { return pairs; }
    if (typeof value === "object") {
      Object.keys(value).forEach(function (name) {
        encode(value[name], prefix ? prefix + "[" + name + "]" : name, pairs);
      });
    } else {
      pairs.push(encodeURIComponent(prefix) + "=" + encodeURIComponent(String(value)));
    }
    return pairs;
  }

  function call(key, method, path, params) {
    var form = encode(params, "", []).join("&");
    var url = ORIGIN + path + (method === "GET" && form ? "?" + form : "");
    var headers = { Authorization: "Bearer " + key, "Stripe-Version": VERSION };
    var options = { method: method, headers: headers, credentials: "omit" };
    if (method === "POST") {
      headers["Content-Type"] = "application/x-www-form-urlencoded";
      options.body = form;
    }
    return fetch(url, options).then(function (reply) { return reply.json(); }).catch(function () {
      return { error: { type: "api_connection_error", message: "The simulator did not answer." } };
    });
  }

  function familyOf(clientSecret) {
    var id = String(clientSecret || "").split("_secret_")[0];
    var family = FAMILIES[id.split("_")[0]];
    if (!family || id === clientSecret) {
      throw new Error("Invalid value for stripe intent: the client secret is not of the form " +
        "${id}_secret_${secret}.");
    }
    return { id: id, path: "/v1/" + family.path + "/" + id, name: family.name,
      member: family.member };
  }

  function wrapped(family, answer) {
    if (answer.error) { return { error: answer.error }; }
    var result = {};
    result[family.name] = answer;
    return result;
  }

  /* ---- the payment element ---- */

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

  /* ---- the bank's check (3D Secure) ---- */

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

  Stripe.prototype.elements = function (options) { return new Elements(options); };

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

  Stripe.prototype.handleNextAction = function (options) {
    var self = this;
    var secret = options && options.clientSecret;
    return this.retrieve(secret).then(function (result) {
      var intent = result.setupIntent || result.paymentIntent;
      if (!intent || intent.status !== "requires_action") { return result; }
      return self.authenticate(secret);
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
      if (answer.status !== "requires_action") { return wrapped(family, answer); }
      return self.authenticate(secret);
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
    url.searchParams.set("redirect_status", "succeeded");
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

  window.Stripe = Stripe;
}());
