// Reads Cookie headers, a hexadecimal line each, and prints the names that Express finds in each.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

const require = createRequire(new URL('../node_modules/express/package.json', import.meta.url))
const cookie = require('cookie')

for await (const line of createInterface({ input: process.stdin })) {
	const text = Buffer.from(line, 'hex').toString('latin1')
	console.log(JSON.stringify({ cookie: Object.keys(cookie.parse(text)) }))
}
