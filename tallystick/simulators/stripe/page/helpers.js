/* What the parts share: styles, nodes, and the calls to the simulator. */
var ORIGIN = new URL(document.currentScript.src).origin;
var VERSION = "2026-10-28.endive";
var TEST_CARDS = /* TEST_CARDS */ [];
var TEST_ACCOUNTS = /* TEST_ACCOUNTS */ [];
var ROUTING_NUMBER = "110000000";
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
  ".sim-stripe-terms { font-size: 0.9em; }",
  ".sim-stripe-choice { display: flex; flex-wrap: wrap; gap: 0 1.5em; margin-top: 0.5em; }",
  ".sim-stripe-choice label { display: flex; align-items: center; gap: 0.4em; min-height: 44px; }",
  ".sim-stripe .sim-stripe-choice input { width: 1.4em; min-height: 1.4em; }",
  ".sim-stripe input, .sim-stripe select { box-sizing: border-box; width: 100%; min-height: 44px; margin: 0;",
  "  padding: 0.5em 0.65em; font: inherit; font-size: max(16px, 1em); color: inherit;",
  "  background: transparent; border: 1px solid currentColor;",
  "  border-radius: var(--sim-stripe-radius, 6px); }",
  ".sim-stripe input:focus-visible, .sim-stripe select:focus-visible,",
  ".sim-stripe-dialog button:focus-visible {",
  "  outline: 3px solid var(--sim-stripe-primary, currentColor); outline-offset: 2px; }",
  ".sim-stripe input[aria-invalid=true] { border-width: 2px; }",
  ".sim-stripe-error:empty { display: none; }",
  ".sim-stripe-error { grid-column: 1 / -1; font-weight: 600; }",
  ".sim-stripe-dialog { box-sizing: border-box; width: min(26em, calc(100vw - 2em));",
  "  max-height: calc(100dvh - 2em); overflow: auto;",
  "  padding: 1.25em; color: CanvasText; background: Canvas; border: 1px solid CanvasText;",
  "  border-radius: 8px; }",
  ".sim-stripe-dialog h2 { margin: 0 0 0.5em; font-size: 1.15em; }",
  ".sim-stripe-dialog fieldset { margin-top: 1em; }",
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
