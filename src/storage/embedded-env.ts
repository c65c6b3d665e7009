export type Environment = Readonly<Record<string, string | undefined>>

/** Where `unshare` is looked for when the caller says nothing. */
const USUAL_PATH = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'
/** Languages and times of messages, and where libraries lie. */
const PASSED = /^(?:PATH|LANG|LC_[A-Z]+|TZ|LD_LIBRARY_PATH)$/

/** What the server's programs see of `env`: it holds keys and addresses that they have no use for (I11). */
export function embeddedEnv(env: Environment): Record<string, string> {
  const passed: Record<string, string> = { PATH: USUAL_PATH, HOME: '/' }
  for (const [name, value] of Object.entries(env)) if (value !== undefined && PASSED.test(name)) passed[name] = value
  return passed
}
