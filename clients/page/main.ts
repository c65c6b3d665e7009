import { browserEnvironment } from '../core/browser-environment.ts'
import { Page } from './page.ts'

new Page(browserEnvironment).show(document.body)
