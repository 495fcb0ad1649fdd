// Looks again while a test clock is being advanced, and shows the page anew when it has arrived.
const PAUSE_MS = 700;

async function arrived() {
  const answer = await fetch(location.pathname.replace(/\/advance$/, ""), {cache: "no-store"});
  if (!answer.ok) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return !page.querySelector("[data-advancing]");
}

async function watch() {
  while (document.querySelector("[data-advancing]")) {
    await new Promise((wait) => setTimeout(wait, PAUSE_MS));
    if (await arrived().catch(() => false)) {
      location.replace(location.pathname.replace(/\/advance$/, ""));
      return;
    }
  }
}

watch();
