/** Parts that all pages have: the page's frame, tables, lists of facts. Pure: values in, markup out. */
import { Html, html } from '../report/html.ts';
import { style } from '../report/style.ts';

/**
 * A whole page: one self-contained file without script or external resource. `body` has one `<main>`, and beside it header or footer at most. `own`: style that
 * this page has beside that of all.
 */
export function frame(title: string, body: Html, own = ''): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <style>
          ${new Html(style + own)}
        </style>
      </head>
      <body>
        ${body}
      </body>
    </html>`;
  return `${page.text}\n`;
}

/**
 * Something that a page says, with where it is from: a file or folder, from the store's root, and for one value in it `#` and a JSON pointer. Several, with blanks between: their sum. A test reads all of
 * them and compares. A larger part may have `data-source` too, for what is drawn or told of a whole file.
 */
export function cited(said: string | Html, source: string): Html {
  return html`<span data-source="${source}">${said}</span>`;
}

/** What is wider than the page scrolls in itself, by keys too. `label` tells those who hear the page what it is, and is used once on a page. */
export function scrolling(label: string, content: Html): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}">${content}</div>`;
}

/** `<` before a heading: its column is left-aligned. The first column names the row. `kind`: a class of the table. */
export function table(label: string, headings: readonly string[], rows: readonly Html[], kind = ''): Html {
  const heads = headings.map((heading) =>
    heading.startsWith('<')
      ? html`<th scope="col" class="left">${heading.slice(1)}</th>`
      : html`<th scope="col">${heading}</th>`,
  );
  return scrolling(
    label,
    html`<table class="${kind}">
      <thead>
        <tr>
          ${heads}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`,
  );
}

export function facts(list: readonly (readonly [name: string, value: string | Html])[]): Html {
  return html`<dl class="facts">
    ${list.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}

/** `0:07`, `12:30`, `1:02:03`. */
export function time(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
