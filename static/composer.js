// The box: keys, growing, counting. A question is shown at once, as being sent, and leaves the box;
// one that does not arrive comes back into it.
const composer = document.getElementById("composer");
const box = composer.elements.text;
const counter = document.getElementById("counter");
const most = Number(box.dataset.max);
const number = new Intl.NumberFormat("en");

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
// Kept in this tab until the server has it: a reload in the midst of sending brings it back, and the same
// number makes a second send harmless.
const kept = JSON.parse(sessionStorage.getItem("sending"));
const id = composer.elements.request_id;
if (document.querySelector(`[data-request="${kept?.id}"]`)) sessionStorage.removeItem("sending");  // it has arrived
else if (kept?.action === composer.action && (!box.value || id.value === kept.id)) [box.value, id.value] = [kept.text, kept.id];
fit();
if (!touch) box.enterKeyHint = "send";

box.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || touch) return;
  event.preventDefault();
  const send = document.getElementById("send");
  if (!send) notify("An answer is still being written. Send when it is complete, or stop it.");
  else if (box.value.trim()) composer.requestSubmit(send);
});
box.addEventListener("invalid", (event) => { event.preventDefault(); box.focus(); });  // no bubble says: empty

let sending = null;
document.addEventListener("htmx:before:request", ({ target }) => {
  if (!target.matches("#composer, .examples form")) return;
  const question = document.getElementById("sending").content.firstElementChild.cloneNode(true);
  sending = { form: target, question, text: target.elements.text.value };
  sessionStorage.setItem("sending", JSON.stringify({ action: target.action, text: sending.text, id: target.elements.request_id.value }));
  question.querySelector(".body").textContent = sending.text;
  messages.append(question);
  if (target === composer) box.value = box.defaultValue = "";  // the latter: a draft that the page came with
  fit();
  toEnd();
});
function sent({ target, detail }) {
  if (target !== sending?.form) return;
  if (target === composer && !detail.ctx.response?.raw.ok) box.value = [sending.text, box.value].filter(Boolean).join("\n");
  sending.question.remove();
  sending = null;
  sessionStorage.removeItem("sending");
  setTimeout(() => box.dispatchEvent(new Event("input")));  // after the swap, which may set the box up anew
  if (!touch) box.focus({ preventScroll: true });
}
addEventListener("pagehide", () => { sending = null; });  // what is cut off by leaving may still arrive
for (const moment of ["htmx:after:request", "htmx:finally:request"]) document.addEventListener(moment, sent);
// While sending the box is empty, and its draft is still needed: saved again is what is there afterwards.
box.addEventListener("htmx:before:request", (event) => { if (sending) event.preventDefault(); });

// The second click of a double one on Send falls on Stop, which is there by then.
document.addEventListener("click", (event) => { if (event.detail > 1 && event.target.closest("#stop")) { event.preventDefault(); event.stopPropagation(); } }, true);
