// The control panel: asks the API for everything that it shows, and again after each change.
import {ask, Problem, somebodyAsks} from "./panel_api.js";
import {blame, calm, changed, whenChanged, work} from "./panel_page.js";
import * as account from "./panel_account.js";
import * as ccbill from "./panel_ccbill.js";
import * as lists from "./panel_lists.js";
import * as methods from "./panel_methods.js";
import * as pay from "./panel_pay.js";
import * as setups from "./panel_setups.js";
import * as tokens from "./panel_tokens.js";

const refresh = document.getElementById("refresh");
const top = document.getElementById("refresh-place");
const behindCaller = [document.getElementById("billing"), document.getElementById("records"),
  ...document.querySelectorAll(".with-caller")];
const forNobody = document.querySelectorAll(".caller-needed");
const REFUSED = new Set([400, 401, 403, 404]);
const WHICH = "This sign-in belongs to no account, or to several: name one under Set tokens.";

// Each part of the page, what it shows, and who draws it; one that fails leaves the others alone.
const PARTS = [
  ["balance", "/balance", account.drawBalance],
  ["settings", "/settings", account.drawSettings],
  ["methods", "/payment-methods", methods.draw],
  ["monthly", "/subscriptions", lists.drawSubscriptions],
  ["payments", "/payments?limit=20", lists.drawPayments],
  ["ledger", "/ledger?limit=20", lists.drawLedger],
];

async function part([id, path, draw]) {
  const place = document.getElementById(id);
  try {
    draw(await ask(path));
    if (place.dataset.stale) calm(place);
    delete place.dataset.stale;
  } catch (error) {
    place.dataset.stale = "true";
    blame(place, error);
  }
}

function show(isKnown) {
  behindCaller.forEach((one) => { one.hidden = !isKnown; });
  forNobody.forEach((one) => { one.hidden = isKnown; });
  top.hidden = !somebodyAsks();
}

async function look() {
  show(!behindCaller[0].hidden && somebodyAsks());
  if (!somebodyAsks()) return;
  const config = await known();
  await Promise.all(PARTS.map(part));
  setups.draw(config);
  ccbill.draw(config);
  const rest = await Promise.allSettled([pay.drawChoices(config), lists.drawOtherWays()]);
  show(true);
  const failed = rest.find((one) => one.status === "rejected");
  if (failed) throw failed.reason;
}

// What this place is set up for, if whoever asks may see an account.
async function known() {
  try {
    const [config] = await Promise.all([ask("/config"), ask("/settings")]);
    return config;
  } catch (error) {
    if (REFUSED.has(error.status)) show(false);
    throw error.code === "account_required" ? new Problem(WHICH) : error;
  }
}

// One look after the other: what changes while one is under way is in the next.
let looking = Promise.resolve();
function lookAgain() {
  looking = looking.then(() => work(refresh, "Refreshing …", async () => {
    await look();
    return somebodyAsks() ? `As of ${new Date().toLocaleTimeString()}.` : "";
  }));
  return looking;
}

refresh.addEventListener("click", lookAgain);
whenChanged(lookAgain);
tokens.start(lookAgain);
setups.returned();
changed();
