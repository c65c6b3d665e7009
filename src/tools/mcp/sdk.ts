/** The protocol's own package, loaded when the first App needs it: it takes a third of a second. */
export async function loadSdk() {
  const [{ Client }, { StreamableHTTPClientTransport, StreamableHTTPError }, types] = await Promise.all([
    import('@modelcontextprotocol/sdk/client/index.js'),
    import('@modelcontextprotocol/sdk/client/streamableHttp.js'),
    import('@modelcontextprotocol/sdk/types.js'),
  ])
  return { Client, StreamableHTTPClientTransport, StreamableHTTPError, ...types }
}

export type Sdk = Awaited<ReturnType<typeof loadSdk>>
