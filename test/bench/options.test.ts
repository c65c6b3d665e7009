import { describe, expect, it } from 'vitest'
import { BenchError, readOptions } from '../../bench/rig/options.ts'

function read(line: string, environment: Record<string, string> = {}) {
  return readOptions(line === '' ? [] : line.split(' '), environment)
}

describe('the options of the bench', () => {
  it('have defaults', () => {
    expect(read('')).toMatchObject({ names: [], rounds: 3, loaders: 1, seed: 1, outside: undefined, help: false })
  })

  it('are read in any order, beside the names', () => {
    const read1 = read('full --rounds 5 stop --json a.json --html a.html --only relay --loaders 2 --minutes 0.5')
    expect(read1).toMatchObject({ names: ['full', 'stop'], rounds: 5, only: 'relay', loaders: 2, minutes: 0.5 })
    expect(read1).toMatchObject({ json: 'a.json', html: 'a.html' })
  })

  it.each([
    ['--rounds 0', '--rounds is a number from 1'],
    ['--rounds 1.5', '--rounds is a whole number'],
    ['--rounds x', '--rounds is a number'],
    ['--rounds=', '--rounds is a number'],
    ['--loaders 1000', '--loaders is a number from 1 to 64'],
    ['--minutes 0', '--minutes is a number'],
    ['--only both', '--only is relay or parley'],
    ['--nonsense', "Unknown option '--nonsense'"],
    ['--app a', '--app is about a server that runs already'],
    ['--allow-remote', '--allow-remote is about a server that runs already'],
    ['--url ws://127.0.0.1 --profile d', '--profile is of servers that the bench starts'],
    ['--url ws://127.0.0.1 --only relay', '--only is of servers that the bench starts'],
  ])('refuse %s', (line, said) => {
    expect(() => read(line)).toThrow(BenchError)
    expect(() => read(line)).toThrow(said)
  })
})

describe('a server that runs already', () => {
  it('is named by its URL, its App and its key', () => {
    const { outside, rounds } = read('--url ws://127.0.0.1:8080 --app load --key sk_live_x --sessions 9 --rate 5')
    expect(rounds).toBe(1)
    expect(outside).toEqual({
      url: 'ws://127.0.0.1:8080',
      sessions: 9,
      target: {
        host: '127.0.0.1',
        port: 8080,
        secure: false,
        path: '/ws?app=load',
        headers: { 'AOMI-APP-KEY': 'sk_live_x' },
        sessionHeader: 'X-Session-Id',
        countsPerSecond: 5,
      },
    })
  })

  it('gets the default App, no key, and the port of its protocol', () => {
    const { target } = read('--url ws://localhost/ws').outside ?? {}
    expect(target).toMatchObject({ host: 'localhost', port: 80, path: '/ws?app=default', headers: {} })
  })

  it('takes the key of the environment, which no list of processes shows', () => {
    const { target } = read('--url ws://127.0.0.1:1', { PARLEY_KEY: 'sk_live_y' }).outside ?? {}
    expect(target?.headers).toEqual({ 'AOMI-APP-KEY': 'sk_live_y' })
  })

  it.each(['ws://127.0.0.1:1', 'ws://127.8.9.1', 'ws://[::1]:8080', 'ws://LOCALHOST'])('is this machine: %s', (url) => {
    expect(read(`--url ${url}`).outside).toBeDefined()
  })

  it.each(['ws://10.0.0.1', 'wss://example.com', 'ws://127.0.0.1.example.com', 'ws://localhost.example', 'ws://[::2]'])(
    'is another machine, and loaded only when that is said: %s',
    (url) => {
      expect(() => read(`--url ${url}`)).toThrow('is not this machine')
      expect(read(`--url ${url} --allow-remote`).outside).toBeDefined()
    },
  )

  it.each([
    ['8080', '--url is the server'],
    ['http://127.0.0.1:8080', '--url is the server'],
    ['ws://127.0.0.1/other', 'the path is /ws'],
    ['ws://127.0.0.1/?app=a', 'takes no query'],
    ['ws://me@127.0.0.1/', 'no credentials'],
  ])('is not %s', (url, said) => {
    expect(() => read(`--url ${url}`)).toThrow(said)
  })
})
