// Buttons for passkeys appear where the browser can use one; what goes wrong is said, not only written to the console.

for (const button of document.querySelectorAll("[data-passkey]")) button.hidden = !window.PublicKeyCredential;

document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  document.getElementById("passkey-trouble").hidden = false;
});

for (const button of document.querySelectorAll("[data-passkey]")) {
  button.addEventListener("click", () => (document.getElementById("passkey-trouble").hidden = true), true);
}
