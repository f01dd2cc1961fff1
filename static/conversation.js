// The conversation being read: follows the end only while the reader is there, connects streams again,
// and speaks a growing answer in whole sentences.
const messages = document.getElementById("messages");
const newest = document.getElementById("newest");
let following = true, lastY = 0;

const remaining = () => root.scrollHeight - innerHeight - scrollY;
const showNewest = () => { newest.hidden = remaining() < 200; };
const toEnd = () => { following = true; scrollTo(0, root.scrollHeight); };

addEventListener("scroll", () => {
  if (remaining() < 2) following = true;
  else if (scrollY < lastY) following = false;
  lastY = scrollY;
  showNewest();
}, { passive: true });
addEventListener("wheel", (event) => { if (event.deltaY < 0) following = false; }, { passive: true });
new ResizeObserver(() => { if (following) toEnd(); else showNewest(); }).observe(messages);
newest.addEventListener("click", toEnd);
if (location.hash || messages.querySelector(".empty")) following = false;

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

// Streams
const messageOf = (stream) => stream.closest(".message");
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
function speak(message, ending = "") {
  const text = message.querySelector(".body").innerText.slice(message.spoken);
  const words = ending ? text : text.match(/^[\s\S]*[.!?…:;。！？]["'”’)]*(?=\s)/)?.[0] ?? "";
  message.spoken = (message.spoken ?? 0) + words.length;
  if (words.trim() || ending) document.getElementById("announcer").textContent = `${words} ${ending}`;
}

// While an answer is written, its seconds are counted from when this page first saw it.
setInterval(() => {
  for (const message of messages.querySelectorAll(".message:has(.stream)")) {
    message.seconds = (message.seconds ?? 0) + 1;
    message.querySelector(".elapsed")?.replaceChildren(` for ${message.seconds} s`);
    if (message.seconds % 3 === 0) speak(message);
  }
}, 1000);
