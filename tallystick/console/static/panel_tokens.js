// Who asks: tokens set by hand for this tab, or the session of who is signed in.
import {isSignedIn, keepTokens, Problem, tokens} from "./panel_api.js";
import {onSubmit} from "./panel_page.js";

const open = document.getElementById("tokens-open");
const clear = document.getElementById("tokens-clear");
const form = document.getElementById("tokens");
const state = document.getElementById("caller-state");
const signedIn = state.textContent;

function show(isOpen) {
  form.hidden = !isOpen;
  open.setAttribute("aria-expanded", String(isOpen));
}

// The end of a JWT's life, where it is one; it is read for a hint alone, the server decides.
function ends(token) {
  try {
    const text = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const {exp} = JSON.parse(atob(text));
    return exp ? ` It ends on ${new Date(exp * 1000).toLocaleString()}.` : "";
  } catch {
    return "";
  }
}

function draw() {
  const given = tokens();
  clear.hidden = !given;
  open.textContent = given ? "Change tokens" : "Set tokens";
  const whose = given?.account ? ` For ${given.account}.` : "";
  state.textContent = given?.access_token
    ? `With the access token of this tab.${whose}${ends(given.access_token)}` : signedIn + whose;
}

export function start(look) {
  draw();
  document.getElementById("caller").hidden = false;
  open.addEventListener("click", () => {
    show(form.hidden);
    if (!form.hidden) form.querySelector("input").focus();
  });
  onSubmit(form, "Asking …", async (given) => {
    if (!given.access_token && !(isSignedIn && given.account)) {
      throw new Problem("", {errors: [{field: "access_token", message: "is needed"}]});
    }
    keepTokens(given);
    form.reset();
    show(false);
    draw();
    await look();
    open.focus();
  });
  clear.addEventListener("click", () => {
    keepTokens(null);
    form.reset();
    show(false);
    draw();
    look();
    open.focus();
  });
}
