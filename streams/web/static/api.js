// Asking the API and saying something to it. A token, where one is needed, stays in this tab.

const TOKEN = "token";
let word = null;

export class Refused extends Error {
  constructor(status, message, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const keepToken = (token) => sessionStorage.setItem(TOKEN, token);

function headers(more = {}) {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

async function answerOf(response) {
  const content = await response.json().catch(() => ({}));
  if (response.ok || (response.status === 503 && !content.error)) return content;
  throw new Refused(response.status, content.error?.message ?? `refused (${response.status})`,
    content.error?.code);
}

// `query`: values or lists of values by name; what is empty is left out.
export async function ask(path, query = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one != null && one !== "") asked.append(name, one);
  }
  const text = asked.toString();
  const response = await fetch(text ? `${path}?${text}` : path, {
    headers: headers(), cache: "no-store",
  });
  return answerOf(response);
}

export async function session() {
  const found = await ask("/v1/session");
  word = found.word;
  return found;
}

// Say something of a model: an event as the contract has it.
export async function say(event) {
  if (word === null) await session();
  const response = await fetch("/v1/model-events", {
    method: "POST",
    headers: headers({ "Content-Type": "application/json", "X-Windage-Word": word }),
    body: JSON.stringify({ id: crypto.randomUUID(), author: "dashboard", ...event }),
  });
  return answerOf(response);
}

// Server-sent events through fetch, because EventSource cannot send a token.
export async function listen(topics, heard, signal) {
  let cursor = "";
  while (!signal.aborted) {
    try {
      const response = await fetch(`/v1/stream?topics=${topics.join(",")}`, {
        headers: headers(cursor ? { "Last-Event-ID": cursor } : {}), signal, cache: "no-store",
      });
      if (!response.ok) throw new Refused(response.status, "no stream");
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          const id = /^id: (.*)$/m.exec(block);
          const name = /^event: (.*)$/m.exec(block);
          if (id) cursor = id[1];
          if (name) heard(name[1]);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
    }
    await new Promise((resume) => setTimeout(resume, 2000));
  }
}
