// The conversation being read: follows the end only while the reader is there, connects streams again,
// and speaks a growing answer in whole sentences.
const messages = document.getElementById("messages");
const newest = document.getElementById("newest");
const page = document.documentElement;
let following = true;
let lastY = 0;

const remaining = () => page.scrollHeight - innerHeight - scrollY;
const toEnd = () => { following = true; scrollTo(0, page.scrollHeight); };

addEventListener("scroll", () => {
  if (remaining() < 2) following = true;
  else if (scrollY < lastY) following = false;
  lastY = scrollY;
  newest.hidden = remaining() < 200;
}, { passive: true });
addEventListener("wheel", (event) => { if (event.deltaY < 0) following = false; }, { passive: true });
new ResizeObserver(() => {
  if (following) toEnd();
  else newest.hidden = remaining() < 200;
}).observe(messages);
newest.addEventListener("click", toEnd);
if (document.querySelector(".message") && !location.hash) toEnd();

// Earlier messages come in above; what is being read stays where it is.
let reading = null;
messages.addEventListener("htmx:before:swap", (event) => {
  if (event.detail.ctx.target?.id !== "older") return;
  const message = messages.querySelector(".message");
  reading = { message, top: message.getBoundingClientRect().top };
});
messages.addEventListener("htmx:after:swap", () => {
  if (!reading) return;
  following = false;
  scrollBy(0, reading.message.getBoundingClientRect().top - reading.top);
  reading = null;
});

document.addEventListener("htmx:after:request", (event) => {
  if (event.target.id === "composer" && event.detail.ctx.response.status < 400) toEnd();
});

// Streams. htmx connects again by itself, but only after a first success.
const messageOf = (stream) => stream.closest(".message");
const again = (event) => {
  const status = event.detail.ctx?.response?.status;
  if (!event.target.matches(".stream") || (status < 500 && status !== 429)) return;
  if (status) event.detail.ctx.hx = {};  // said below the answer, not in a notice as well
  messageOf(event.target).dataset.connection = "lost";
  setTimeout(() => htmx.trigger(event.target, "resume"), 2000);
};
messages.addEventListener("htmx:error", again);
messages.addEventListener("htmx:response:error", again);
messages.addEventListener("htmx:sse:error", (event) => { messageOf(event.target).dataset.connection = "lost"; });
messages.addEventListener("htmx:sse:after:connection", (event) => { delete messageOf(event.target).dataset.connection; });
messages.addEventListener("htmx:sse:after:message", (event) => {
  messageOf(event.target)?.querySelector(".body").lastElementChild?.normalize();
});
messages.addEventListener("done", (event) => {
  const message = messageOf(event.target);
  message.normalize();
  message.dataset.status = message.querySelector(".foot").dataset.status;
  speak(message, true);
  event.target.remove();
});

// Speech: every three seconds the sentences that have become whole, and at last how it ended.
const announcer = document.getElementById("announcer");
const spoken = new WeakMap();
function speak(message, ended) {
  const body = message.querySelector(".body");
  const text = body.innerText;
  const from = spoken.get(body) ?? 0;
  const whole = ended ? text.length : from + (text.slice(from).match(/^[\s\S]*[.!?…:;。！？]["'”’)]*(?=\s)/)?.[0].length ?? 0);
  spoken.set(body, whole);
  const ending = { complete: "Answer complete.", stopped: "Answer stopped." }[message.dataset.status] ?? "The answer ended early.";
  const words = text.slice(from, whole).trim() + (ended ? " " + ending : "");
  if (words) announcer.textContent = words;
}
setInterval(() => {
  for (const stream of messages.querySelectorAll(".stream")) speak(messageOf(stream), false);
}, 3000);

// A long wait shows its seconds.
const since = new WeakMap();
setInterval(() => {
  for (const elapsed of messages.querySelectorAll(".elapsed")) {
    if (!since.has(elapsed)) since.set(elapsed, Date.now());
    const seconds = Math.round((Date.now() - since.get(elapsed)) / 1000);
    elapsed.textContent = seconds > 1 ? ` for ${seconds} s` : "";
  }
}, 1000);
