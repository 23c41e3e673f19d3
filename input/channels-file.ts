/**
 * Channels file: YAML → where people are told. It names files with secrets and holds none itself. The worker reads it when it starts.
 *
 *   default: [oncall]
 *   channels:
 *     oncall:  { slack: { url_file: /etc/critic/slack-url } }
 *     pager:   { webhook: { url: https://pager.example/critic, secret_file: /etc/critic/pager-secret }, only: [waiting, failed, stuck] }
 *     mail:    { smtp: { host: mail.example, from: critic@example.org, to: [ml@example.org], user: critic, password_file: /etc/critic/smtp } }
 *     archive: { file: { path: /var/log/critic/notices.jsonl } }
 */
import * as z from 'zod';
import { cut } from '../domain/errors.ts';
import { noticeKinds } from '../domain/notices/notice.ts';
import { schemaFault } from './input-fault.ts';
import { readYamlFile } from './yaml-file.ts';

const absolute = z.string('expected an absolute path').regex(/^\/[^\0]*$/, 'expected an absolute path');
const url = z.url({ protocol: /^https?$/, error: 'expected a URL with http:// or https://' });
const address = z.email('expected an e-mail address');
const channelName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'expected 1 to 32 of a-z, 0-9 and "-"');

const settings = {
  /** A Slack-compatible incoming webhook. Its URL is a secret. */
  slack: z.strictObject({ url_file: absolute }),
  /** The notice as JSON, signed as Standard Webhooks say. */
  webhook: z.strictObject({ url, secret_file: absolute }),
  smtp: z
    .strictObject({
      host: z.string().min(1, 'expected a host'),
      port: z.int().min(1).max(65_535).default(587),
      /** TLS from the first byte (port 465). Else STARTTLS is used where the server has it. */
      tls: z.boolean().default(false),
      from: address,
      to: z.array(address).min(1, 'expected at least one address').max(50),
      user: z.string().min(1).optional(),
      password_file: absolute.optional(),
    })
    .refine((one) => (one.user === undefined) === (one.password_file === undefined), {
      path: ['password_file'],
      error: 'expected user and password_file together',
    }),
  /** One JSON line a notice. */
  file: z.strictObject({ path: absolute }),
};
const channel = z
  .strictObject({
    slack: settings.slack.optional(),
    webhook: settings.webhook.optional(),
    smtp: settings.smtp.optional(),
    file: settings.file.optional(),
    /** Only notices of these kinds. Default: all. */
    only: z.array(z.enum(noticeKinds)).min(1).optional(),
  })
  .refine((one) => [one.slack, one.webhook, one.smtp, one.file].filter((way) => way !== undefined).length === 1, {
    error: 'expected exactly one of slack, webhook, smtp and file',
  });

/** A channels file as it is written. */
export const channelsFileSchema = z
  .strictObject({
    channels: z.record(channelName, channel),
    /** Channels of notices that name none. */
    default: z.array(channelName).default([]),
  })
  .superRefine(({ channels, default: names }, context) => {
    for (const [index, name] of names.entries()) {
      if (Object.hasOwn(channels, name)) continue;
      context.addIssue({
        code: 'custom',
        path: ['default', index],
        message: 'expected the name of a channel',
        input: name,
      });
    }
  });

export type ChannelSettings = z.output<typeof channel>;
export type ChannelsFile = z.output<typeof channelsFileSchema>;

/** Throws an InputFault that names the file, each wrong field with its value, and what was expected. */
export async function readChannels(path: string): Promise<ChannelsFile> {
  const value = await readYamlFile(path, { what: 'channels file', holds: 'channels and default' });
  const parsed = channelsFileSchema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw schemaFault(`channels file "${cut(path)}"`, parsed.error);
}
