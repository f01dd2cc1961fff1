// The box: keys, growing, counting, clearing. What is typed is let go only when the server has it.
const composer = document.getElementById("composer");
const box = composer.elements.text;
const counter = document.getElementById("counter");
const most = Number(box.dataset.max);
const touch = matchMedia("(hover: none) and (pointer: coarse)");
const number = new Intl.NumberFormat("en");
let sent = null;

function fit() {
  if (!CSS.supports("field-sizing", "content")) {
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
  }
  const length = box.value.length > most * 0.8 ? [...box.value].length : 0;
  counter.textContent = length ? `${number.format(length)} of ${number.format(most)} characters` : "";
  counter.classList.toggle("over", length > most);
}
box.addEventListener("input", fit);
fit();
if (!touch.matches) box.enterKeyHint = "send";

box.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || touch.matches) return;
  event.preventDefault();
  const send = document.getElementById("send");
  if (!send) notify("An answer is still being written. Send when it is complete, or stop it.");
  else if (box.value.trim()) composer.requestSubmit(send);
});

composer.addEventListener("htmx:before:request", (event) => {
  if (event.target === composer) sent = box.value;
});
composer.addEventListener("htmx:after:request", (event) => {
  if (event.target !== composer || !event.detail.ctx.response.raw.ok) return;
  if (box.value === sent) box.value = "";
  fit();
  if (!touch.matches) box.focus({ preventScroll: true });
});

// When the pressed button gives way to the other one, the keyboard goes on in the box.
let pressed = null;
document.addEventListener("htmx:before:swap", () => { pressed = document.activeElement?.closest("#composer-action button"); });
document.addEventListener("htmx:after:swap", () => {
  if (pressed && !pressed.isConnected && !touch.matches) box.focus({ preventScroll: true });
});
