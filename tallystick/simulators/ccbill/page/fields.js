/* The merchant's fields: where they are, what they hold, and what is wrong with it. */
var NAMES = ["firstName", "lastName", "address1", "address2", "city", "state", "postalCode",
  "country", "email", "phoneNumber", "ipAddress", "cardNumber", "expMonth", "expYear", "cvv2",
  "nameOnCard", "currencyCode", "amount", "browserHttpUserAgent", "browserHttpAccept",
  "browserHttpAcceptEncoding", "browserHttpAcceptLanguage"];
/* Versions of the widget, and a sample of CCBill's, name these fields differently. */
var OTHER_NAMES = {
  browserHttpUserAgent: ["browserUserAgent"],
  browserHttpAcceptLanguage: ["browserHttpAcceptLanguate"]
};
var PAYMENT = ["cardNumber", "expMonth", "expYear", "cvv2", "nameOnCard"];
var HOLDER = NAMES.filter(function (name) {
  return PAYMENT.indexOf(name) < 0 && name !== "currencyCode" && name !== "amount";
});
var UNLIMITED = 2147483647;
var CHECKS = {
  firstName: [/\S/, "First name is required"],
  lastName: [/\S/, "Last name is required"],
  postalCode: [/^[A-Za-z0-9 -]{2,16}$/, "Must be a valid postal code"],
  country: [/^[A-Z]{2}$/, "Must be a two-letter country code"],
  email: [/^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$/, "Must be a valid email address"],
  expMonth: [/^(0?[1-9]|1[012])$/, "Must be a month from 1 to 12"],
  expYear: [/^(201[89]|20[2-9]\d|2100)$/, "Must be a year from 2018 to 2100"],
  cvv2: [/^\d{3,4}$/, "Must be three or four digits"],
  nameOnCard: [/^[A-Za-z .'-]{2,45}$/, "Must be 2 to 45 letters"],
  currencyCode: [/^\d{3}$/, "Must be a three-digit currency code"],
  amount: [/^(?!0+(\.0+)?$)\d+(\.\d+)?$/, "Must be more than zero"]
};
var OPTIONAL = {
  address1: [/^.{0,50}$/, "Must be at most 50 characters"],
  city: [/^.{0,50}$/, "Must be at most 50 characters"],
  state: [/^([A-Z]{2})?$/, "Must be a two-letter state code"],
  phoneNumber: [/^[\d ()+.-]{0,20}$/, "Must be a valid telephone number"],
  ipAddress: [/^(\d{1,3}(\.\d{1,3}){3})?$/, "Must be a valid IPv4 address"]
};
var FOR_TOKEN = ["firstName", "lastName", "postalCode", "country", "email", "expMonth", "expYear",
  "cvv2", "nameOnCard"];
var FOR_SCA = ["currencyCode"];

function digits(value) { return value.replace(/\D/g, ""); }

function findField(name, customIds, form) {
  if (customIds && customIds[name]) { return document.getElementById(customIds[name]); }
  var root = form || document;
  var tried = [name].concat(OTHER_NAMES[name] || []);
  for (var place = 0; place < tried.length; place += 1) {
    var found = root.querySelector('[data-ccbill="' + tried[place] + '"]') ||
      document.getElementById("_ccbillId_" + tried[place]);
    if (found) { return found; }
  }
  return null;
}

function collect(customIds, form) {
  var values = {};
  NAMES.forEach(function (name) {
    var field = findField(name, customIds, form);
    values[name] = field && field.value ? field.value.trim() : "";
  });
  return values;
}

function Violations(target) {
  this.target = target;
  this.list = [];
}

Violations.prototype.add = function (name, message) {
  /* CCBill's sample shows what stands behind the first dot of a message. */
  this.list.push({ target: this.target, message: name + "." + message, propertyName: name });
};

Violations.prototype.number = function (name, value, low, high) {
  var text = String(value);
  if (!/^\d+$/.test(text) || Number(text) < low || Number(text) > high) {
    this.add(name, "Must be a number from " + low + " to " + high);
  }
};

Violations.prototype.account = function (accnum, subacc) {
  this.number("clientAccnum", accnum, 900000, 999999);
  this.number("clientSubacc", subacc, 0, 9999);
};

Violations.prototype.fields = function (names) {
  var self = this;
  names.forEach(function (name) {
    if (!CHECKS[name][0].test(self.target[name])) { self.add(name, CHECKS[name][1]); }
  });
};

Violations.prototype.optional = function () {
  var self = this;
  Object.keys(OPTIONAL).forEach(function (name) {
    if (!OPTIONAL[name][0].test(self.target[name])) { self.add(name, OPTIONAL[name][1]); }
  });
};

Violations.prototype.card = function () {
  var number = digits(this.target.cardNumber);
  if (number.length < 13) {
    this.add("cardNumber", "Must be a valid credit card number");
  } else if (TEST_CARDS.indexOf(number) < 0) {
    this.add("cardNumber", "This is a simulator: it takes its own test cards only");
  }
};

Violations.prototype.token = function (tokenId) {
  if (!/^[a-zA-Z0-9]+$/.test(String(tokenId || ""))) {
    this.add("paymentTokenId", "Must be a payment token");
  }
};

/* Throws the list, as CCBill's widget does, when there is anything on it. */
Violations.prototype.done = function () {
  if (this.list.length) { throw this.list; }
};
