// SPDX-License-Identifier: Apache-2.0
// What pages gain from JavaScript: a live stream of records, more rows without leaving, short addresses, ages that
// stay true, and a copy button. Every page works without it; nothing here makes HTML of its own: rows come rendered.
"use strict";

(() => {
  const STREAM_ROWS_MAX = 500;
  const RECONNECT_MS = 5000;
  const AGES_EVERY_MS = 30000;

  const button = (text, onClick) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", onClick);
    return made;
  };

  // Rows out of a rendered text; a table's rows need a table around them to be parsed.
  const parseRows = (html) => {
    const made = document.createElement("template");
    made.innerHTML = `<table><tbody>${html}</tbody></table>`;
    return [...made.content.querySelectorAll("tr")];
  };

  // Rows that are not on the page yet.
  const newRows = (rows) => rows.filter((row) => !document.getElementById(row.id));

  // --- Ages: the same words as the server's model::time::age_text.

  const ageText = (secs) => {
    if (secs < -60) return "in the future";
    if (secs < 60) return "just now";
    if (secs < 3600) return `${Math.floor(secs / 60)} min ago`;
    if (secs < 2 * 86400) return `${Math.floor(secs / 3600)} h ago`;
    return `${Math.floor(secs / 86400)} d ago`;
  };

  // The server's clock decides, not the viewer's.
  const stream = document.getElementById("stream");
  const aheadMs = stream ? Number(stream.dataset.now) * 1000 - Date.now() : 0;

  const refreshAges = () => {
    for (const time of document.querySelectorAll("time.age")) {
      const at = Date.parse(time.dateTime);
      if (!Number.isNaN(at)) time.textContent = ageText(Math.floor((Date.now() + aheadMs - at) / 1000));
    }
  };

  // --- The live stream.

  const addStream = (place) => {
    const rowsOf = () => document.getElementById("rows");
    let source = null;
    let retry = 0;
    let lastId = null;
    let nNew = 0;

    const label = () => {
      toggle.textContent = nNew > 0 ? `Live · ${nNew.toLocaleString("en")} new` : "Live";
    };

    const show = (event) => {
      lastId = event.lastEventId || lastId;
      const rows = newRows(parseRows(event.data));
      const body = rowsOf();
      if (rows.length === 0 || !body) return;
      const empty = document.getElementById("empty");
      if (empty) empty.remove();
      body.closest(".sheet").hidden = false;
      for (const row of rows) row.classList.add("fresh");
      body.prepend(...rows);
      while (body.rows.length > STREAM_ROWS_MAX) cutLast(body);
      nNew += rows.length;
      label();
    };

    // Where rows were cut, "load more" must go on after the last that is left.
    const cutLast = (body) => {
      body.lastElementChild.remove();
      const pager = document.getElementById("pager");
      const more = pager.querySelector("a.more") || document.createElement("a");
      const url = new URL(more.href || location.href);
      url.searchParams.set("from_id", body.lastElementChild.id.replace("record-", ""));
      more.href = url.href;
      if (more.isConnected) return;
      more.className = "button more";
      more.textContent = "Load more";
      pager.append(more);
    };

    const open = () => {
      const url = new URL(place.dataset.url, location.href);
      if (lastId) url.searchParams.set("after_id", lastId);
      source = new EventSource(url);
      source.addEventListener("open", () => toggle.classList.remove("waiting"));
      source.addEventListener("message", show);
      source.addEventListener("error", () => {
        toggle.classList.add("waiting");
        // After a lost connection the browser comes back by itself; after a refusal it does not.
        if (source && source.readyState === EventSource.CLOSED) retry = setTimeout(open, RECONNECT_MS);
      });
    };

    const close = () => {
      clearTimeout(retry);
      if (source) source.close();
      source = null;
    };

    const toggle = button("Live", () => {
      const isOn = toggle.getAttribute("aria-pressed") !== "true";
      toggle.setAttribute("aria-pressed", String(isOn));
      toggle.classList.toggle("waiting", isOn);
      if (isOn) open();
      else close();
    });
    toggle.className = "live";
    toggle.title = "Show new records as they arrive";
    toggle.setAttribute("aria-pressed", "false");
    place.replaceChildren(toggle);
    // A page in the browser's back-forward cache keeps no connection.
    addEventListener("pagehide", close);
    addEventListener("pageshow", (event) => {
      if (event.persisted && toggle.getAttribute("aria-pressed") === "true") open();
    });
  };

  // --- Load more: the next page's rows and its way on, appended here.

  const loadMore = async (link) => {
    const pager = document.getElementById("pager");
    const text = link.textContent;
    link.textContent = "Loading …";
    pager.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const rows = newRows([...next.querySelectorAll("#rows > tr")].map((row) => document.adoptNode(row)));
      document.getElementById("rows").append(...rows);
      const nextPager = next.getElementById("pager");
      pager.replaceChildren(...(nextPager ? document.adoptNode(nextPager).childNodes : []));
      const first = rows.length > 0 ? rows[0].querySelector("td.class a") : null;
      if (first) {
        document.querySelector(".sheet").hidden = false;
        const empty = document.getElementById("empty");
        if (empty) empty.remove();
        first.focus({ preventScroll: true });
      }
    } catch {
      // The link still works as a link: leave it to be followed.
      link.textContent = text;
      link.classList.remove("more");
    } finally {
      pager.removeAttribute("aria-busy");
    }
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("#pager a.more");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    if (document.getElementById("pager").getAttribute("aria-busy") !== "true") loadMore(link);
  });

  // --- Forms: an empty field does not clutter the address.

  for (const form of document.querySelectorAll("form.filter")) {
    form.addEventListener("submit", () => {
      for (const control of form.elements) if (control.name && control.value === "") control.disabled = true;
    });
    // Back from the next page, the fields are to be used again.
    addEventListener("pageshow", () => {
      for (const control of form.elements) control.disabled = false;
    });
  }

  // Where there is little room the rows come first: the summary and the chips say which filters are in use.
  const more = document.querySelector("form.filter details");
  if (more && matchMedia("(max-width: 40rem)").matches && !document.querySelector("[aria-invalid]")) more.open = false;

  // A payload that was edited is meant to be used.
  for (const area of document.querySelectorAll("form.correction textarea")) {
    area.addEventListener("input", () => {
      const box = area.form.elements.namedItem("payload_as_sent");
      if (box) box.checked = false;
    });
  }

  // --- Copy: the clipboard is there only over HTTPS and on localhost; elsewhere the text is selected and copied so.

  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    getSelection().selectAllChildren(document.getElementById("payload"));
    if (!document.execCommand("copy")) throw new Error("not copied");
  };

  const addCopy = (place) => {
    const made = button("Copy", async () => {
      try {
        await copy(document.getElementById(place.dataset.of).textContent);
        made.textContent = "Copied";
      } catch {
        made.textContent = "Press Ctrl+C";
      }
      setTimeout(() => (made.textContent = "Copy"), 2000);
    });
    place.replaceChildren(made);
  };

  if (stream && stream.dataset.url) addStream(stream);
  const copyPlace = document.getElementById("copy");
  if (copyPlace && document.getElementById(copyPlace.dataset.of)) addCopy(copyPlace);
  setInterval(refreshAges, AGES_EVERY_MS);
})();
