/** Notices as people read them: plain text for mail and terminal, Slack's markup for webhooks. Pure. */
import { cut } from '../errors.ts';
import type { Notice } from './notice.ts';

/** Slack cuts a message's text at 40,000 characters, and shows far fewer well. */
const slackChars = 3_000;

/** Title, text and what to type, one below the other. */
export function plainText({ title, text, commands }: Notice): string {
  const typed = commands.length === 0 ? [] : ['', 'What to type:', ...commands.map((command) => `  ${command}`)];
  return [title, ...(text === '' ? [] : ['', text]), ...typed].join('\n');
}

/** Slack's mrkdwn. `&`, `<` and `>` are escaped, so a text from a job's log can neither mention anybody nor make a link. */
export function slackText({ title, text, commands }: Notice): string {
  const typed = commands.map((command) => `\`${escaped(command).replaceAll('`', "'")}\``);
  const body = text === '' ? [] : [escaped(cut(text, slackChars))];
  return [`*${escaped(title).replaceAll('*', '')}*`, ...body, ...typed].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
