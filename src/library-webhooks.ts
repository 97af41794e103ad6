/** The webhooks of an app of the library: each call is checked, and ends with the app. */
import type { Webhooks } from "./webhooks.ts";
import { checkText } from "./library-input.ts";

type During = <T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>) => Promise<T>;

export function libraryWebhooks(webhooks: Webhooks, during: During): Webhooks {
  const withText = <T>(name: string, text: string, work: () => Promise<T>) =>
    during(undefined, () => {
      checkText(name, text);
      return work();
    });
  return {
    add: (wanted) => withText("url", wanted.url, () => webhooks.add(wanted)),
    check: (url) => withText("url", url, () => webhooks.check(url)),
    forTask: (taskId, url, events) =>
      withText("taskId", taskId, () => {
        checkText("url", url);
        return webhooks.forTask(taskId, url, events);
      }),
    list: (options) => during(undefined, () => webhooks.list(options)),
    remove: (id) => withText("id", id, () => webhooks.remove(id)),
    resume: (id, options) => withText("id", id, () => webhooks.resume(id, options)),
    test: (id, signal) =>
      during(signal, (stop) => {
        checkText("id", id);
        return webhooks.test(id, stop);
      }),
    deliveries: (id) => withText("id", id, () => webhooks.deliveries(id)),
    secret: (id) => during(undefined, () => webhooks.secret(id)),
    deliver: (signal) => during(signal, (stop) => webhooks.deliver(stop)),
  };
}
