// Stripe's script as the panel needs it: its fields in our colours, and no word lost.
import {script} from "./panel_page.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const NOT_LOADED = "The card form could not be loaded; try again later.";

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Stripe's fields live in a frame that our styles do not reach; it takes ours as data.
function appearance() {
  return {
    theme: dark.matches ? "night" : "stripe",
    variables: {
      colorPrimary: color("--accent"), colorText: color("--ink"), colorDanger: color("--bad"),
      colorBackground: color("--paper"), borderRadius: "8px",
      fontFamily: getComputedStyle(document.body).fontFamily,
    },
  };
}

export async function stripeOf(told) {
  await script(told.script_url);
  return window.Stripe(told.publishable_key);
}

// Stripe answers with an error beside the intent; here it is thrown.
export function orThrow(answer) {
  if (answer.error) throw new Error(answer.error.message);
  return answer;
}

export function mountFields(stripe, clientSecret, node) {
  const elements = stripe.elements({clientSecret, appearance: appearance()});
  const fields = elements.create("payment");
  dark.addEventListener("change", () => elements.update({appearance: appearance()}));
  const ready = new Promise((done, failed) => {
    fields.on("ready", () => {
      if (fields.focus) fields.focus();
      done();
    });
    fields.on("loaderror", (event) => failed(new Error(event.error?.message || NOT_LOADED)));
  });
  fields.mount(node);
  return {elements, fields, ready};
}
