// What the panel's sections share: nodes, words and formats, work under way, what went wrong.
const panel = document.getElementById("panel");
const exponents = JSON.parse(panel.dataset.exponents);
const announcer = document.getElementById("announcer");
const USUAL = 2;
const BRANDS = {amex: "American Express", diners: "Diners Club", jcb: "JCB", unionpay: "UnionPay"};
const GATEWAYS = {stripe: "Stripe", ccbill: "CCBill", paypal: "PayPal", manual: "noted by hand"};

export function make(tag, attributes = {}, ...content) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...content.filter((one) => one !== null));
  return node;
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function words(code) {
  return capital(code.replaceAll("_", " "));
}

// Amounts come as decimal strings; a currency that the browser does not know is written plainly.
export function money(amount, currency) {
  const code = currency.toUpperCase();
  try {
    const digits = exponents[code] ?? USUAL;
    return new Intl.NumberFormat(undefined, {
      style: "currency", currency: code,
      minimumFractionDigits: digits, maximumFractionDigits: digits,
    }).format(amount);
  } catch {
    return `${amount} ${code}`;
  }
}

// From what a person types to minor units, digit by digit; null when it is no amount.
export function minor(text, currency) {
  const digits = exponents[currency.toUpperCase()] ?? USUAL;
  const parts = /^(\d{1,13})(?:[.,](\d+))?$/.exec(text.trim());
  if (!parts || (parts[2] || "").length > digits) return null;
  const found = Number(parts[1] + (parts[2] || "").padEnd(digits, "0"));
  return Number.isSafeInteger(found) ? found : null;
}

export function date(text) {
  return new Date(text).toLocaleDateString(undefined, {dateStyle: "medium"});
}

export function methodName(method) {
  const {card, bank} = method;
  if (card) return `${BRANDS[card.brand] || capital(card.brand)} ending in ${card.last4}`;
  if (bank) return `${bank.name || "Bank account"} ending in ${bank.last4}`;
  return method.label || words(method.type);
}

export function methodNote(method) {
  const {card} = method;
  const until = card ? [`Expires ${String(card.exp_month).padStart(2, "0")}/${card.exp_year}`] : [];
  const gateway = GATEWAYS[method.gateway] || capital(method.gateway);
  return [...until, method.gateway === "manual" ? gateway : `through ${gateway}`].join(" · ");
}

export function announce(text) {
  announcer.textContent = "";
  requestAnimationFrame(() => { announcer.textContent = text; });
}

// Something in the books has changed, or may have: whoever shows it looks again.
export function changed() {
  return Promise.all(listeners.map((look) => look()));
}
const listeners = [];
export function whenChanged(look) {
  listeners.push(look);
}

export function say(place, text) {
  place.querySelector(".state").textContent = text;
}

// Takes back what was said to be wrong.
export function calm(place) {
  const box = place.querySelector(".problem");
  box.hidden = true;
  box.textContent = "";
  for (const note of place.querySelectorAll(".field-problem")) note.remove();
  for (const input of place.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-describedby");
  }
}

function mark(input, message) {
  const id = `${input.id}-problem`;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", id);
  input.after(make("p", {id, class: "over-note field-problem"}, capital(message)));
}

// Says what went wrong at the fields it belongs to, the rest below, and goes to the first of them.
export function blame(place, error) {
  calm(place);
  const named = (error.errors || []).map((one) => ({
    ...one, input: place.querySelector(`[data-field="${CSS.escape(one.field)}"]`),
  }));
  const atFields = named.filter((one) => one.input);
  atFields.forEach((one) => mark(one.input, one.message));
  const rest = named.filter((one) => !one.input).map((one) => `${one.field}: ${one.message}`);
  if (!atFields.length || rest.length) {
    const box = place.querySelector(".problem");
    box.textContent = rest.length ? capital(rest.join("; ")) : error.message;
    box.hidden = false;
  }
  if (atFields.length) atFields[0].input.focus();
}

// Runs what a button asks for, once at a time; what is said meanwhile and afterwards stands below.
export async function work(button, text, run) {
  const place = button.closest(".place");
  if (place.dataset.busy) return;
  const buttons = [...place.querySelectorAll("button, [role=switch]")].filter((one) => !one.disabled);
  place.dataset.busy = "true";
  calm(place);
  say(place, text);
  const focused = document.activeElement === button;
  buttons.forEach((one) => { one.disabled = true; });
  try {
    say(place, (await run(place)) || "");
  } catch (error) {
    say(place, "");
    blame(place, error);
  } finally {
    delete place.dataset.busy;
    buttons.forEach((one) => { one.disabled = false; });
    // A button that is switched off loses the focus; what was said may have taken it elsewhere.
    if (focused && document.activeElement === document.body) button.focus();
  }
}

// A form's button, by mouse or by Enter; `run` gets what is filled in, by the names of the fields.
export function onSubmit(form, text, run) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = {};
    for (const input of form.querySelectorAll("[data-field]")) {
      if (input.value.trim()) given[input.dataset.field] = input.value.trim();
    }
    work(event.submitter || form.querySelector("button"), text, (place) => run(given, place));
  });
}

const scripts = new Map();
export function script(url) {
  if (!scripts.has(url)) {
    scripts.set(url, new Promise((loaded, failed) => {
      const unavailable = () => {
        scripts.delete(url);
        failed(new Error("The payment service's script could not be loaded; try again later."));
      };
      document.head.append(make("script", {src: url, onload: loaded, onerror: unavailable}));
    }));
  }
  return scripts.get(url);
}
