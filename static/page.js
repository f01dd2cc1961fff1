// Every page: times in the reader's words, colours, copying, notices, the side list.
const keep = (name, value) => { document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=31536000; samesite=lax`; };
keep("timezone", Intl.DateTimeFormat().resolvedOptions().timeZone);

// Times
const language = navigator.language.startsWith("en") ? navigator.language : "en-GB";
const say = (options) => { const format = new Intl.DateTimeFormat(language, options); return (at) => format.format(at); };
const clock = say({ hour: "numeric", minute: "2-digit" });
const day = say({ day: "numeric", month: "short" });
const dayOfYear = say({ day: "numeric", month: "short", year: "numeric" });
const full = say({ dateStyle: "full", timeStyle: "short" });
function words(at, precise) {
  const now = new Date();
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 864e5);
  if (Math.abs(now - at) < 60e3) return "just now";
  if (days === 0) return clock(at);
  const date = days === 1 ? "yesterday" : at.getFullYear() === now.getFullYear() ? day(at) : dayOfYear(at);
  return precise ? `${date}, ${clock(at)}` : date;
}
function tellTimes() {
  for (const time of document.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    const text = words(at, time.closest(".facts"));
    if (time.textContent === text) continue;
    time.textContent = text;
    time.title = full(at);
  }
}

// Copying
function offerCopies() {
  for (const head of document.querySelectorAll(".code-head:not(:has(button))")) {
    if (head.closest('[data-status="streaming"] .block:last-child')) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet copy";
    button.setAttribute("aria-label", "Copy this code");
    button.innerHTML = '<svg class="icon" aria-hidden="true"><use href="#icon-copy"></use></svg>';
    head.append(button);
  }
}
async function copy(button) {
  const source = button.dataset.copy ? document.getElementById(button.dataset.copy) : button.closest(".code").querySelector("code");
  try {
    await navigator.clipboard.writeText(source.innerText);
  } catch {
    getSelection().selectAllChildren(source);
    notify("The browser does not allow copying here. The text is selected: copy it by keyboard or menu.");
    return;
  }
  const use = button.querySelector("use");
  use.setAttribute("href", "#icon-check");
  document.getElementById("announcer").textContent = "Copied.";
  setTimeout(() => use.setAttribute("href", "#icon-copy"), 1500);
}

// Notices
function notify(text) {
  const notice = document.getElementById("notice-template").content.cloneNode(true);
  notice.querySelector(".notice-text").textContent = text;
  document.getElementById("notice").replaceChildren(notice);
}
document.addEventListener("htmx:after:request", (event) => {
  if (event.detail.ctx.response.raw.ok) document.getElementById("notice").replaceChildren();
});
document.addEventListener("htmx:error", (event) => {
  const source = event.detail.ctx?.sourceElement;
  if (!source || source.matches(".stream")) return;
  notify("The server cannot be reached. " + (source.id === "composer" ? "Your text is still in the box." : "Try again in a moment."));
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.matches(".copy")) copy(button);
  if (button?.matches("[data-dismiss]")) button.closest(".notice").remove();
  if (button?.matches("[data-toggle-side]")) {
    const side = document.documentElement.dataset.side === "closed" ? "" : "closed";
    document.documentElement.dataset.side = side;
    keep("side", side);
  }
  for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll(".menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.getElementById("theme").addEventListener("change", (event) => {
  document.documentElement.dataset.theme = event.target.value;
  keep("theme", event.target.value);
});

const refresh = () => { tellTimes(); offerCopies(); };
refresh();
setInterval(tellTimes, 30e3);
document.addEventListener("htmx:after:swap", refresh);
document.addEventListener("done", refresh);
// A page taken from the browser's memory is stale: its form's number is used up, its stream is cut.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
