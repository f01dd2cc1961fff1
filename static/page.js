// Every page: times in the reader's words, copying, notices, colours, the side list.
const root = document.documentElement;
const touch = matchMedia("(hover: none) and (pointer: coarse)").matches;
const keep = (name, value) => { document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=31536000; samesite=lax`; };
keep("timezone", Intl.DateTimeFormat().resolvedOptions().timeZone);

// Times: "just now", "14:05", "yesterday, 14:05", "23 Nov, 14:05"; in full on hover.
const language = navigator.language.startsWith("en") ? navigator.language : "en-GB";
const say = (at, options) => new Intl.DateTimeFormat(language, options).format(at);
function words(at) {
  const now = new Date();
  if (Math.abs(now - at) < 60e3) return "just now";
  const [today, day] = [now, at].map((moment) => new Date(moment).setHours(0, 0, 0, 0));
  const days = Math.round((today - day) / 864e5);
  const year = at.getFullYear() === now.getFullYear() ? undefined : "numeric";
  const date = days === 1 ? "yesterday, " : days ? `${say(at, { day: "numeric", month: "short", year })}, ` : "";
  return date + say(at, { timeStyle: "short" });
}
function tellTimes() {
  for (const time of document.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    time.textContent = words(at);
    time.title ||= say(at, { dateStyle: "full", timeStyle: "short" });
  }
}

// Copying
function offerCopies() {
  for (const head of document.querySelectorAll(".code-head:not(:has(button))")) {
    if (head.closest('[data-status="streaming"] .block:last-child')) continue;
    head.insertAdjacentHTML("beforeend", `<button type="button" class="quiet copy" aria-label="Copy this code">
      <svg class="icon" aria-hidden="true"><use href="#icon-copy"></use></svg></button>`);
  }
}
async function copy(button) {
  const source = button.dataset.copy ? document.getElementById(button.dataset.copy) : button.closest(".code").querySelector("code");
  try {
    await navigator.clipboard.writeText(source.value ?? source.innerText);
  } catch {  // refused, or not offered at all where the page came over plain http
    source.select ? source.select() : getSelection().selectAllChildren(source);
    return notify("The browser does not allow copying here. The text is selected: copy it by keyboard or menu.");
  }
  const use = button.querySelector("use");
  use.setAttribute("href", "#icon-check");
  setTimeout(() => use.setAttribute("href", "#icon-copy"), 1500);
  document.getElementById("announcer").textContent = "Copied.";
}

// Streams, and the draft in the box, are tried again in silence. htmx connects streams again by itself, but
// only after a first success.
const isQuiet = (source) => source.matches?.("#feed, .stream, #text");
function connectAgain({ target, detail }) {
  const status = detail.ctx?.response?.status;
  if (!isQuiet(target) || (status < 500 && status !== 429)) return;
  if (status) detail.ctx.hx = {};  // said below the answer, not in a notice as well
  target.closest(".message")?.setAttribute("data-connection", "lost");
  setTimeout(() => htmx.trigger(target, "resume"), 2000);
}
for (const fault of ["htmx:error", "htmx:response:error"]) document.addEventListener(fault, connectAgain);

// Notices
const notice = document.getElementById("notice");
function notify(text) {
  const fragment = document.getElementById("notice-template").content.cloneNode(true);
  fragment.querySelector(".notice-text").textContent = text;
  notice.replaceChildren(fragment);
}
const unreachable = (source) => notify(`The server cannot be reached. ${source.id === "composer" ? "Your text is still in the box." : "Try again in a moment."}`);
document.addEventListener("htmx:after:request", (event) => {
  const { target, detail: { ctx } } = event;
  if (ctx.response.raw.ok) {
    if (!isQuiet(target)) notice.replaceChildren();
    if (target.matches?.("#menu .rename")) target.parentElement.hidePopover();
  } else if (!ctx.hx.retarget && !isQuiet(target)) {
    event.preventDefault();  // the error page of a proxy in front of us: not into ours
    unreachable(ctx.sourceElement);
  }
});
document.addEventListener("htmx:error", ({ detail }) => {
  const source = detail.ctx?.sourceElement;
  if (source && !isQuiet(source)) unreachable(source);
});

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button?.matches(".copy")) copy(button);
  if (button?.matches("[data-dismiss]")) notice.replaceChildren();
  if (button?.matches("[data-toggle-side]")) keep("side", root.dataset.side = root.dataset.side ? "" : "closed");
});
document.getElementById("theme").addEventListener("change", ({ target }) => keep("theme", root.dataset.theme = target.value));

// Whose button gives way to something else goes on there, or else at the box.
let place = null;
document.addEventListener("htmx:before:swap", () => { place = document.activeElement?.closest(".siblings, .entry, .message, #composer"); });
document.addEventListener("htmx:after:swap", () => {
  if (!place || document.activeElement !== document.body) return;
  const next = document.getElementById(place.id) ?? document.getElementById("composer");
  next?.querySelector(touch ? "a, button:enabled" : "a, button:enabled, textarea")?.focus({ preventScroll: true });
});

const refresh = () => { tellTimes(); offerCopies(); };
refresh();
setInterval(refresh, 5e3);
document.addEventListener("htmx:after:swap", ({ target }) => { if (!isQuiet(target)) refresh(); });
document.addEventListener("done", refresh);
// A page taken from the browser's memory is stale: its form's number is used up, its stream is cut.
addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload(); });
