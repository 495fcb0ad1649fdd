// Asks the API for the panel: with the tokens of this tab, or with the session of who is signed in.
const BASE = "/api/billing";
const TOKENS = "tallystick.tokens";
const KEYS = "tallystick.key:";
const UNCLEAR = new Set(["request_in_progress"]);
const csrf = document.getElementById("panel").dataset.csrf;

// What was refused: `detail` is for people, `errors` name fields; `unclear`: it may have been done.
export class Problem extends Error {
  constructor(detail, {status = 0, code = "", errors = [], unclear = false} = {}) {
    super(detail);
    Object.assign(this, {status, code, errors, unclear});
  }
}

export function tokens() {
  return JSON.parse(sessionStorage.getItem(TOKENS) || "null");
}

export function keepTokens(given) {
  if (given) sessionStorage.setItem(TOKENS, JSON.stringify(given));
  else sessionStorage.removeItem(TOKENS);
}

export function somebodyAsks() {
  return isSignedIn || Boolean(tokens());
}

// Whoever is signed in may do without a token, and name an account alone.
export const isSignedIn = Boolean(csrf);

function caller() {
  const given = tokens() || {};
  const named = given.account ? {"X-Account-Id": given.account} : {};
  if (!given.access_token) {
    return {credentials: "same-origin", headers: {"X-CSRF-Token": csrf, ...named}};
  }
  const headers = {"Authorization": `Bearer ${given.access_token}`, ...named};
  if (given.session_id) headers["X-SESSION-ID"] = given.session_id;
  return {credentials: "omit", headers};
}

async function send(path, {method = "GET", body, key} = {}) {
  const {credentials, headers} = caller();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  const wanted = {method, credentials, headers, cache: "no-store"};
  if (body !== undefined) wanted.body = JSON.stringify(body);
  try {
    return await fetch(BASE + path, wanted);
  } catch {
    throw new Problem("The server did not answer. Check the connection, then try again.",
      {unclear: true});
  }
}

export async function ask(path, wanted) {
  const answer = await send(path, wanted);
  const told = await answer.json().catch(() => null);
  if (answer.ok) return told;
  const {detail, code, errors} = told || {};
  throw new Problem(detail || "That did not work; try again later.", {
    status: answer.status, code, errors,
    unclear: answer.status >= 500 || UNCLEAR.has(code),
  });
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Does something once for a press: while it is unclear whether it was done, the next press of the
// same carries the same key, also after the page was loaded again.
export async function act(path, body = {}, method = "POST") {
  const name = `${KEYS}${method} ${path}`;
  const text = JSON.stringify(body);
  const kept = JSON.parse(sessionStorage.getItem(name) || "null");
  const key = kept && kept.text === text ? kept.key : newKey();
  sessionStorage.setItem(name, JSON.stringify({text, key}));
  try {
    const told = await ask(path, {method, body: method === "DELETE" ? undefined : body, key});
    sessionStorage.removeItem(name);
    return told;
  } catch (error) {
    if (!error.unclear) sessionStorage.removeItem(name);
    throw error;
  }
}
