/* What is typed in: how it is shaped, checked, and sent, for cards and for bank accounts. */
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

function checkCard(inputs) {
  var number = digits(inputs.number.value);
  var expiry = digits(inputs.expiry.value);
  var cvc = digits(inputs.cvc.value);
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
}

function cardData(inputs, details) {
  var expiry = digits(inputs.expiry.value);
  if (inputs.postal.value) {
    details.address = Object.assign({}, details.address,
      { postal_code: inputs.postal.value });
  }
  return {
    type: "card",
    card: {
      number: digits(inputs.number.value),
      exp_month: Number(expiry.slice(0, 2)),
      exp_year: 2000 + Number(expiry.slice(2, 4)),
      cvc: digits(inputs.cvc.value)
    },
    billing_details: Object.keys(details).length ? details : undefined
  };
}

/* ---- bank accounts ---- */

var BANK_FIELDS = [
  { name: "name", label: "Name on the account", autocomplete: "name", hint: "", wide: true,
    max: 100, words: true },
  { name: "routing", label: "Routing number", autocomplete: "off", hint: "110000000", max: 9 },
  { name: "account", label: "Account number", autocomplete: "off", hint: "000123456789", max: 17 }
];
var MANDATE_TERMS = "By confirming you allow the business to debit this account now and later. " +
  "In the simulator no bank is involved.";

function checkBank(inputs) {
  if (!inputs.name.value.trim()) {
    return { field: "name", error: problem("incomplete_name",
      "The name on the account is missing.") };
  }
  if (digits(inputs.routing.value) !== ROUTING_NUMBER) {
    return { field: "routing", error: problem("invalid_routing_number",
      "This is a simulator: its routing number is " + ROUTING_NUMBER + ".") };
  }
  if (TEST_ACCOUNTS.indexOf(digits(inputs.account.value)) < 0) {
    return { field: "account", error: problem("invalid_account_number",
      "This is a simulator: it takes Stripe's test accounts only, such as 000123456789.") };
  }
  return null;
}

function bankData(inputs, details) {
  details.name = inputs.name.value.trim();
  return {
    type: "us_bank_account",
    us_bank_account: {
      routing_number: digits(inputs.routing.value),
      account_number: digits(inputs.account.value),
      account_holder_type: "individual"
    },
    billing_details: details
  };
}
