/* window.ccbill: the class that a merchant's page uses. */
function CCBillAdvancedWidget(applicationId, customIds) {
  if (typeof applicationId !== "string" || !applicationId) {
    throw new Error("The first argument is the front-end application id.");
  }
  this.applicationId = applicationId;
  this.customIds = customIds || null;
}

CCBillAdvancedWidget.isSimulator = true;

CCBillAdvancedWidget.prototype.createPaymentToken = async function (
  authToken, clientAccnum, clientSubacc, clearPaymentInfo, clearCustomerInfo, timeToLive,
  numberOfUse) {
  var values = collect(this.customIds);
  var limits = { timeToLive: timeToLive, numberOfUse: numberOfUse };
  var found = checkForToken(values, clientAccnum, clientSubacc, limits);
  found.done();
  var body = tokenBody(values, clientAccnum, clientSubacc);
  if (timeToLive !== undefined && timeToLive !== null) { body.timeToLive = Number(timeToLive); }
  if (numberOfUse !== undefined && numberOfUse !== null) {
    body.validNumberOfUse = Number(numberOfUse);
  }
  var answer = await send(authToken, "POST", "/payment-tokens/merchant-only-verify", body);
  if (clearPaymentInfo) { this.clear(PAYMENT); }
  if (clearCustomerInfo) { this.clear(HOLDER); }
  return answer;
};

CCBillAdvancedWidget.prototype.clear = function (names) {
  var self = this;
  names.forEach(function (name) {
    var field = findField(name, self.customIds);
    if (field) { field.value = ""; }
  });
};

CCBillAdvancedWidget.prototype.isScaRequired = async function (
  authToken, clientAccnum, clientSubacc) {
  var values = collect(this.customIds);
  var found = new Violations(values);
  found.account(clientAccnum, clientSubacc);
  found.fields(FOR_SCA);
  found.card();
  found.done();
  var number = digits(values.cardNumber);
  return send(authToken, "GET", "/payment-tokens/threeds-required?" + new URLSearchParams({
    bin: number.slice(0, 6), last4: number.slice(-4), clientAccnum: clientAccnum,
    clientSubacc: clientSubacc, currencyCode: values.currencyCode }));
};

CCBillAdvancedWidget.prototype.isScaRequiredForPaymentToken = async function (
  authToken, paymentTokenId) {
  var values = collect(this.customIds);
  var found = new Violations(values);
  found.token(paymentTokenId);
  found.fields(FOR_SCA);
  found.done();
  return send(authToken, "GET", "/payment-tokens/" + encodeURIComponent(paymentTokenId) +
    "/threeds-required?" + new URLSearchParams({ currencyCode: values.currencyCode }));
};

CCBillAdvancedWidget.prototype.authenticateCustomer = async function (
  authToken, clientAccnum, clientSubacc, form, iframeId, paymentTokenId) {
  var root = typeof form === "string" ? document.querySelector(form) : form;
  var values = collect(this.customIds, root);
  var found = new Violations(values);
  found.account(clientAccnum, clientSubacc);
  found.fields(["currencyCode", "amount"]);
  if (paymentTokenId) { found.token(paymentTokenId); } else { found.card(); }
  found.done();
  var outcome = await askBank(iframeId);
  var answer = await send(authToken, "POST", "/_widget/threeds", {
    outcome: outcome, paymentTokenId: paymentTokenId || null, amount: values.amount,
    currencyCode: values.currencyCode });
  var told = await answer.json();
  if (!answer.ok) { throw told; }
  return told;
};

CCBillAdvancedWidget.prototype.authenticateCustomerAndCreatePaymentToken = async function (
  authToken, clientAccnum, clientSubacc, form, iframeId) {
  var threeds = await this.authenticateCustomer(
    authToken, clientAccnum, clientSubacc, form, iframeId);
  var values = collect(this.customIds);
  checkForToken(values, clientAccnum, clientSubacc, {}).done();
  var body = tokenBody(values, clientAccnum, clientSubacc);
  body.threedsClientTransactionId = threeds.clientTransactionId;
  var answer = await send(authToken, "POST", "/payment-tokens/merchant-only-verify", body);
  var token = await answer.json();
  if (!answer.ok) { throw token; }
  return { threedsInformation: threeds, paymentToken: token,
    paymentTokenId: token.paymentTokenId };
};

CCBillAdvancedWidget.prototype.createPaymentToken3DS =
  CCBillAdvancedWidget.prototype.authenticateCustomerAndCreatePaymentToken;

function checkForToken(values, clientAccnum, clientSubacc, limits) {
  var found = new Violations(values);
  found.account(clientAccnum, clientSubacc);
  ["timeToLive", "numberOfUse"].forEach(function (name) {
    if (limits[name] !== undefined && limits[name] !== null) {
      found.number(name, limits[name], 0, UNLIMITED);
    }
  });
  found.card();
  found.fields(FOR_TOKEN);
  found.optional();
  return found;
}

function tokenBody(values, clientAccnum, clientSubacc) {
  return {
    clientAccnum: Number(clientAccnum), clientSubacc: Number(clientSubacc), subscriptionId: 0,
    customerInfo: {
      customerFname: values.firstName, customerLname: values.lastName,
      address1: values.address1, address2: values.address2, city: values.city,
      state: values.state, zipcode: values.postalCode, country: values.country,
      email: values.email, phoneNumber: values.phoneNumber, ipAddress: values.ipAddress,
      browserHttpUserAgent: values.browserHttpUserAgent,
      browserHttpAccept: values.browserHttpAccept
    },
    paymentInfo: { creditCardPaymentInfo: {
      cardNum: digits(values.cardNumber), nameOnCard: values.nameOnCard,
      expMonth: values.expMonth.padStart(2, "0"), expYear: values.expYear, cvv2: values.cvv2
    } }
  };
}

function send(authToken, method, path, body) {
  var headers = { "Authorization": "Bearer " + authToken, "Accept": ACCEPT,
    "Widget-Version": VERSION };
  if (body) { headers["Content-Type"] = "application/json"; }
  return fetch(ORIGIN + path, { method: method, headers: headers, credentials: "omit",
    referrerPolicy: "no-referrer", body: body ? JSON.stringify(body) : undefined });
}

/* The bank's page in an iframe: in the one that is named, or in one at the end of the page. */
function askBank(iframeId) {
  var named = iframeId ? document.getElementById(iframeId) : null;
  var frame = named && named.tagName === "IFRAME" ? named : document.createElement("iframe");
  frame.title = "Your bank asks (3-D Secure)";
  frame.width = "320";
  frame.height = "260";
  if (frame !== named) {
    if (iframeId && !named) { frame.id = iframeId; }
    (named || document.body).appendChild(frame);
  }
  frame.src = ORIGIN + "/_widget/threeds";
  return new Promise(function (resolve) {
    function heard(event) {
      var told = event.data || {};
      if (event.source !== frame.contentWindow || told.from !== "ccbill-simulator") { return; }
      window.removeEventListener("message", heard);
      if (frame === named) { frame.removeAttribute("src"); } else { frame.remove(); }
      resolve(told.outcome);
    }
    window.addEventListener("message", heard);
  });
}

window.ccbill = { CCBillAdvancedWidget: CCBillAdvancedWidget };
