// The conversation being read: follows the end only while the reader is there, connects streams again,
// and speaks a growing answer in whole sentences.
const messages = document.getElementById("messages");
const newest = document.getElementById("newest");
const page = document.documentElement;
let following = true;
let lastY = 0;

const remaining = () => page.scrollHeight - innerHeight - scrollY;
const showNewest = () => { newest.hidden = remaining() < 200; };
const toEnd = () => { following = true; scrollTo(0, page.scrollHeight); };

addEventListener("scroll", () => {
  if (remaining() < 2) following = true;
  else if (scrollY < lastY) following = false;
  lastY = scrollY;
  showNewest();
}, { passive: true });
addEventListener("wheel", (event) => { if (event.deltaY < 0) following = false; }, { passive: true });
new ResizeObserver(() => { if (following) toEnd(); else showNewest(); }).observe(messages);
newest.addEventListener("click", toEnd);
if (location.hash) following = false;
document.addEventListener("htmx:after:request", (event) => {
  if (event.target.id === "composer" && event.detail.ctx.response.raw.ok) toEnd();
});

// Earlier messages come in above; what is being read stays where it is.
let reading = null;
messages.addEventListener("htmx:before:swap", (event) => {
  if (event.detail.ctx.target?.id !== "older") return;
  following = false;
  const message = messages.querySelector(".message");
  reading = { message, top: message.getBoundingClientRect().top };
});
messages.addEventListener("htmx:after:swap", () => {
  if (reading) scrollBy(0, reading.message.getBoundingClientRect().top - reading.top);
  reading = null;
});

// Streams. htmx connects again by itself, but only after a first success.
const messageOf = (stream) => stream.closest(".message");
function connectAgain({ target, detail }) {
  const status = detail.ctx?.response?.status;
  if (!target.matches(".stream") || (status < 500 && status !== 429)) return;
  if (status) detail.ctx.hx = {};  // said below the answer, not in a notice as well
  messageOf(target).dataset.connection = "lost";
  setTimeout(() => htmx.trigger(target, "resume"), 2000);
}
messages.addEventListener("htmx:error", connectAgain);
messages.addEventListener("htmx:response:error", connectAgain);
messages.addEventListener("htmx:sse:error", ({ target }) => { messageOf(target).dataset.connection = "lost"; });
messages.addEventListener("htmx:sse:after:connection", ({ target }) => { delete messageOf(target).dataset.connection; });
messages.addEventListener("htmx:sse:after:message", ({ target }) => {
  messageOf(target)?.querySelector(".body").lastElementChild?.normalize();
});
messages.addEventListener("done", ({ target }) => {
  const message = messageOf(target);
  message.normalize();
  message.dataset.status = message.querySelector(".foot").dataset.status;
  speak(message, { complete: "Answer complete.", stopped: "Answer stopped." }[message.dataset.status] ?? "The answer ended early.");
  target.remove();
});

// Speech: every three seconds the sentences that have become whole, and at last how it ended.
const spoken = new WeakMap();
function speak(message, ending = "") {
  const text = message.querySelector(".body").innerText;
  const from = spoken.get(message) ?? 0;
  const sentences = text.slice(from).match(/^[\s\S]*[.!?…:;。！？]["'”’)]*(?=\s)/)?.[0] ?? "";
  const words = ending ? text.slice(from) : sentences;
  spoken.set(message, from + words.length);
  if (words.trim() || ending) document.getElementById("announcer").textContent = `${words} ${ending}`;
}

// While an answer is written, its seconds are counted from when this page first saw it.
const seconds = new WeakMap();
setInterval(() => {
  for (const stream of messages.querySelectorAll(".stream")) {
    const message = messageOf(stream);
    const passed = (seconds.get(message) ?? 0) + 1;
    seconds.set(message, passed);
    const elapsed = message.querySelector(".elapsed");
    if (elapsed) elapsed.textContent = ` for ${passed} s`;
    if (passed % 3 === 0) speak(message);
  }
}, 1000);
