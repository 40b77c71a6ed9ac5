// Pairing: by PIN typed in, by the PIN in a scanned code's fragment, or by a token from the command line.

import { call } from "/static/shell.js";
import { t } from "/static/words.js";

const form = document.getElementById("pair");
const said = document.getElementById("said");
const fragment = new URLSearchParams(location.hash.slice(1));

async function enter(path, body) {
  said.textContent = t("One moment …");
  try {
    await call(path, { method: "POST", body });
    location.assign("/");
  } catch (error) {
    said.textContent = error.message;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { pin, name, role } = Object.fromEntries(new FormData(form));
  enter("/api/v1/pair", { pin, name, role });
});

history.replaceState(null, "", location.pathname + location.search); // what opened the door is not left in the address
if (fragment.has("pin")) form.elements.pin.value = fragment.get("pin");
if (fragment.has("token")) enter("/api/v1/pair/token", { token: fragment.get("token") });
